//! Who may end or change a lease, who hears of it, and a bell that was lost.

use std::time::Duration;

use handover::{Ask, Broker, BrokerExt, ErrorKind, Message, Receipt, Room, Settle};

use crate::group::poll_once;
use crate::support::{Bench, PATIENCE, until};

#[tokio::test]
async fn a_lease_that_is_made_shorter_wakes_those_who_sleep_until_its_end() {
    let bench = Bench::new();
    let (_one, first) = bench.broker(10).await;
    let second = bench.open().broker();
    let queues = [bench.queue.clone()];
    for (sleeper, bells) in [(&first, 1), (&second, 2)] {
        bench.send(&first, "work").await;
        let taken = bench.take(&first).await;
        let ask = Ask::new(1).wait(Duration::from_secs(4)).lease(PATIENCE); // less than the tick
        let mut asleep = sleeper.receive(&queues, ask);
        assert!(poll_once(&mut asleep).await.is_none());
        let folder = bench.folder.path().join("handover.db-bell");
        let hung_up = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
        until("it sleeps, and can be rung", || hung_up() == bells).await;
        let shorter = first.extend(std::slice::from_ref(&taken.receipt), Duration::from_millis(1));
        shorter.await.unwrap().remove(0).unwrap();
        let again = asleep.await.unwrap().remove(0);
        assert_eq!(again.message.id, taken.message.id);
        first.settle_one(again.receipt, Settle::Done).await.unwrap();
    }
}

#[tokio::test]
async fn a_bell_that_somebody_took_away_is_hung_up_again_at_the_next_tick() {
    let bench = Bench::new();
    let (file, first) = bench.broker(10).await;
    let second = bench.open().broker();
    let queues = [bench.queue.clone()];
    let mut asleep = second.receive(&queues, Ask::new(1).wait(PATIENCE).lease(PATIENCE));
    assert!(poll_once(&mut asleep).await.is_none());
    let folder = bench.folder.path().join("handover.db-bell");
    let hung_up = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    until("it can be rung", || hung_up() == 1).await;
    std::fs::remove_dir_all(&folder).unwrap();
    until("it can be rung again", || hung_up() == 1).await;
    assert_eq!(file.stats().rings, 0);
    bench.send(&first, "hello").await;
    assert_eq!(asleep.await.unwrap().len(), 1);
    assert_eq!(file.stats().rings, 1);
}

#[tokio::test]
async fn a_receipt_with_another_jobs_place_or_id_ends_nothing_in_a_batch_as_alone() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(10).await;
    let batch = ["a", "b", "c"].map(Message::new);
    broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
    let ask = Ask::new(3).lease(Duration::from_secs(600));
    let taken = broker.receive(std::slice::from_ref(&bench.queue), ask).await.unwrap();
    let own: Vec<Receipt> = taken.into_iter().map(|one| one.receipt).collect();
    let forged = |change: fn(usize, &mut Receipt, &[Receipt])| {
        let mut receipts = own.clone();
        for (index, receipt) in receipts.iter_mut().enumerate() {
            change(index, receipt, &own);
        }
        receipts
    };
    let forgeries = [
        forged(|index, receipt, own| receipt.id = own[(index + 1) % 3].id),
        forged(|index, receipt, own| receipt.handle.clone_from(&own[(index + 1) % 3].handle)),
        forged(|index, receipt, _| {
            receipt.handle = (i64::MAX - i64::try_from(index).unwrap()).to_string()
        }),
        forged(|index, receipt, _| {
            receipt.handle = (i64::MIN + i64::try_from(index).unwrap()).to_string()
        }),
        forged(|index, receipt, _| receipt.token = u64::MAX - index as u64),
    ];
    for receipts in forgeries {
        let batch: Vec<_> = receipts.into_iter().map(|one| (one, Settle::Done)).collect();
        for answer in broker.settle(&batch).await.unwrap() {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::LeaseLost);
        }
    }
    assert_eq!(bench.info(&broker).await.leased, 3);
    let batch: Vec<_> = own.into_iter().map(|one| (one, Settle::Done)).collect();
    assert!(broker.settle(&batch).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(bench.info(&broker).await.depth(), 0);
}
