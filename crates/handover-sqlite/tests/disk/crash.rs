//! The machine dies: at every write, with any part of what was on its way on the disk.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::check::check;
use crate::disk::{Arrived, Disk, Image, write_out};
use crate::model::{Death, Story};
use crate::script::SCRIPT;
use crate::seed::{is_long, random};
use crate::strace::{Act, folder, record};
use crate::support::each;

/// One state of the disk after a crash, and what had been told by then.
pub(crate) struct Crash {
    /// After which act.
    pub(crate) place: usize,
    arrived: Arrived,
    image: Image,
    said: String,
}

/// Every different state in which a crash can leave the disk of this run, with so many random ones at each place.
pub(crate) fn crashes(acts: &[Act], random: u64, seed: &mut fastrand::Rng) -> Vec<Crash> {
    let mut disk = Disk::default();
    let (mut said, mut told) = (String::new(), 0);
    let mut seen = HashSet::new();
    let mut crashes = Vec::new();
    for (place, act) in acts.iter().enumerate() {
        if let Act::Say(line) = act {
            said.push_str(line);
            told += 1;
        }
        disk.act(act);
        let seeds = (0..random).map(|_| Arrived::Some(seed.u64(..)));
        for arrived in Arrived::FIXED.into_iter().chain(seeds) {
            let image = disk.crash(arrived);
            let mut hasher = DefaultHasher::new();
            (&image, told).hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                crashes.push(Crash { place, arrived, image, said: said.clone() });
            }
        }
    }
    crashes
}

impl Crash {
    pub(crate) fn check(&self) -> Result<(), String> {
        let folder = folder();
        write_out(&self.image, folder.path());
        check(folder.path(), &Story::read(&self.said), Death::Machine).map_err(|error| {
            let Self { place, arrived, said, .. } = self;
            format!("after act {place} with {arrived:?}: {error}\ntold was:\n{said}")
        })
    }
}

#[test]
fn what_was_answered_as_synced_survives_a_machine_that_dies_at_any_write() {
    let mut seed = random("any write");
    let folder = folder();
    let acts = record(folder.path(), None);
    let story = Story::read(&std::fs::read_to_string(folder.path().join("said")).unwrap());
    assert!(story.ended && story.ends_well() && story.errors.is_empty(), "{story:?}");
    let crashes = crashes(&acts, if is_long() { 40 } else { 1 }, &mut seed);
    println!("{} steps, {} acts, {} crash states", SCRIPT.len(), acts.len(), crashes.len());
    each(&crashes, Crash::check);
}
