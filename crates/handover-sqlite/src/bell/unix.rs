//! The bell on Unix: a datagram socket for each process that waits, in a folder beside the file.
//!
//! Whoever may write the file may ring and be rung: the folder and the sockets get the file's permissions and group, as SQLite
//! gives them to its log.
//!
//! A socket's path may have about a hundred bytes. A longer one is reached on Linux through the open folder
//! (`/proc/self/fd/N/name`); elsewhere there is no bell for it.

use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?;
    Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
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
pub(crate) struct Ringer {
    socket: Option<UnixDatagram>,
    /// That somebody cannot be rung was said once.
    warned: Cell<bool>,
}

impl Ringer {
    pub(crate) fn new() -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        Self { socket: socket.ok(), warned: Cell::new(false) }
    }

    /// Without the right to ring, others wake with their next tick only. That is for a person to mend.
    fn warn(&self, folder: &Path, error: &io::Error) {
        if error.kind() == io::ErrorKind::PermissionDenied && !self.warned.replace(true) {
            tracing::warn!(
                folder = %folder.display(), %error,
                "a process of another user cannot be rung and wakes late; give both users the right to write the folder"
            );
        }
    }

    /// Rings every bell but our own, and takes away those whose process is gone.
    pub(crate) fn ring(&self, folder: &Path, own: Option<&str>) -> u64 {
        let Some(socket) = &self.socket else { return 0 };
        let mut others = names(folder).unwrap_or_else(|error| {
            self.warn(folder, &error); // the usual error is that nobody has a bell
            Vec::new()
        });
        others.retain(|name| Some(name.as_str()) != own);
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
                Err(error) => self.warn(folder, &error),
            }
        }
        rung
    }
}

/// This process's bell: a socket, and a thread that sleeps on it.
pub(crate) struct Own {
    name: String,
    socket: UnixDatagram,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Own {
    pub(crate) fn bind(folder: &Path, database: &Path, inbox: Arc<Inbox>) -> io::Result<Self> {
        let name = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
        let socket = bind(folder, &name, database)?;
        let ears = socket.try_clone()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("handover-bell".into()).spawn(move || {
            loop {
                match ears.recv(&mut [0]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) if !stopped.load(Ordering::Acquire) => inbox.ring(),
                    _ => break,
                }
            }
        })?;
        Ok(Self { name, socket, stop, thread })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the socket is still where others find it, and somebody listens.
    pub(crate) fn hangs(&self, folder: &Path) -> bool {
        !self.thread.is_finished() && fs::symlink_metadata(folder.join(&self.name)).is_ok()
    }

    /// Ends the thread and removes the socket; the last one to go removes the folder.
    pub(crate) fn close(self, folder: &Path) {
        self.stop.store(true, Ordering::Release);
        // Not every Unix can shut down a socket that is not connected, and not every socket is still to be found.
        let woken = self.socket.shutdown(Shutdown::Both).or_else(|_| {
            let way = Way::to(folder)?;
            UnixDatagram::unbound()?.send_to(&[0], way.socket(&self.name)).map(drop)
        });
        if woken.is_ok() {
            _ = self.thread.join(); // it does not panic, and there is nothing to do if it did
        }
        _ = fs::remove_file(folder.join(&self.name)); // somebody may have cleaned up already
        _ = fs::remove_dir(folder); // fails while another process has its bell there, as it should
    }
}

fn bind(folder: &Path, name: &str, database: &Path) -> io::Result<UnixDatagram> {
    let mut tries = 1;
    loop {
        let bound = hang_up(folder, name, database);
        match bound {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < BIND_TRIES => {
                tries += 1
            }
            other => return other,
        }
    }
}

fn hang_up(folder: &Path, name: &str, database: &Path) -> io::Result<UnixDatagram> {
    const FOLDER: u32 = 0o111;
    match fs::create_dir(folder) {
        Ok(()) => share(folder, database, FOLDER),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let socket = UnixDatagram::bind(Way::to(folder)?.socket(name))?;
    share(&folder.join(name), database, 0);
    Ok(socket)
}

/// Gives a path the group and the permissions of the database, and where somebody may read it, these bits of `search`. What
/// cannot be given is done without: the one whom it keeps out says so.
fn share(path: &Path, database: &Path, search: u32) {
    let Ok(database) = fs::metadata(database) else { return };
    _ = std::os::unix::fs::chown(path, None, Some(database.gid()));
    let mode = database.mode() & 0o666;
    let search = (mode >> 2) & search;
    _ = fs::set_permissions(path, Permissions::from_mode(mode | search));
}

/// A bell that nobody answers.
pub(crate) struct Stale(pub(crate) PathBuf);

/// Rings every bell once to find those that nobody answers. A ring too many harms nobody.
pub(crate) fn stale(folder: &Path) -> Vec<Stale> {
    let Some(socket) = Ringer::new().socket else { return Vec::new() };
    let Ok(way) = Way::to(folder) else { return Vec::new() };
    names(folder)
        .unwrap_or_default()
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
        let own = Own::bind(folder, folder, Arc::clone(&inbox)).unwrap();
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
        assert_eq!(names(temp.path()).unwrap(), [""; 0]);
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

    #[test]
    fn whoever_may_write_the_database_may_ring_and_be_rung() {
        let temp = tempfile::tempdir().unwrap();
        let (database, folder) = (temp.path().join("a.db"), temp.path().join("a.db-bell"));
        for (file, bells) in [(0o600, 0o700), (0o640, 0o750), (0o666, 0o777)] {
            fs::write(&database, "").unwrap();
            fs::set_permissions(&database, Permissions::from_mode(file)).unwrap();
            let own = Own::bind(&folder, &database, inbox().0).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
            assert_eq!((mode(&folder.join(own.name())), mode(&folder)), (file, bells));
            own.close(&folder);
        }
    }

    #[test]
    fn a_bell_whose_folder_was_deleted_is_known_to_be_lost_and_can_be_closed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a.db-bell");
        let own = Own::bind(&folder, &folder, inbox().0).unwrap();
        assert!(own.hangs(&folder));
        fs::remove_dir_all(&folder).unwrap();
        assert!(!own.hangs(&folder));
        own.close(&folder);
    }
}
