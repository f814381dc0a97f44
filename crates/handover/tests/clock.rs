//! The memory broker lives in one process and asks only the clock that nobody can set.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, helpers included")]

use std::time::Duration;

use handover::clock::pretend;
use handover::{
    Ask, Broker, BrokerExt, MemoryBroker, Message, QueueName, QueueSettings, Room, Settle,
};

#[tokio::test(start_paused = true)]
async fn a_clock_set_an_hour_forth_or_back_moves_no_lease_and_no_delay_in_memory() {
    let minutes = Duration::from_secs(10 * 60);
    let mail: QueueName = "mail".parse().unwrap();
    for step in [3_600_000, -3_600_000] {
        let broker = MemoryBroker::new();
        broker.declare(&mail, &QueueSettings::with_capacity(10)).await.unwrap();
        let delayed = [Message::new("a"), Message::new("b").with_delay(minutes)];
        broker.send(&mail, &delayed, Room::now()).await.unwrap();
        let ask = Ask::new(1).lease(minutes);
        let taken = broker.receive_one(&mail, ask).await.unwrap().unwrap();
        pretend::step_wall(step);
        assert!(broker.receive_one(&mail, ask).await.unwrap().is_none(), "step {step}");
        tokio::time::advance(minutes - Duration::from_secs(1)).await;
        assert!(broker.receive_one(&mail, ask).await.unwrap().is_none(), "step {step}");
        broker.settle_one(taken.receipt, Settle::Done).await.unwrap();
        tokio::time::advance(Duration::from_secs(2)).await;
        let due = broker.receive_one(&mail, ask).await.unwrap().unwrap();
        assert_eq!(due.message.body, b"b", "step {step}");
    }
}
