//! The contract's suite against this broker and its result store.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::{BoxFuture, Broker, Error, ErrorKind, Result, ResultStore};
use handover_conformance::{Harness, Outage, Place};
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

/// A file that stays locked is away soon enough for the suite.
fn options() -> SqliteOptions {
    SqliteOptions::default().busy_wait_max(Duration::from_millis(1500))
}

/// An outage of a file: somebody else holds its write lock.
struct Locked {
    address: String,
    lock: Mutex<Option<rusqlite::Connection>>,
}

impl Locked {
    fn set(&self, lock: Option<rusqlite::Connection>) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock;
    }

    fn take(&self) -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(&self.address)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    }
}

impl Outage for Locked {
    fn begin(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            let taken = self.take();
            self.set(Some(
                taken
                    .map_err(|error| Error::new(ErrorKind::Unavailable, "no lock").source(error))?,
            ));
            Ok(())
        })
    }

    fn end(&self) -> BoxFuture<'_, Result<()>> {
        self.set(None);
        Box::pin(async { Ok(()) })
    }
}

impl Harness for Sqlite {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
        Box::pin(async {
            let folder = folder()?;
            let address = address(folder.path());
            let broker = options().open(&address)?.broker();
            let locked = Locked { address: address.clone(), lock: Mutex::default() };
            Ok(Place::<dyn Broker>::shared(Arc::new(broker), address)
                .with_outage(locked)
                .keep(folder))
        })
    }

    fn open<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Arc<dyn Broker>>> {
        Box::pin(async move {
            let broker = options().open(address)?.broker();
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
