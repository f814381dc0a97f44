//! The contract's suite against this broker and its result store.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use handover::{BoxFuture, Broker, Error, ErrorKind, Result, ResultStore};
use handover_conformance::{Harness, Place};
use handover_sqlite::SqliteOptions;

struct Sqlite;

/// A folder that goes with the case.
fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir()
        .map_err(|error| Error::new(ErrorKind::Unavailable, "no temporary folder").source(error))
}

fn address(folder: &Path) -> String {
    folder.join("handover.db").display().to_string()
}

impl Harness for Sqlite {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
        Box::pin(async {
            let folder = folder()?;
            let address = address(folder.path());
            let broker = SqliteOptions::default().open(&address)?.broker();
            Ok(Place::<dyn Broker>::shared(Arc::new(broker), address).keep(folder))
        })
    }

    fn open<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Arc<dyn Broker>>> {
        Box::pin(async move {
            let broker = SqliteOptions::default().open(address)?.broker();
            Ok(Arc::new(broker) as Arc<dyn Broker>)
        })
    }

    fn results(&self) -> Option<BoxFuture<'_, Result<Place<dyn ResultStore>>>> {
        Some(Box::pin(async {
            let folder = folder()?;
            let address = address(folder.path());
            let results = SqliteOptions::default().open(&address)?.results();
            Ok(Place::<dyn ResultStore>::shared(Arc::new(results), address).keep(folder))
        }))
    }

    fn open_results<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Arc<dyn ResultStore>>> {
        Box::pin(async move {
            let results = SqliteOptions::default().open(address)?.results();
            Ok(Arc::new(results) as Arc<dyn ResultStore>)
        })
    }
}

fn main() -> ExitCode {
    handover_conformance::main(Sqlite)
}
