//! Where there are no Unix sockets: no bell. The writer asks the file instead, every 50 ms while somebody waits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::writer::op::Inbox;

/// Nobody can be rung.
pub(crate) struct Ringer;

impl Ringer {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn ring(&self, _folder: &Path, _own: Option<&str>) -> u64 {
        0
    }
}

/// There is no such thing here.
pub(crate) enum Own {}

impl Own {
    pub(crate) fn bind(_folder: &Path, _database: &Path, _inbox: Arc<Inbox>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn name(&self) -> &str {
        match *self {}
    }

    pub(crate) fn hangs(&self, _folder: &Path) -> bool {
        match *self {}
    }

    pub(crate) fn close(self, _folder: &Path) {
        match self {}
    }
}

/// A bell that nobody answers.
pub(crate) struct Stale(pub(crate) PathBuf);

pub(crate) fn stale(_folder: &Path) -> Vec<Stale> {
    Vec::new()
}
