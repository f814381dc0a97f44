//! The bell on Unix: a datagram socket for each process that waits, in a folder beside the file.
//!
//! A socket's path may have about a hundred bytes. A longer one is reached on Linux through the open folder
//! (`/proc/self/fd/N/name`); elsewhere there is no bell for it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::writer::op::Inbox;

/// The longest path that every Unix takes for a socket, in bytes, less a little.
const PATH_BYTES_MAX: usize = 100;
/// Another process may remove the empty folder just after we made it.
const BIND_TRIES: usize = 10;

/// A way into the folder that is short enough for a socket's path.
enum Way<'a> {
    Plain(&'a Path),
    Open(File),
}

impl<'a> Way<'a> {
    fn to(folder: &'a Path) -> io::Result<Self> {
        const NAME_BYTES_MAX: usize = 20;
        if folder.as_os_str().as_bytes().len() + NAME_BYTES_MAX < PATH_BYTES_MAX {
            return Ok(Self::Plain(folder));
        }
        if cfg!(target_os = "linux") {
            return File::open(folder).map(Self::Open);
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is too long for a socket"))
    }

    fn socket(&self, name: &str) -> PathBuf {
        match self {
            Self::Plain(folder) => folder.join(name),
            Self::Open(folder) => format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into(),
        }
    }
}

/// The names of the bells in the folder.
fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}

/// Sends one byte to a bell. An error means that nobody answers it any more.
fn ring_one(socket: &UnixDatagram, bell: &Path) -> io::Result<()> {
    match socket.send_to(&[1], bell) {
        // Its buffer is full: those inside were not read yet, and each of them means the same.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other.map(drop),
    }
}

/// What rings the others.
pub(crate) struct Ringer(Option<UnixDatagram>);

impl Ringer {
    pub(crate) fn new() -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        Self(socket.ok())
    }

    /// Rings every bell but our own, and takes away those whose process is gone.
    pub(crate) fn ring(&self, folder: &Path, own: Option<&str>) -> u64 {
        let Some(socket) = &self.0 else { return 0 };
        let others: Vec<String> =
            names(folder).into_iter().filter(|name| Some(name.as_str()) != own).collect();
        if others.is_empty() {
            return 0;
        }
        let Ok(way) = Way::to(folder) else { return 0 };
        let mut rung = 0;
        for name in others {
            match ring_one(socket, &way.socket(&name)) {
                Ok(()) => rung += 1,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    _ = fs::remove_file(folder.join(name)); // another may have been faster
                }
                Err(_) => {}
            }
        }
        rung
    }
}

/// This process's bell: a socket, and a thread that sleeps on it.
pub(crate) struct Own {
    name: String,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Own {
    pub(crate) fn bind(folder: &Path, inbox: Arc<Inbox>) -> io::Result<Self> {
        let name = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
        let socket = bind(folder, &name)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("handover-bell".into()).spawn(move || {
            while socket.recv(&mut [0]).is_ok() && !stopped.load(Ordering::Acquire) {
                inbox.ring();
            }
        })?;
        Ok(Self { name, stop, thread })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends the thread and removes the socket; the last one to go removes the folder.
    pub(crate) fn close(self, folder: &Path) {
        self.stop.store(true, Ordering::Release);
        let woken = UnixDatagram::unbound().and_then(|socket| {
            let way = Way::to(folder)?;
            socket.send_to(&[0], way.socket(&self.name)).map(drop)
        });
        if woken.is_ok() {
            _ = self.thread.join(); // it does not panic, and there is nothing to do if it did
        }
        _ = fs::remove_file(folder.join(&self.name)); // somebody may have cleaned up already
        _ = fs::remove_dir(folder); // fails while another process has its bell there, as it should
    }
}

fn bind(folder: &Path, name: &str) -> io::Result<UnixDatagram> {
    let mut tries = 1;
    loop {
        let bound = fs::create_dir_all(folder)
            .and_then(|()| UnixDatagram::bind(Way::to(folder)?.socket(name)));
        match bound {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < BIND_TRIES => {
                tries += 1
            }
            other => return other,
        }
    }
}

/// A bell that nobody answers.
pub(crate) struct Stale(pub(crate) PathBuf);

/// Rings every bell once to find those that nobody answers. A ring too many harms nobody.
pub(crate) fn stale(folder: &Path) -> Vec<Stale> {
    let Some(socket) = Ringer::new().0 else { return Vec::new() };
    let Ok(way) = Way::to(folder) else { return Vec::new() };
    names(folder)
        .into_iter()
        .filter(|name| {
            ring_one(&socket, &way.socket(name))
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        })
        .map(|name| Stale(folder.join(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::op::Op;

    fn inbox() -> (Arc<Inbox>, handover_buffer::Receiver<Op>) {
        let (sender, receiver) = handover_buffer::bounded(4);
        (Arc::new(Inbox::new(sender)), receiver)
    }

    fn rings_through(folder: &Path) {
        let (inbox, ops) = inbox();
        let own = Own::bind(folder, Arc::clone(&inbox)).unwrap();
        assert_eq!(Ringer::new().ring(folder, None), 1);
        assert!(matches!(ops.recv().unwrap(), Op::Bell));
        assert_eq!(Ringer::new().ring(folder, Some(own.name())), 0, "nobody rings himself");
        own.close(folder);
        assert!(!folder.exists(), "the last one removes the folder");
    }

    #[test]
    fn a_ring_reaches_another_process_whatever_the_length_of_the_path() {
        let temp = tempfile::tempdir().unwrap();
        rings_through(&temp.path().join("a.db-bell"));
        if cfg!(target_os = "linux") {
            let deep = temp.path().join("d".repeat(200));
            fs::create_dir(&deep).unwrap();
            rings_through(&deep.join("a.db-bell"));
        }
    }

    #[test]
    fn a_bell_that_nobody_answers_is_found_and_removed_by_the_next_ring() {
        let temp = tempfile::tempdir().unwrap();
        drop(UnixDatagram::bind(temp.path().join("1-dead")).unwrap());
        assert_eq!(stale(temp.path()).len(), 1);
        assert_eq!(Ringer::new().ring(temp.path(), None), 0);
        assert_eq!(names(temp.path()), [""; 0]);
    }

    #[test]
    fn a_full_bell_is_no_error_because_a_ring_is_on_its_way() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("1-slow");
        let _slow = UnixDatagram::bind(&path).unwrap();
        let ringer = Ringer::new();
        for _ in 0..10_000 {
            assert_eq!(ringer.ring(temp.path(), None), 1);
        }
    }
}
