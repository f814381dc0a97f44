//! The memory broker and the memory result store, held to the contract. What is asked of them lives in `handover-conformance`.

use std::process::ExitCode;
use std::sync::Arc;

use handover::{BoxFuture, Broker, MemoryBroker, MemoryResults, Result, ResultStore};
use handover_conformance::{Harness, Place};

struct Memory;

impl Harness for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
        Box::pin(async { Ok(Place::<dyn Broker>::alone(Arc::new(MemoryBroker::new()))) })
    }

    fn results(&self) -> Option<BoxFuture<'_, Result<Place<dyn ResultStore>>>> {
        Some(Box::pin(async {
            Ok(Place::<dyn ResultStore>::alone(Arc::new(MemoryResults::new())))
        }))
    }
}

fn main() -> ExitCode {
    handover_conformance::main(Memory)
}
