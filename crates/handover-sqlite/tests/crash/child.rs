//! The child's side: this very test program, asked by environment variables to play a part.

use std::path::PathBuf;
use std::sync::Arc;

use handover::Broker;
use handover_sqlite::{SqliteFile, SqliteOptions};

use crate::mortal::Mortal;
use crate::support::record;
use crate::{parts, poison, soak, stop};

pub(crate) const PART: &str = "HANDOVER_TEST_PART";
pub(crate) const FILE: &str = "HANDOVER_TEST_FILE";
pub(crate) const HISTORY: &str = "HANDOVER_TEST_HISTORY";
pub(crate) const SEED: &str = "HANDOVER_TEST_SEED";
pub(crate) const FATE: &str = "HANDOVER_TEST_FATE";

/// What a child is given.
pub(crate) struct Role {
    pub(crate) file: SqliteFile,
    /// Recorded, and mortal.
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) dice: fastrand::Rng,
}

#[tokio::test]
async fn plays_a_part_when_asked() {
    let Ok(part) = std::env::var(PART) else { return };
    let given = |name: &str| std::env::var(name).unwrap();
    let file = SqliteOptions::default().open(PathBuf::from(given(FILE))).unwrap();
    let mortal = Mortal::new(Arc::new(file.broker()), given(FATE).parse().unwrap());
    let broker = Arc::new(record(Arc::new(mortal), &PathBuf::from(given(HISTORY))));
    let seed = given(SEED).parse().unwrap();
    let role = Role { file, broker, dice: fastrand::Rng::with_seed(seed) };
    match part.as_str() {
        "worker" => parts::work(role).await,
        "producer" => parts::produce(role).await,
        "hand" => stop::hand(role).await,
        "beating worker" => stop::beating_worker(role).await,
        "poisoned worker" => poison::work(role).await,
        "soak" => soak::run(role).await,
        other => panic!("no part is called {other}"),
    }
}
