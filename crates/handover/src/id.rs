//! The id of a job: 128 bits, chosen by the sender before the call, so that a repeated send is one job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// The id of a job, printed like a UUID: `0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c44`.
///
/// A new id is a UUID of version 7 (RFC 9562): ids made one after the other sort by time, which keeps an index on
/// them local. A derived id is one of version 5: the same parent and name give the same id on every machine.
///
/// ```
/// use handover::JobId;
/// let parent = JobId::new();
/// assert_eq!(parent.derive("page/1"), parent.derive("page/1"));
/// assert_ne!(parent.derive("page/1"), parent.derive("page/2"));
/// assert_eq!(parent.to_string().parse::<JobId>().unwrap(), parent);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Uuid);

impl JobId {
    /// A new id, never seen before.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "a default that differs each time would surprise"
    )]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of the child of this job that is called `name`.
    ///
    /// Sends made by a running job take their ids from here, so that a second attempt of the parent sends the same
    /// children and not new ones.
    #[must_use]
    pub fn derive(&self, name: &str) -> Self {
        Self(Uuid::new_v5(&self.0, name.as_bytes()))
    }

    /// The id that these 16 bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of the id, in the order that sorts like the id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|_| {
            Error::invalid(format!(
                "{:?} is not a job id; one looks like 0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c44",
                text.chars().take(64).collect::<String>()
            ))
        })
    }
}

impl TryFrom<String> for JobId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}
