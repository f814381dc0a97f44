//! Lesson 10: the crash. What is left after a power cut, who may be told "stored", and when.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Disk, Mutex, Shared};
use handover_lab::{chance, thread};
use std::sync::Arc;

const FILE: &str = include_str!("10_crash.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 10,
    name: "crash",
    line: "stored is what was synced; first the disk, then the answer",
    question: "\
Somebody sends a job, and the broker answers that it is stored. Then the power fails. Is the job still there?

A file is written into a cache of the system. That survives the death of the program, and not that of the machine: the system \
brings its cache to the disk block by block, when and in which order it likes. A sync (fsync; in Rust File::sync_all) waits \
until what was written to this file before it is on the disk, if the disk tells the truth. Of a new file the name is in its \
folder, which must be synced too. In these programs main cuts the power. Of each block there survives then what was synced, or \
anything that was written to it since; and whoever still runs writes and syncs no more.",
    hint: None,
    challenge: "Cut the power when the job was answered, and let the disk lose it.",
    programs: &[
        Program::wrong(
            "not_synced",
            not_synced,
            FILE,
            "The broker answers when it has written. Main looks whether the sender was answered, and only then cuts the power: \
             accepted and lost.",
        ),
        Program::right(
            "synced",
            synced,
            FILE,
            "The broker syncs, and answers if that worked. Cut earlier, the power leaves a sender without an answer, who will \
             send again; the job may then be there already, and is known by its id.",
        ),
        Program::wrong(
            "head_last",
            head_last,
            FILE,
            "A record has two blocks, a head and a body, and a sync takes its time: cut meanwhile, the power tears the record. So \
             the head is written last, and whoever finds it takes the record for whole. But the order of writes is not the order \
             of the disk.",
        ),
        Program::right(
            "head_after_sync",
            head_after_sync,
            FILE,
            "A sync between the two: where there is a head, the body was on the disk before it. One block decides then, so it \
             must be written whole or not at all. That is an assumption: most disks keep it for a sector, no standard promises \
             it. A checksum over the record, in its head, does the same with one sync, and needs the assumption less.",
        ),
        Program::wrong(
            "late_comers",
            late_comers,
            FILE,
            "A sync costs hardly more for many writes than for one, so main syncs for all who have written, and then answers \
             them. That is a group commit. But it answers those who are in the group after the sync, and some came too late \
             for it. In the shortest schedule nobody has written yet when main syncs.",
        ),
        Program::right(
            "those_before",
            those_before,
            FILE,
            "The group is taken before the sync begins. Whoever comes during the sync is in the next group.",
        ),
        Program::wrong(
            "tried_again",
            tried_again,
            FILE,
            "A sync can fail. Linux, for one, then calls clean what it could not write (PostgreSQL met it in 2018; look for \
             fsyncgate). The cache still shows it, and the next sync has nothing to do and says that all is well. Look at \
             changed when the second sync reads it. Here chance decides whether a sync fails; no other thread is needed.",
        ),
        Program::right(
            "written_again",
            written_again,
            FILE,
            "After a failed sync the cache is not trusted: what was to be stored is written once more, and then synced. It is \
             written from the program's own copy: the cache may forget a clean page. If that fails too, nobody is told that it is \
             stored.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-sqlite/src/writer/transaction.rs",
            symbol: "self.post.log.sync()",
            says: "The writer does a group of operations in one transaction, keeps their answers, syncs, and delivers the \
                   answers. What comes meanwhile is the next group.",
        },
        Place {
            file: "crates/handover-sqlite/src/writer/log.rs",
            symbol: "pub(crate) fn write_over",
            says: "After a failed sync of SQLite's write-ahead log nothing is confirmed until all that is in the log has been \
                   read, written over itself, and synced. No process has a copy of all of it, for several write it: so what is \
                   written over it is what the system still shows, and only if its checksums are right.",
        },
        Place {
            file: "crates/handover/src/results/file/store.rs",
            symbol: "self.cut_tail(id, path)",
            says: "A torn last line of a file of results is found when it is opened, and cut off: whoever wrote it was never answered.",
        },
    ],
};

// begin: not_synced
/// Wrong: the system has it, and the disk does not.
fn not_synced() {
    let job = 7;
    let disk = Arc::new(Disk::new("disk", 1, 0));
    let answered = Arc::new(Atomic::new("answered", false));
    let (d, a) = (Arc::clone(&disk), Arc::clone(&answered));
    let broker = thread::spawn("broker", move || {
        if d.write(0, job) {
            a.store(true);
        }
    });
    let told = answered.load();
    disk.cut();
    let found = disk.read(0);
    assert!(!told || found == job, "accepted and lost");
    broker.join();
}
// end: not_synced

