//! What the clients of a round can do, what they can be told, and how both are printed. Not here: what is right.

use std::fmt;

use handover::{ErrorKind, Fate, JobState};

/// A message of the round, printed as `m7`. Its body, headers and id follow from it.
pub(crate) type Label = u32;

/// One of the round's queues.
pub(crate) type Q = usize;

/// Their names.
pub(crate) const QUEUES: [&str; 2] = ["first", "second"];

/// When something is due, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At once.
    Now,
    /// In a few milliseconds: nobody can say whether a step comes before or after it.
    Soon,
    /// Not before the round is over.
    Far,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) label: Label,
    pub(crate) priority: u8,
    pub(crate) key: Option<u8>,
    pub(crate) delay: When,
}

/// One delivery of a message: the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lease {
    pub(crate) of: Label,
    pub(crate) nth: usize,
}

/// A receipt, as a client shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) lease: Lease,
    pub(crate) forged: Forged,
}

/// What was changed in a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forged {
    Nothing,
    /// Its token is one that was never given.
    Token,
    /// It names the other queue.
    Queue,
}

/// How a lease is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Retry(When),
    Release(When),
    Bury,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Declare {
        queue: Q,
        capacity: u64,
        overdraft: u64,
        exclusive: bool,
    },
    /// `briefly`: with a wait that ends while nothing else happens.
    Send {
        client: usize,
        queue: Q,
        batch: Vec<Draft>,
        parent: Option<Lease>,
        briefly: bool,
    },
    /// A send that waits for room as long as it takes.
    SendLater {
        queue: Q,
        batch: Vec<Draft>,
    },
    /// The waiting send that begins with this message is dropped.
    DropSend(Label),
    /// `patient`: something is there or due soon, and it waits for it.
    Receive {
        client: usize,
        queues: Vec<Q>,
        max: usize,
        lease: When,
        patient: bool,
    },
    /// A receive that waits as long as it takes. It is never dropped within a round: what it takes at that moment may come
    /// back only with its lease.
    ReceiveLater {
        queues: Vec<Q>,
        max: usize,
    },
    Settle {
        client: usize,
        batch: Vec<(Claim, End)>,
    },
    Extend {
        client: usize,
        batch: Vec<Claim>,
        lease: When,
    },
    /// Everything that was due soon is due.
    LetPass,
    Kick {
        client: usize,
        queue: Q,
        max: u64,
    },
    KickJob(Label),
    Cancel(Label),
    Delete(Label),
    Purge(Q, JobState),
    Pause(Q, bool),
    Look(Q),
    LookAt(Label),
}

/// A message that was handed out, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) queue: Q,
    pub(crate) lease: Lease,
    pub(crate) attempt: u32,
    pub(crate) token: u64,
    /// How the last attempt failed, where it was a retry of the round: after which delivery.
    pub(crate) failed: Option<String>,
}

/// A queue, as an inspector sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// By state, in the order of `JobState::ALL`.
    pub(crate) counts: [u64; JobState::ALL.len()],
    pub(crate) paused: bool,
    pub(crate) depth_max: u64,
    pub(crate) accepted: u64,
    pub(crate) done: u64,
    pub(crate) senders_waiting: u64,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Fates(Vec<Fate>),
    Deliveries(Vec<Got>),
    /// One for each item of a batch; `None` for success.
    Each(Vec<Option<ErrorKind>>),
    Count(u64),
    Truth(bool),
    Seen(Box<Seen>),
    /// State, attempt, token.
    Job(Option<(JobState, u32, u64)>),
    Refused(ErrorKind),
    /// No answer yet.
    Waits,
}

