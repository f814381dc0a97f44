//! How many jobs a queue held that were not settled, over time: those that were stored or parked, less those that were done,
//! buried or removed. And what becomes of each job by it: whether it is open, buried or gone.
//!
//! A job counts from the answer to its sender on, and until its end is asked for: so it was in the queue all that time, and the
//! queue held at least what is drawn. More than the capacity is drawn only where it was more, or where jobs were parked.
//!
//! Which jobs of a queue were purged or brought back is not in a history, only how many. Where these are all that can be meant,
//! they are; else the numbers are right, and of each job nothing is said until it is seen again.

use std::collections::{BTreeMap, HashMap, HashSet};

use handover::history::SteerWhat;
use handover::{JobId, JobState};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Now {
    /// Accepted, and neither done nor put aside.
    Open,
    /// Put aside.
    Buried,
    /// Done or removed.
    Gone,
}

/// The changes, in any order.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// By queue: when it changed, and by how many.
    changes: BTreeMap<String, Vec<(u64, i64)>>,
    /// Where each job is; one that is gone is in no queue.
    jobs: HashMap<JobId, (String, Now)>,
    queues: HashMap<String, Known>,
    /// A call that may have changed something has no answer to rely on: then all that are known need not be all that there are.
    dark: bool,
}

/// What is known of a queue.
#[derive(Debug, Default)]
struct Known {
    open: HashSet<JobId>,
    buried: HashSet<JobId>,
    /// How many of the buried ones were brought back, and how many of each were purged, nobody knows which.
    back: u64,
    open_gone: u64,
    buried_gone: u64,
}

impl Levels {
    pub(super) fn more(&mut self, queue: &str, id: JobId, at: u64) {
        // One that is stored again was one of those that were purged.
        if let Some((before, now)) = self.jobs.get(&id)
            && let Some(known) = self.queues.get_mut(before)
        {
            let buried = *now == Now::Buried;
            let gone = if buried { &mut known.buried_gone } else { &mut known.open_gone };
            *gone = gone.saturating_sub(1);
        }
        self.put(queue, id, Now::Open);
        self.add(queue, 1, at);
    }

    /// A job was given: so it is open, and where it was buried it is one of those that an operator brought back.
    pub(super) fn seen(&mut self, queue: &str, id: JobId, at: u64) {
        if self.jobs.get(&id).is_some_and(|(_, now)| *now == Now::Buried) {
            let known = self.queues.entry(queue.to_owned()).or_default();
            match known.back.checked_sub(1) {
                Some(back) => known.back = back,
                // By a call without an answer, or by nobody: then the checker says so.
                None => self.add(queue, 1, at),
            }
            self.put(queue, id, Now::Open);
        }
    }

    pub(super) fn less(&mut self, queue: &str, id: JobId, at: u64, buried: bool) {
        if self.jobs.get(&id).is_some_and(|(_, now)| *now == Now::Open) {
            self.add(queue, -1, at);
        }
        self.put(queue, id, if buried { Now::Buried } else { Now::Gone });
    }

    /// Something that may have been done was not answered.
    pub(super) fn unanswered(&mut self) {
        self.dark = true;
    }

    /// What an operator did, and what certainly became of which jobs by it; `None` where only their number is known.
    pub(super) fn steer(
        &mut self,
        what: &SteerWhat,
        jobs: u64,
        at: u64,
    ) -> Option<Vec<(JobId, Now)>> {
        if jobs == 0 {
            return Some(Vec::new());
        }
        match what {
            SteerWhat::Kick { queue, .. } => self.kick(queue, jobs, at),
            SteerWhat::Purge { queue, state } => {
                self.purge(queue, *state == JobState::Buried, jobs, at)
            }
            SteerWhat::KickJob { id } => Some(self.one(*id, Now::Buried, Now::Open, at)),
            SteerWhat::Cancel { id } => {
                if let Some((queue, Now::Buried)) = self.jobs.get(id).cloned()
                    && self.queues.get(&queue).is_some_and(|known| known.back > 0)
                {
                    self.seen(&queue, *id, at);
                }
                Some(self.one(*id, Now::Open, Now::Buried, at))
            }
            SteerWhat::Delete { id } => {
                let now = self.jobs.get(id).map_or(Now::Gone, |(_, now)| *now);
                Some(self.one(*id, now, Now::Gone, at))
            }
            _ => Some(Vec::new()),
        }
    }

