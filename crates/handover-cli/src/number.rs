//! Whole numbers within a range, as people write them: what is wrong with one is told with the range.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads a whole number in decimal digits within this range.
pub(crate) fn within<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text: &str| {
        // Digits alone: `+5` and the like are more often a slip than a number.
        let number =
            if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            format!("write a whole number from {} to {}", range.start(), range.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_within_its_range_is_read_and_all_else_is_told_the_range() {
        let read = within(1_u32..=4_294_967_295);
        assert_eq!((read("1"), read("007"), read("4294967295")), (Ok(1), Ok(7), Ok(u32::MAX)));
        for text in
            ["", "0", "-1", "+1", "1.5", "1e3", "NaN", "4294967296", " 1", "0x1", "1_000", "١"]
        {
            let why = read(text).unwrap_err();
            assert_eq!(why, "write a whole number from 1 to 4294967295", "{text}");
        }
    }
}