// begin: synced
/// Right: the disk has it before anybody is told so.
fn synced() {
    let job = 7;
    let disk = Arc::new(Disk::new("disk", 1, 0));
    let answered = Arc::new(Atomic::new("answered", false));
    let (d, a) = (Arc::clone(&disk), Arc::clone(&answered));
    let broker = thread::spawn("broker", move || {
        if d.write(0, job) && d.sync() {
            a.store(true);
        }
    });
    let told = answered.load();
    disk.cut();
    let found = disk.read(0);
    assert!(!told || found == job, "accepted and lost");
    broker.join();
}
// end: synced

// begin: head_last
/// Wrong: what is written last may be on the disk first.
fn head_last() {
    let (head, body) = (0, 1); // blocks
    let disk = Arc::new(Disk::new("disk", 2, 0));
    let d = Arc::clone(&disk);
    let writer = thread::spawn("writer", move || {
        d.write(body, 7);
        d.write(head, 1);
        d.sync()
    });
    disk.cut();
    let whole = disk.read(head) == 1;
    assert!(!whole || disk.read(body) == 7, "half a record");
    writer.join();
}
// end: head_last

// begin: head_after_sync
/// Right: the head is written when the disk has the body.
fn head_after_sync() {
    let (head, body) = (0, 1); // blocks
    let disk = Arc::new(Disk::new("disk", 2, 0));
    let d = Arc::clone(&disk);
    let writer = thread::spawn("writer", move || {
        d.write(body, 7);
        d.sync();
        d.write(head, 1);
        d.sync()
    });
    disk.cut();
    let whole = disk.read(head) == 1;
    assert!(!whole || disk.read(body) == 7, "half a record");
    writer.join();
}
// end: head_after_sync

// begin: late_comers
/// Wrong: answers who is there after the sync.
fn late_comers() {
    let disk = Arc::new(Disk::new("disk", 2, 0));
    let group = Arc::new(Mutex::new("group", Vec::new()));
    let senders = [("ann", 0), ("bob", 1)].map(|(name, block)| {
        let (disk, group) = (Arc::clone(&disk), Arc::clone(&group));
        thread::spawn(name, move || {
            disk.write(block, 7);
            group.lock().push(block);
        })
    });
    disk.sync();
    let answered = std::mem::take(&mut *group.lock());
    disk.cut();
    for block in answered {
        assert_eq!(disk.read(block), 7, "accepted and lost");
    }
    for sender in senders {
        sender.join();
    }
}
// end: late_comers

// begin: those_before
/// Right: answers who was there before the sync.
fn those_before() {
    let disk = Arc::new(Disk::new("disk", 2, 0));
    let group = Arc::new(Mutex::new("group", Vec::new()));
    let senders = [("ann", 0), ("bob", 1)].map(|(name, block)| {
        let (disk, group) = (Arc::clone(&disk), Arc::clone(&group));
        thread::spawn(name, move || {
            disk.write(block, 7);
            group.lock().push(block);
        })
    });
    let answered = std::mem::take(&mut *group.lock());
    disk.sync();
    disk.cut();
    for block in answered {
        assert_eq!(disk.read(block), 7, "accepted and lost");
    }
    for sender in senders {
        sender.join();
    }
}
// end: those_before

// begin: tried_again
/// A block: what the system shows of it, and what the disk has.
#[derive(Debug)]
struct Block {
    cache: Shared<u32>,
    disk: Shared<u32>,
    changed: Shared<bool>,
}

impl Block {
    fn new() -> Self {
        let (cache, disk) = (Shared::new("cache", 0), Shared::new("disk", 0));
        Self { cache, disk, changed: Shared::new("changed", false) }
    }
    fn write(&self, content: u32) {
        self.cache.write(content);
        self.changed.write(true);
    }
    /// Whether it worked. Either way the system calls it unchanged.
    fn sync(&self) -> bool {
        if !self.changed.read() {
            return true; // nothing to do
        }
        self.changed.write(false);
        let works = chance::pick("sync fails", 2) == 0;
        if works {
            self.disk.write(self.cache.read());
        }
        works
    }
}

/// Wrong: takes the second sync at its word.
fn tried_again() {
    let block = Block::new();
    block.write(7);
    let stored = block.sync() || block.sync();
    assert!(!stored || block.disk.read() == 7, "accepted and lost");
}
// end: tried_again

// begin: written_again
/// Right: writes again what the failed sync may have dropped.
fn written_again() {
    let block = Block::new();
    block.write(7);
    let mut stored = block.sync();
    if !stored {
        block.write(7);
        stored = block.sync();
    }
    assert!(!stored || block.disk.read() == 7, "accepted and lost");
}
// end: written_again
