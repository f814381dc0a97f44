//! The cases, one module for each clause of the contract (`cNN_word`) or further promise. A module begins with its list: the
//! names are the promises, and what stands beside a name is what must be promised for the case to be owed.

mod c01_dedup;
mod c01_send;
mod c02_isolation;
mod c03_lease;
mod c04_attempts;
mod c05_receive;
mod c06_settle;
mod c07_delay;
mod c08_bury;
mod c09_limits;
mod c09_numbers;
mod c10_giving_up;
mod c11_outage;
mod c12_close;
mod c13_survive;
mod c14_bound;
mod c14_children;
mod c14_line;
mod c15_keys;
mod c15_order;
mod c16_exclusive;
mod caps;
mod concurrency;
mod inspect;
mod model;
mod results;
mod steer;

use crate::case::Case;

/// Every case, by clause.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups: [&'static [Case]; 27] = [
        c01_send::CASES,
        c01_dedup::CASES,
        c02_isolation::CASES,
        c03_lease::CASES,
        c04_attempts::CASES,
        c05_receive::CASES,
        c06_settle::CASES,
        c07_delay::CASES,
        c08_bury::CASES,
        c09_limits::CASES,
        c09_numbers::CASES,
        c10_giving_up::CASES,
        c11_outage::CASES,
        c12_close::CASES,
        c13_survive::CASES,
        c14_bound::CASES,
        c14_line::CASES,
        c14_children::CASES,
        c15_order::CASES,
        c15_keys::CASES,
        c16_exclusive::CASES,
        concurrency::CASES,
        caps::CASES,
        inspect::CASES,
        steer::CASES,
        results::CASES,
        model::CASES,
    ];
    groups.into_iter().flatten()
}
