//! How many jobs a queue held that were not settled, over time: those that were stored or parked, less those that were done,
//! buried or removed.
//!
//! A job counts from the answer to its sender on, and until its end is asked for: so it was in the queue all that time, and the
//! queue held at least what is drawn. More than the capacity is drawn only where it was more, or where jobs were parked.

use std::collections::{BTreeMap, HashMap};

use handover::history::SteerWhat;
use handover::{JobId, JobState};

/// The changes, in any order.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// By queue: when it changed, and by how many.
    changes: BTreeMap<String, Vec<(u64, i64)>>,
    /// Where each job is, and whether it counts.
    jobs: HashMap<JobId, (String, bool)>,
}

impl Levels {
    pub(super) fn more(&mut self, queue: &str, id: JobId, at: u64) {
        self.jobs.insert(id, (queue.to_owned(), true));
        self.add(queue, 1, at);
    }

    pub(super) fn less(&mut self, queue: &str, id: JobId, at: u64, buried: bool) {
        let known = self.jobs.get_mut(&id);
        if known.is_some_and(|(_, counts)| std::mem::replace(counts, false)) {
            self.add(queue, -1, at);
        }
        if !buried {
            self.jobs.remove(&id);
        }
    }

    /// What an operator did. Which jobs of a queue were purged or brought back is not in a history, only how many.
    pub(super) fn steer(&mut self, what: &SteerWhat, jobs: u64, at: u64) {
        let many = i64::try_from(jobs).unwrap_or(i64::MAX);
        match what {
            SteerWhat::Kick { queue, .. } => self.add(queue, many, at),
            SteerWhat::Purge { queue, state } if *state != JobState::Buried => {
                self.add(queue, -many, at);
            }
            SteerWhat::KickJob { id } if jobs > 0 => {
                let Some((queue, counts @ false)) = self.jobs.get_mut(id) else { return };
                *counts = true;
                let queue = queue.clone();
                self.add(&queue, 1, at);
            }
            SteerWhat::Cancel { id } | SteerWhat::Delete { id } if jobs > 0 => {
                let Some((queue, counts @ true)) = self.jobs.get_mut(id) else { return };
                *counts = false;
                let queue = queue.clone();
                self.add(&queue, -1, at);
            }
            _ => {}
        }
    }

    fn add(&mut self, queue: &str, jobs: i64, at: u64) {
        match self.changes.get_mut(queue) {
            Some(changes) => changes.push((at, jobs)),
            None => _ = self.changes.insert(queue.to_owned(), vec![(at, jobs)]),
        }
    }

    /// By queue: from this moment on, so many; none at the beginning.
    pub(super) fn counts(self) -> BTreeMap<String, Vec<(u64, u64)>> {
        let queue = |(name, mut changes): (String, Vec<(u64, i64)>)| {
            changes.sort_unstable();
            let (mut counts, mut now) = (vec![(0, 0)], 0_i64);
            for (at, jobs) in changes {
                now += jobs;
                let count = u64::try_from(now).unwrap_or(0);
                match counts.last_mut() {
                    Some(last) if last.0 == at => last.1 = count,
                    _ => counts.push((at, count)),
                }
            }
            (name, counts)
        };
        self.changes.into_iter().map(queue).collect()
    }
}

/// How many there were at this moment.
pub(super) fn count(counts: &[(u64, u64)], at: u64) -> u64 {
    let next = counts.partition_point(|(when, _)| *when <= at);
    next.checked_sub(1).and_then(|last| counts.get(last)).map_or(0, |(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_holds_at_least_what_was_sent_and_is_not_being_settled() {
        let (one, other) = (JobId::new(), JobId::new());
        let mut levels = Levels::default();
        levels.more("mail", one, 30);
        levels.less("mail", one, 50, true);
        levels.less("mail", one, 60, true);
        levels.more("mail", other, 40);
        levels.steer(&SteerWhat::KickJob { id: one }, 1, 70);
        levels.steer(&SteerWhat::Cancel { id: other }, 1, 80);
        levels.steer(&SteerWhat::Cancel { id: other }, 1, 81);
        let counts = &levels.counts()["mail"];
        assert_eq!(counts, &[(0, 0), (30, 1), (40, 2), (50, 1), (70, 2), (80, 1)]);
        assert_eq!([0, 29, 30, 45, 99].map(|at| count(counts, at)), [0, 0, 1, 2, 1]);
    }
}