    /// One job, where it is `from`.
    fn one(&mut self, id: JobId, from: Now, to: Now, at: u64) -> Vec<(JobId, Now)> {
        let Some((queue, now)) = self.jobs.get(&id).cloned() else { return Vec::new() };
        if now != from || from == to {
            return Vec::new();
        }
        let counts = |now: Now| i64::from(now == Now::Open);
        self.add(&queue, counts(to) - counts(from), at);
        self.put(&queue, id, to);
        vec![(id, to)]
    }

    fn kick(&mut self, queue: &str, jobs: u64, at: u64) -> Option<Vec<(JobId, Now)>> {
        self.add(queue, i64::try_from(jobs).unwrap_or(i64::MAX), at);
        let dark = self.dark;
        let known = self.queues.entry(queue.to_owned()).or_default();
        known.back = known.back.saturating_add(jobs);
        if dark || known.buried_gone > 0 || known.back != known.buried.len() as u64 {
            return None;
        }
        known.back = 0;
        let all: Vec<JobId> = known.buried.iter().copied().collect();
        Some(self.put_all(queue, all, Now::Open))
    }

    fn purge(
        &mut self,
        queue: &str,
        buried: bool,
        jobs: u64,
        at: u64,
    ) -> Option<Vec<(JobId, Now)>> {
        let dark = self.dark;
        let many = i64::try_from(jobs).unwrap_or(i64::MAX);
        if !buried {
            self.add(queue, -many, at);
        }
        let known = self.queues.entry(queue.to_owned()).or_default();
        // Those that were brought back are open, and some of the buried ones.
        let sure = !dark && known.back == 0;
        let (gone, all) = if buried {
            (&mut known.buried_gone, &known.buried)
        } else {
            (&mut known.open_gone, &known.open)
        };
        *gone = gone.saturating_add(jobs);
        if !sure || *gone != all.len() as u64 {
            return None;
        }
        *gone = 0;
        let all: Vec<JobId> = all.iter().copied().collect();
        Some(self.put_all(queue, all, Now::Gone))
    }

    fn put_all(&mut self, queue: &str, all: Vec<JobId>, now: Now) -> Vec<(JobId, Now)> {
        for id in &all {
            self.put(queue, *id, now);
        }
        all.into_iter().map(|id| (id, now)).collect()
    }

    fn put(&mut self, queue: &str, id: JobId, now: Now) {
        if let Some((before, _)) = self.jobs.remove(&id)
            && let Some(known) = self.queues.get_mut(&before)
        {
            known.open.remove(&id);
            known.buried.remove(&id);
        }
        let known = self.queues.entry(queue.to_owned()).or_default();
        match now {
            Now::Open => _ = known.open.insert(id),
            Now::Buried => _ = known.buried.insert(id),
            Now::Gone => return,
        }
        self.jobs.insert(id, (queue.to_owned(), now));
    }

    fn add(&mut self, queue: &str, jobs: i64, at: u64) {
        if jobs == 0 {
            return;
        }
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
                now = now.saturating_add(jobs);
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

    fn kick(max: u64) -> SteerWhat {
        SteerWhat::Kick { queue: "mail".to_owned(), max }
    }

    fn purge(state: JobState) -> SteerWhat {
        SteerWhat::Purge { queue: "mail".to_owned(), state }
    }

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

    #[test]
    fn where_all_that_can_be_meant_are_they_are_known_and_else_their_number() {
        let (one, other) = (JobId::new(), JobId::new());
        let mut levels = Levels::default();
        for id in [one, other] {
            levels.more("mail", id, 10);
            levels.less("mail", id, 20, true);
        }
        assert_eq!(levels.steer(&kick(1), 1, 30), None, "one of two");
        levels.seen("mail", one, 35);
        levels.less("mail", one, 40, false);
        assert_eq!(levels.steer(&kick(9), 1, 50), Some(vec![(other, Now::Open)]));
        assert_eq!(
            levels.steer(&purge(JobState::Ready), 1, 60),
            Some(vec![(other, Now::Gone)]),
            "there is no other"
        );
        assert_eq!(
            levels.counts()["mail"],
            [(0, 0), (10, 2), (20, 0), (30, 1), (40, 0), (50, 1), (60, 0)]
        );
    }

    #[test]
    fn after_a_call_without_an_answer_nobody_knows_which_jobs_are_meant() {
        let mut levels = Levels::default();
        levels.more("mail", JobId::new(), 10);
        levels.unanswered();
        assert_eq!(levels.steer(&purge(JobState::Ready), 1, 20), None);
        assert_eq!(levels.counts()["mail"], [(0, 0), (10, 1), (20, 0)]);
    }
}
