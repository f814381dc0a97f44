//! One sender alone, one message at a time, beside a bare commit of one row: what `Synced` costs when nobody shares it. A few of
//! one and a few of the other in turn, since a disk's moods last longer than a sync.

use std::path::Path;

use handover::{BrokerExt as _, Message, Room, clock};
use serde_json::json;

use super::{Found, Pair, Sizes, declare, open, payload, raw};
use crate::Failure;
use crate::report::figure;

const TURN: u64 = 10;

pub(super) fn run(folder: &Path, sizes: Sizes, found: &mut Found) -> Result<(), Failure> {
    let runtime = crate::runtime()?;
    let mut connection = raw::open(&folder.join("raw.db"))?;
    let (file, queue) = open(&folder.join("handover.db"))?;
    runtime.block_on(declare(&file, &queue))?;
    let broker = file.broker();
    let mut pair = Pair::default();
    let (mut seq, sends) = (0, sizes.sends * u64::from(sizes.runs));
    while seq < sends {
        for _ in 0..TURN {
            seq += 1;
            let started = clock::now();
            raw::insert_one(&mut connection, seq)?;
            pair.raw.push(started.elapsed().as_secs_f64() * 1e6);
        }
        runtime.block_on(async {
            for _ in 0..TURN {
                let message = Message::new(payload());
                let started = clock::now();
                broker.send_one(&queue, message, Room::now()).await?;
                pair.ours.push(started.elapsed().as_secs_f64() * 1e6);
            }
            handover::Result::Ok(())
        })?;
    }
    runtime.block_on(file.close())?;
    found.pairs.row(pair.row("one sender alone, one message at a time", "µs"));
    found.put(
        "latency",
        json!({
            "handover_us": figure(pair.ours()),
            "bare_commit_us": figure(pair.raw()),
            "ratio": figure(pair.ratio()),
        }),
    );
    Ok(())
}
