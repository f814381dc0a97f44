//! How states and levels are written in the file.

use handover::{Durability, JobState};

/// The number of a state in `job.state`. Ready and leased are 0 and 1, which take no byte in a row: a lease changes no width.
pub(crate) fn code(state: JobState) -> i64 {
    match state {
        JobState::Leased => 1,
        JobState::Delayed => 2,
        JobState::Held => 3,
        JobState::Parked => 4,
        JobState::Buried => 5,
        _ => 0,
    }
}

/// The state with this number, if any has it.
pub(crate) fn state(code: i64) -> Option<JobState> {
    Some(match code {
        0 => JobState::Ready,
        1 => JobState::Leased,
        2 => JobState::Delayed,
        3 => JobState::Held,
        4 => JobState::Parked,
        5 => JobState::Buried,
        _ => return None,
    })
}

/// The number of a level in `queue.durability`.
pub(crate) fn level_code(level: Durability) -> i64 {
    match level {
        Durability::Process => 0,
        Durability::Buffered => 1,
        _ => 2,
    }
}

/// The level with this number.
pub(crate) fn level(code: i64) -> Durability {
    match code {
        0 => Durability::Process,
        1 => Durability::Buffered,
        _ => Durability::Synced,
    }
}

/// What the file gives where a queue asks for `wanted`: it cannot help keeping more than `Process`.
pub(crate) fn kept(wanted: Durability) -> Durability {
    std::cmp::max(wanted, Durability::Buffered)
}

/// A number for a column. Numbers above what SQLite holds become the largest it holds.
pub(crate) fn to_sql(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A number from a column that is never negative.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_comes_back_from_its_number() {
        for one in JobState::ALL {
            assert_eq!(state(code(one)), Some(one));
        }
        assert_eq!(state(6), None);
    }
}
