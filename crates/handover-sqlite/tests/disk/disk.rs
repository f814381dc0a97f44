//! What a disk may hold after the machine died, computed from what was done to its files.
//!
//! A write, a change of length and an entry in the folder are on the disk for sure only after the sync of the file, or of
//! the folder. Before that each of them may be there, be missing, or be there in part. Entries of the folder keep their order
//! (file systems write them to a journal); writes do not. What a sync could not bring to the disk is dropped: the system
//! takes those pages for clean and never writes them again, as Linux does.

use std::collections::BTreeMap;
use std::path::Path;

use crate::strace::Act;

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Entry {
    Create(String, usize),
    Unlink(String),
}

/// Files and folder: what is on the disk, and what is on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// The folder as the disk has it, and as programs see it.
    durable: BTreeMap<String, usize>,
    seen: BTreeMap<String, usize>,
    pending: Vec<Entry>,
}

/// Which of the changes that were on their way arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    Nothing,
    Everything,
    /// But the file's last change.
    AllButLast,
    /// The file's last write only up to a sector's end.
    TornAtSector,
    TornInTheMiddle,
    OnlyEntries,
    OnlyData,
    /// Any of them, each sector of a write by itself, as the seed says.
    Some(u64),
}

impl Arrived {
    pub(crate) const FIXED: [Self; 7] = [
        Self::Nothing,
        Self::Everything,
        Self::AllButLast,
        Self::TornAtSector,
        Self::TornInTheMiddle,
        Self::OnlyEntries,
        Self::OnlyData,
    ];
}

const SECTOR: usize = 512;

/// The files of a folder.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

impl Disk {
    /// Does what the run did. True where that changed what a crash may leave.
    pub(crate) fn act(&mut self, act: &Act) -> bool {
        match act {
            Act::Create(name) if self.seen.contains_key(name) => return false,
            Act::Create(name) => {
                self.files.push(File::default());
                self.seen.insert(name.clone(), self.files.len() - 1);
                self.pending.push(Entry::Create(name.clone(), self.files.len() - 1));
            }
            Act::Unlink(name) => {
                self.seen.remove(name);
                self.pending.push(Entry::Unlink(name.clone()));
            }
            Act::Write(name, at, bytes) => {
                self.file(name).pending.push(Change::Write(*at, bytes.clone()));
            }
            Act::Truncate(name, length) => self.file(name).pending.push(Change::Truncate(*length)),
            Act::Sync(name) => {
                let file = self.file(name);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.durable, |_| true);
                }
            }
            Act::FailedSync(name) => self.file(name).pending.clear(),
            Act::SyncFolder => {
                self.durable = self.seen.clone();
                self.pending.clear();
            }
            Act::Say(_) => return false,
        }
        true
    }

    fn file(&mut self, name: &str) -> &mut File {
        &mut self.files[self.seen[name]]
    }

    /// What is on the disk if the machine dies now.
    pub(crate) fn crash(&self, arrived: Arrived) -> Image {
        let mut random = match arrived {
            Arrived::Some(seed) => Some(fastrand::Rng::with_seed(seed)),
            _ => None,
        };
        let entries = match (arrived, &mut random) {
            (_, Some(random)) => random.usize(0..=self.pending.len()),
            (Arrived::Nothing | Arrived::OnlyData, _) => 0,
            _ => self.pending.len(),
        };
        let mut folder = self.durable.clone();
        for entry in &self.pending[..entries] {
            match entry {
                Entry::Create(name, file) => _ = folder.insert(name.clone(), *file),
                Entry::Unlink(name) => _ = folder.remove(name),
            }
        }
        let mut image = Image::new();
        for (name, file) in folder {
            image.insert(name, self.files[file].crash(arrived, &mut random));
        }
        image
    }
}

impl File {
    fn crash(&self, arrived: Arrived, random: &mut Option<fastrand::Rng>) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (index, change) in self.pending.iter().enumerate() {
            let last = index + 1 == self.pending.len();
            let sectors = change.sectors();
            // A third of them whole, a third not at all, the rest piece by piece.
            let whole = random.as_mut().map(|random| random.u8(0..3));
            change.apply(&mut bytes, |sector| match (arrived, random.as_mut()) {
                (_, Some(random)) => whole == Some(0) || (whole == Some(1) && random.bool()),
                (Arrived::Nothing | Arrived::OnlyEntries, _) => false,
                (Arrived::AllButLast, _) => !last,
                (Arrived::TornAtSector, _) => !last || sector == 0,
                (Arrived::TornInTheMiddle, _) => !last || sector < sectors / 2,
                _ => true,
            });
        }
        bytes
    }
}

impl Change {
    /// In how many pieces it reaches the disk.
    fn sectors(&self) -> usize {
        match self {
            Self::Truncate(_) => 1,
            Self::Write(at, bytes) => (at % SECTOR + bytes.len()).div_ceil(SECTOR),
        }
    }

    /// Brings the pieces to the disk that `arrives` names by their number.
    fn apply(&self, file: &mut Vec<u8>, mut arrives: impl FnMut(usize) -> bool) {
        match self {
            Self::Truncate(length) if arrives(0) => file.resize(*length, 0),
            Self::Truncate(_) => {}
            Self::Write(at, bytes) => {
                let first = at / SECTOR;
                for sector in (0..self.sectors()).filter(|sector| arrives(*sector)) {
                    let from = std::cmp::max(*at, (first + sector) * SECTOR);
                    let to = std::cmp::min(at + bytes.len(), (first + sector + 1) * SECTOR);
                    if file.len() < to {
                        file.resize(to, 0);
                    }
                    file[from..to].copy_from_slice(&bytes[from - at..to - at]);
                }
            }
        }
    }
}

/// Puts the files of an image into a folder.
pub(crate) fn write_out(image: &Image, folder: &Path) {
    for (name, bytes) in image {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_crash_takes_what_was_not_synced_in_whole_or_in_part_and_nothing_else() {
    let wal = || "handover.db-wal".to_owned();
    let mut disk = Disk::default();
    disk.act(&Act::Create(wal()));
    disk.act(&Act::Write(wal(), 0, vec![1; 600]));
    disk.act(&Act::Sync(wal()));
    assert!(disk.crash(Arrived::OnlyData).is_empty(), "its entry is not in the folder yet");
    disk.act(&Act::SyncFolder);
    disk.act(&Act::Write(wal(), 600, vec![2; 1000]));
    let content = |disk: &Disk, arrived| disk.crash(arrived)[&wal()].clone();
    assert_eq!(content(&disk, Arrived::Nothing), [1; 600]);
    assert_eq!(content(&disk, Arrived::AllButLast), [1; 600]);
    assert_eq!(content(&disk, Arrived::TornAtSector), [[1; 600].as_slice(), &[2; 424]].concat());
    assert_eq!(content(&disk, Arrived::Everything).len(), 1600);
    for seed in 0..100 {
        let some = content(&disk, Arrived::Some(seed));
        assert_eq!(some[..600], [1; 600]);
        assert!(some[600..].iter().all(|byte| *byte == 0 || *byte == 2));
    }
    disk.act(&Act::FailedSync(wal()));
    disk.act(&Act::Sync(wal()));
    assert_eq!(content(&disk, Arrived::Everything), [1; 600], "a later sync brings nothing back");
}
