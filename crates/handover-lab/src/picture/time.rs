//! What the axis of a picture says: microseconds are told in the largest unit that leaves numbers to tell, and its marks stand
//! at round numbers.

/// How many of the axis's moments make one of the unit that is shown, and that unit.
pub(super) fn shown(unit: &'static str, length: u64) -> (u64, &'static str) {
    match (unit, length) {
        ("µs", 20_000_000..) => (1_000_000, "s"),
        ("µs", 10_000..) => (1_000, "ms"),
        _ => (1, unit),
    }
}

/// Where an axis that goes from `begin` on has marks, and what it says there: at most `marks` of them.
pub(super) fn marks(unit: &'static str, begin: u64, length: u64, marks: u64) -> Vec<(u64, u64)> {
    let (one, _) = shown(unit, length);
    let (first, end) = (begin.div_ceil(one), (begin + length).div_ceil(one));
    let whole = end.saturating_sub(first).max(1);
    let mut every = 1;
    // 1, 2, 5, 10, 20, 50 …
    for factor in [2, 5, 10].into_iter().cycle() {
        if whole.div_ceil(every) <= marks.max(1) {
            break;
        }
        let ten = 10_u64.pow(every.ilog10());
        every = if factor == 10 { ten * 10 } else { ten * factor };
    }
    let numbers =
        (first.next_multiple_of(every)..end).step_by(usize::try_from(every).unwrap_or(usize::MAX));
    numbers.map(|number| (number * one - begin, number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_numbers_and_not_too_many() {
        let numbers = |unit, length, most| {
            marks(unit, 0, length, most).into_iter().map(|(_, number)| number).collect::<Vec<_>>()
        };
        assert_eq!(numbers("step", 6, 16), [0, 1, 2, 3, 4, 5]);
        assert_eq!(numbers("step", 30, 16), (0..30).step_by(2).collect::<Vec<_>>());
        assert_eq!(numbers("µs", 9_000, 5), [0, 2000, 4000, 6000, 8000]);
        assert_eq!(numbers("µs", 2_999_000, 6), [0, 500, 1000, 1500, 2000, 2500]);
        assert_eq!(marks("µs", 0, 60_000_000, 3), [(0, 0), (20_000_000, 20), (40_000_000, 40)]);
        assert_eq!(
            marks("µs", 3_400_000, 300_000, 3),
            [(0, 3400), (100_000, 3500), (200_000, 3600)]
        );
        assert_eq!(
            marks("µs", 3_455_500, 30_000, 3),
            [(4_500, 3460), (14_500, 3470), (24_500, 3480)]
        );
        assert!(numbers("µs", 0, 5).is_empty());
    }
}
