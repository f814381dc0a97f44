//! A disk as a program meets it: what is written goes to a cache of the system, and is durable only once it was synced.

use super::{Number, perform};
use crate::chance;
use crate::op::{Kind, Op};
use crate::world::{Answer, State};
use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// In how many ways a power cut may go at most: an exploration takes each.
const CONTENTS_MAX: u32 = 1_000;

/// A disk of a few numbered blocks, with the system's cache in front of it. It is a model: nothing is written anywhere.
///
/// A block is written whole, and what survives a power cut is for each block by itself either what was durable or any content that
/// was written since: the system writes its cache to the disk when and in which order it likes. A record of two blocks can thus be
/// torn: one of them survives, the other does not.
///
/// After the cut the disk keeps what survived. Whoever still runs writes and syncs without effect, and is told so; the program
/// begins again by reading.
///
/// ```
/// use handover_lab::{Bounds, End, explore, sync::Disk, thread};
/// use std::sync::Arc;
///
/// fn program() {
///     let disk = Arc::new(Disk::new("disk", 2, '-'));
///     let other = Arc::clone(&disk);
///     let writer = thread::spawn("writer", move || {
///         // A record of two blocks.
///         other.write(0, 'a');
///         other.write(1, 'b');
///         other.sync() // whether it is durable
///     });
///     let power = Arc::clone(&disk);
///     thread::spawn("power", move || power.cut()).join();
///     let durable = writer.join();
///     let found = (disk.read(0), disk.read(1));
///     assert!(!durable || found == ('a', 'b'), "what was synced is lost");
///     assert!(found == ('a', 'b') || found == ('-', '-'), "the record is torn");
/// }
///
/// let found = explore(program, Bounds::default());
/// let (_, end) = found.shortest.expect("a record can be torn");
/// assert!(matches!(end, End::Panicked { said, .. } if said.contains("torn")));
/// ```
#[derive(Debug)]
pub struct Disk<T> {
    number: Number,
    inside: Mutex<Inside<T>>,
}

struct Inside<T> {
    /// Of each block what is durable, then what was written since.
    blocks: Vec<Vec<T>>,
    cut: bool,
}

impl<T: Debug> Debug for Inside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.blocks.iter().map(|versions| &versions[0])).finish()?;
        let mut word = " cache";
        for (block, versions) in self.blocks.iter().enumerate() {
            let [_, cached @ ..] = &versions[..] else { continue };
            if !cached.is_empty() {
                write!(f, "{word} {block}:")?;
                cached.iter().try_for_each(|value| write!(f, " {value:?}"))?;
                word = ",";
            }
        }
        f.write_str(if self.cut { " cut" } else { "" })
    }
}

impl<T: Clone + Debug> Disk<T> {
    /// A disk with this name in pictures and so many blocks, each with this durable content. Explored, values that their `Debug` writes alike are
    /// taken for the same: derive it.
    #[must_use]
    pub fn new(name: &str, blocks: usize, content: T) -> Self {
        let inside = Inside { blocks: vec![vec![content]; blocks], cut: false };
        let state = State::Disk { versions: vec![1; blocks] };
        Self { number: Number::new(Kind::Disk, name, state, &inside), inside: Mutex::new(inside) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a block into the cache: one step. False once the power is cut: then nothing is written.
    ///
    /// # Panics
    ///
    /// If there is no such block; in an exploration also if a power cut could go in more than 1,000 ways from here.
    #[track_caller]
    pub fn write(&self, block: usize, content: T) -> bool {
        let blocks = self.inside().blocks.len();
        assert!(block < blocks, "there is no block {block}: the disk has {blocks}");
        let write = || {
            let mut inside = self.inside();
            if !inside.cut {
                inside.blocks[block].push(content.clone());
            }
            !inside.cut
        };
        let op = |disk| Op::WriteBlock { disk, block };
        perform(self.number, op, write, |_| self.changed(write()))
    }

    /// Makes all that was written before durable: one step. False once the power is cut: then nothing becomes durable.
    #[track_caller]
    pub fn sync(&self) -> bool {
        let sync = || {
            let mut inside = self.inside();
            if !inside.cut {
                for versions in &mut inside.blocks {
                    versions.drain(..versions.len() - 1);
                }
            }
            !inside.cut
        };
        perform(self.number, Op::Sync, sync, |_| self.changed(sync()))
    }

    /// Cuts the power: one step, with which chance picks for each block what survives.
    #[track_caller]
    pub fn cut(&self) {
        let cut = |mut number: u32| {
            let mut inside = self.inside();
            inside.cut = true;
            for versions in &mut inside.blocks {
                let count = u32::try_from(versions.len()).unwrap_or(u32::MAX);
                let survives = usize::try_from(number % count).unwrap_or(0);
                number /= count;
                let survives = versions.swap_remove(survives);
                *versions = vec![survives];
            }
        };
        let explored = |answer| {
            cut(if let Answer::Picked(number) = answer { number } else { 0 });
            self.changed(true);
        };
        perform(self.number, Op::Cut, || cut(chance::random(u32::MAX)), explored);
    }

    /// What the block holds: one step. Before the power cut this is what was written last, after it what survived.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    #[track_caller]
    pub fn read(&self, block: usize) -> T {
        let read = || {
            let inside = self.inside();
            let content = inside.blocks.get(block).and_then(|versions| versions.last().cloned());
            let blocks = inside.blocks.len();
            drop(inside);
            content.unwrap_or_else(|| panic!("there is no block {block}: the disk has {blocks}"))
        };
        let explored = |_| {
            let content = read();
            self.number.learns(&content);
            content
        };
        perform(self.number, |disk| Op::ReadBlock { disk, block }, read, explored)
    }

    /// Tells the run what the disk holds now, and the thread whether its step had an effect.
    fn changed(&self, effect: bool) -> bool {
        let inside = self.inside();
        self.number.holds(&*inside);
        self.number.learns(&effect);
        let counts =
            inside.blocks.iter().map(|block| u32::try_from(block.len()).unwrap_or(u32::MAX));
        let counts: Vec<u32> = counts.collect();
        drop(inside);
        let contents = counts.iter().fold(1_u32, |product, &count| product.saturating_mul(count));
        assert!(
            contents <= CONTENTS_MAX,
            "a power cut could go in more than {CONTENTS_MAX} ways: sync earlier, or use fewer blocks"
        );
        self.number.becomes(State::Disk { versions: counts });
        effect
    }
}