impl Step {
    /// The number of the client that does it.
    pub(crate) fn client(&self) -> usize {
        match self {
            Self::Send { client, .. }
            | Self::Receive { client, .. }
            | Self::Settle { client, .. }
            | Self::Extend { client, .. }
            | Self::Kick { client, .. } => *client,
            _ => 0,
        }
    }
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn names(queues: &[Q]) -> String {
    list(queues.iter().map(|queue| QUEUES[*queue]))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "now",
            Self::Soon => "soon",
            Self::Far => "far",
        })
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.label)?;
        if self.priority != 5 {
            write!(f, " priority {}", self.priority)?;
        }
        if let Some(key) = self.key {
            write!(f, " key {key}")?;
        }
        if self.delay != When::Now {
            write!(f, " due {}", self.delay)?;
        }
        Ok(())
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.of)?;
        if self.nth > 1 { write!(f, " (delivery {})", self.nth) } else { Ok(()) }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forged = match self.forged {
            Forged::Nothing => "",
            Forged::Token => " with a made-up token",
            Forged::Queue => " with the other queue's name",
        };
        write!(f, "{}{forged}", self.lease)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Retry(after) => write!(f, "retry {after}"),
            Self::Release(after) => write!(f, "release {after}"),
            Self::Bury => f.write_str("bury"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declare { queue, capacity, overdraft, exclusive } => {
                let name = QUEUES[*queue];
                let exclusive = if *exclusive { ", exclusive" } else { "" };
                write!(f, "declare {name}: capacity {capacity}, overdraft {overdraft}{exclusive}")
            }
            Self::Send { queue, batch, parent, briefly, .. } => {
                write!(f, "send to {}: {}", QUEUES[*queue], list(batch))?;
                if let Some(parent) = parent {
                    write!(f, "; as children of {parent}")?;
                }
                f.write_str(if *briefly { "; waiting briefly for room" } else { "" })
            }
            Self::SendLater { queue, batch } => {
                write!(f, "send to {}: {}; waiting for room", QUEUES[*queue], list(batch))
            }
            Self::DropSend(label) => write!(f, "drop the send of m{label} that waits"),
            Self::Receive { queues, max, lease, patient, .. } => {
                let patient = if *patient { "; waiting for work" } else { "" };
                write!(f, "receive {max} from {}; lease {lease}{patient}", names(queues))
            }
            Self::ReceiveLater { queues, max } => {
                write!(f, "receive {max} from {}; waiting in the background", names(queues))
            }
            Self::Settle { batch, .. } => {
                let items = batch.iter().map(|(claim, end)| format!("{claim}: {end}"));
                write!(f, "settle {}", list(items))
            }
            Self::Extend { batch, lease, .. } => write!(f, "extend {} to {lease}", list(batch)),
            Self::LetPass => f.write_str("let what is due soon become due"),
            Self::Kick { queue, max, .. } => write!(f, "kick {max} of {}", QUEUES[*queue]),
            Self::KickJob(label) => write!(f, "kick m{label}"),
            Self::Cancel(label) => write!(f, "cancel m{label}"),
            Self::Delete(label) => write!(f, "delete m{label}"),
            Self::Purge(queue, state) => write!(f, "purge what is {state} in {}", QUEUES[*queue]),
            Self::Pause(queue, true) => write!(f, "pause {}", QUEUES[*queue]),
            Self::Pause(queue, false) => write!(f, "resume {}", QUEUES[*queue]),
            Self::Look(queue) => write!(f, "look at {}", QUEUES[*queue]),
            Self::LookAt(label) => write!(f, "look at m{label}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::Fates(fates) => {
                f.write_str(&list(fates.iter().map(|fate| format!("{fate:?}").to_lowercase())))
            }
            Self::Deliveries(got) if got.is_empty() => f.write_str("nothing"),
            Self::Deliveries(got) => f.write_str(&list(got.iter().map(|got| {
                format!(
                    "m{} of {}, attempt {}, token {}",
                    got.lease.of, QUEUES[got.queue], got.attempt, got.token
                )
            }))),
            Self::Each(answers) => f.write_str(&list(
                answers.iter().map(|answer| answer.map_or("ok", ErrorKind::as_str)),
            )),
            Self::Count(count) => write!(f, "{count}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Seen(seen) => {
                let states = JobState::ALL.iter().zip(seen.counts).filter(|(_, count)| *count > 0);
                let states = list(states.map(|(state, count)| format!("{count} {state}")));
                let paused = if seen.paused { "paused; " } else { "" };
                write!(
                    f,
                    "{paused}[{states}]; at most {} so far, {} accepted, {} done, {} in line",
                    seen.depth_max, seen.accepted, seen.done, seen.senders_waiting
                )
            }
            Self::Job(None) => f.write_str("there is no such job"),
            Self::Job(Some((state, attempt, token))) => {
                write!(f, "{state}, attempt {attempt}, token {token}")
            }
            Self::Refused(kind) => write!(f, "refused: {kind}"),
            Self::Waits => f.write_str("it waits"),
        }
    }
}
