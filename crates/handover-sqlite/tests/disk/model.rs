//! What may be in the file after a run, computed from what the run was told: pure, without a file.
//!
//! Steps happen one after the other, so the file must show the state after *some* step: nothing of a later one without all
//! of the earlier ones, and no half of any. How far back it may fall is what durability means: a process that dies loses
//! nothing that was answered, and a machine that dies nothing up to the last step that was answered `Synced`. A step that
//! failed (`Unavailable`), and the one under way, may have happened or not.

use std::collections::{BTreeMap, BTreeSet};

use crate::script::{How, SCRIPT, Step, queue_of};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    Ready,
    Leased,
    Buried,
}

/// A stored job: name, where it stands, attempts.
pub(crate) type Job = (&'static str, At, u32);

/// What can be seen of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    /// By queue, in the order of arrival.
    pub(crate) queues: BTreeMap<&'static str, Vec<Job>>,
    pub(crate) outcomes: BTreeSet<&'static str>,
    /// Every job that was ever stored: its id is known for the length of the test.
    pub(crate) known: BTreeSet<&'static str>,
}

/// What a run was told about one step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// It was asked for, and the run ended.
    Nothing,
    Ok {
        synced: bool,
        received: Vec<String>,
    },
    /// It failed: perhaps it happened, perhaps not.
    Failed,
    Skipped,
}

/// Why the machine stopped, as far as it matters for what may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    Process,
    Machine,
}

/// A run, as it told it itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    /// The steps that were asked for, by number. The last one may be asked for again and again.
    told: Vec<(usize, Told)>,
    /// The largest token that somebody was given in each queue.
    pub(crate) tokens: BTreeMap<&'static str, u64>,
    /// It came to its end.
    pub(crate) ended: bool,
    /// Errors, as they were printed.
    pub(crate) errors: Vec<String>,
}

impl Story {
    pub(crate) fn read(said: &str) -> Self {
        let mut story = Self::default();
        for line in said.lines() {
            let mut words = line.split(' ');
            let what = words.next().unwrap();
            if what == "end" {
                story.ended = true;
                break;
            }
            let number: usize = words.next().unwrap().parse().unwrap();
            let told = match what {
                "ask" => {
                    story.told.push((number, Told::Nothing));
                    continue;
                }
                "ok" => {
                    let synced = words.next() == Some("synced");
                    let received = words.filter_map(|word| word.split_once(':'));
                    let received = received.map(|(name, token)| {
                        let last = story.tokens.entry(queue_of(name)).or_default();
                        *last = std::cmp::max(*last, token.parse().unwrap());
                        name.to_owned()
                    });
                    Told::Ok { synced, received: received.collect() }
                }
                "skip" => Told::Skipped,
                _ => {
                    story.errors.push(line.to_owned());
                    Told::Failed
                }
            };
            *story.told.last_mut().unwrap() = (number, told);
        }
        story
    }

    /// Whether the last step was done.
    pub(crate) fn ends_well(&self) -> bool {
        self.told.last().is_some_and(|(_, told)| matches!(told, Told::Ok { .. }))
    }

    /// What a step was handed.
    fn received(&self, step: usize) -> Option<&[String]> {
        self.told.iter().find_map(|(number, told)| match told {
            Told::Ok { received, .. } if *number == step => Some(received.as_slice()),
            _ => None,
        })
    }

    /// Everything that may be in the file.
    pub(crate) fn possible(&self, death: Death) -> BTreeSet<State> {
        let firm = |(_, told): &(usize, Told)| match told {
            Told::Ok { synced, .. } => *synced || death == Death::Process,
            _ => false,
        };
        let firm_until = self.told.iter().rposition(firm).map_or(0, |last| last + 1);
        let mut now = BTreeSet::from([State::default()]);
        let mut possible = BTreeSet::new();
        for (place, (number, told)) in self.told.iter().enumerate() {
            if place >= firm_until {
                possible.extend(now.iter().cloned());
            }
            let done = now.iter().filter_map(|state| state.after(*number, told, self));
            now = match told {
                Told::Skipped => now,
                Told::Ok { .. } => done.collect(),
                Told::Nothing | Told::Failed => {
                    let begun = now.iter().map(|state| state.begun(*number));
                    done.chain(begun).chain(now.iter().cloned()).collect()
                }
            };
        }
        possible.extend(now);
        possible
    }
}

impl State {
    /// The state in the middle of a step: a send first declares its queue, where that had failed before.
    fn begun(&self, number: usize) -> Self {
        let mut state = self.clone();
        if let Step::Send(queue, _) = SCRIPT[number] {
            state.queues.entry(queue).or_default();
        }
        state
    }

    /// The state after a step; `None` where the step cannot have gone as it was told.
    fn after(&self, number: usize, told: &Told, story: &Story) -> Option<Self> {
        let mut state = self.clone();
        match SCRIPT[number] {
            Step::Declare(queue) => _ = state.queues.entry(queue).or_default(),
            Step::Send(queue, names) => {
                let jobs = state.queues.entry(queue).or_default();
                for name in names {
                    if state.known.insert(name) {
                        jobs.push((name, At::Ready, 0));
                    }
                }
            }
            Step::Receive(queue, max) => {
                let mut took = Vec::new();
                for job in state.queues.get_mut(queue).into_iter().flatten() {
                    if job.1 == At::Ready && took.len() < max {
                        *job = (job.0, At::Leased, job.2 + 1);
                        took.push(job.0);
                    }
                }
                if let Told::Ok { received, .. } = told
                    && *received != took
                {
                    return None;
                }
            }
            Step::Settle(from, how) => {
                let received = story.received(from)?;
                for (name, how) in received.iter().zip(how) {
                    state.settle(name, *how)?;
                }
            }
            Step::Put(name) => _ = state.outcomes.insert(name),
            Step::Visit | Step::Reopen => {}
        }
        Some(state)
    }

    fn settle(&mut self, name: &str, how: How) -> Option<()> {
        let mut queues = self.queues.values_mut();
        let (jobs, place) = queues.find_map(|jobs| {
            let place = jobs.iter().position(|job| job.0 == name && job.1 == At::Leased)?;
            Some((jobs, place))
        })?;
        let job = &mut jobs[place];
        match how {
            How::Done => _ = jobs.remove(place),
            How::Retry => job.1 = At::Ready,
            How::Release => *job = (job.0, At::Ready, job.2 - 1),
            How::Bury => job.1 = At::Buried,
        }
        Some(())
    }
}

#[test]
fn what_was_answered_as_synced_is_never_missing_from_what_may_be_there() {
    let said =
        "ask 0\nok 0 synced\nask 1\nok 1 synced\nask 2\nok 2 synced\nask 3\nok 3 buffered\nask 4\n";
    let names = |state: &State| -> Vec<&str> { state.known.iter().copied().collect() };
    let possible = |death| Story::read(said).possible(death);
    let after_power_cut: Vec<_> = possible(Death::Machine).iter().map(names).collect();
    let all = vec!["a", "c", "d", "e", "f", "large-b"];
    let (sent, both) = (vec!["a", "c", "large-b"], vec!["a", "c", "d", "e", "large-b"]);
    assert_eq!(after_power_cut, [sent, both.clone(), all.clone()]);
    let after_kill: Vec<_> = possible(Death::Process).iter().map(names).collect();
    assert_eq!(after_kill, [both, all]);
}
