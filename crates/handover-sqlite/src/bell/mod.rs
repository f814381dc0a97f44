//! The bell: how a process that sleeps learns that another one changed the file.
//!
//! A ring says nothing but "look again". On Unix each process that waits binds a socket in a folder beside the file, and
//! whoever commits sends a byte to each (`unix.rs`). Elsewhere, and where no socket can be bound, the writer asks SQLite every
//! 50 ms whether another connection has committed, and only while somebody waits (`other.rs`). Why nothing is missed stands in
//! `writer/waiters.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::writer::op::Inbox;

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use other as platform;
#[cfg(unix)]
use unix as platform;

pub(crate) use platform::Stale;

/// How often the file is asked where nobody can ring.
const POLL: Duration = Duration::from_millis(50);

/// This process's bell, and the way to everybody else's.
pub(crate) struct Bell {
    database: PathBuf,
    folder: PathBuf,
    own: Option<platform::Own>,
    /// Somebody waits and cannot be rung.
    deaf: bool,
    ringer: platform::Ringer,
}

impl Bell {
    /// For this database file, by its full path. Nothing is bound yet.
    pub(crate) fn new(database: &Path) -> Self {
        let (database, folder) = (database.to_owned(), folder(database));
        Self { ringer: platform::Ringer::new(), database, folder, own: None, deaf: false }
    }

    /// From now on, others can ring this process.
    pub(crate) fn listen(&mut self, inbox: &Arc<Inbox>) {
        match platform::Own::bind(&self.folder, &self.database, Arc::clone(inbox)) {
            Ok(own) => {
                self.own = Some(own);
                self.deaf = false;
            }
            Err(error) => {
                tracing::warn!(
                    folder = %self.folder.display(), %error,
                    "no bell can be had here: the file is asked every {POLL:?} while somebody waits"
                );
                self.deaf = true;
            }
        }
    }

    /// Hangs the bell up again where somebody took it away. To be asked before a look: what came before is found by that.
    pub(crate) fn renew(&mut self, inbox: &Arc<Inbox>) {
        if let Some(lost) = self.own.take_if(|own| !own.hangs(&self.folder)) {
            lost.close(&self.folder);
            self.listen(inbox);
        }
    }

    /// How often to ask the file, where nobody can ring.
    pub(crate) fn poll_every(&self) -> Option<Duration> {
        self.deaf.then_some(POLL)
    }

    /// Rings everybody else. Answers how many there are.
    pub(crate) fn ring(&self) -> u64 {
        let own = self.own.as_ref().map(platform::Own::name);
        self.ringer.ring(&self.folder, own)
    }

    /// Takes the bell away.
    pub(crate) fn close(&mut self) {
        if let Some(own) = self.own.take() {
            own.close(&self.folder);
        }
    }
}

/// Where the bells of a database file are.
pub(crate) fn folder(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-bell");
    PathBuf::from(name)
}

/// The bells that nobody answers any more.
pub(crate) fn stale(database: &Path) -> Vec<Stale> {
    platform::stale(&folder(database))
}
