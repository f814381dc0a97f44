//! What the processes do that are killed: a worker and a producer who try everything the contract allows, as the dice say.

use std::time::Duration;

use handover::{Ask, BrokerExt, Delivery, ErrorKind, Message, Priority, Result, Room, Settle};

use crate::actor::say;
use crate::child::Role;
use crate::support::queue;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Gives the answer, or nothing where the contract allows this error at any time. Any other is told to the parent.
fn allowed<T>(answer: Result<T>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(error) => {
            let fine = [ErrorKind::Full, ErrorKind::LeaseLost, ErrorKind::Unavailable];
            if !fine.contains(&error.kind()) {
                say("failed", format!("{error:?}"));
                std::process::exit(1);
            }
            None
        }
    }
}

/// Sends batches, some of them again, and never ends.
pub(crate) async fn produce(mut role: Role) {
    let queue = queue();
    let mut last: Vec<Message> = Vec::new();
    loop {
        let dice = &mut role.dice;
        if last.is_empty() || dice.u8(0..8) > 0 {
            last = (0..dice.usize(1..5)).map(|_| message(dice)).collect();
        }
        let room = Room::within(ms(dice.u64(0..200)));
        allowed(role.broker.send(&queue, &last, room).await);
        say("did", "send");
    }
}

fn message(dice: &mut fastrand::Rng) -> Message {
    let mut message = Message::new(vec![b'x'; dice.usize(0..300)]);
    if dice.bool() {
        message = message.with_key(["a", "b", "c", "d", "e"][dice.usize(0..5)]);
    }
    if dice.u8(0..4) == 0 {
        message = message.with_priority(Priority::new(dice.u8(0..10)).unwrap());
    }
    if dice.u8(0..8) == 0 {
        message = message.with_delay(ms(dice.u64(1..30)));
    }
    message
}

/// Takes, extends, settles in every way, forgets some and remembers them too late, and never ends.
pub(crate) async fn work(mut role: Role) {
    let queue = queue();
    let (mut held, mut forgotten): (Vec<Delivery>, Vec<Delivery>) = (Vec::new(), Vec::new());
    loop {
        let dice = &mut role.dice;
        let ask = Ask::new(dice.usize(1..6)).wait(ms(dice.u64(0..30)));
        let ask = ask.lease(ms(dice.u64(60..400)));
        held.extend(
            allowed(role.broker.receive(std::slice::from_ref(&queue), ask).await)
                .unwrap_or_default(),
        );
        say("did", "receive");
        if !held.is_empty() && dice.u8(0..4) == 0 {
            let receipts: Vec<_> = held.iter().map(|one| one.receipt.clone()).collect();
            allowed(role.broker.extend(&receipts, ms(dice.u64(60..400))).await);
            say("did", "extend");
        }
        if let Some(parent) = held.first().filter(|_| dice.u8(0..8) == 0) {
            let child = Message::new("child").with_id(parent.message.id.derive("child"));
            let room = Room::now().child_of(parent.receipt.clone());
            allowed(role.broker.send_one(&queue, child, room).await);
            say("did", "send");
        }
        let mut batch = Vec::new();
        for one in held.drain(..) {
            match dice.u8(0..12) {
                0..=1 => forgotten.push(one),
                _ => batch.push((one.receipt, how(dice))),
            }
        }
        if !forgotten.is_empty() && dice.u8(0..4) == 0 {
            let late = forgotten.remove(0);
            batch.push((late.receipt, how(dice)));
        }
        if !batch.is_empty() {
            for answer in allowed(role.broker.settle(&batch).await).unwrap_or_default() {
                allowed(answer);
            }
            say("did", "settle");
        }
    }
}

fn how(dice: &mut fastrand::Rng) -> Settle {
    let after = if dice.bool() { Duration::ZERO } else { ms(dice.u64(1..30)) };
    match dice.u8(0..20) {
        0..=1 => Settle::Retry { after, reason: "as the dice say".to_owned() },
        2..=3 => Settle::Release { after },
        4 => Settle::Bury { reason: "as the dice say".to_owned() },
        _ => Settle::Done,
    }
}
