//! Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `7d`, `1h30m`.

use std::time::Duration;

/// The units, the longest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration: numbers with units, or a plain `0`.
///
/// # Errors
/// A sentence with examples, for whatever else is there.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || {
        let shown: String = text.chars().take(32).collect();
        format!(
            "{shown:?} is no duration: write a number and a unit, such as 500ms, 30s, 5m, 2h or 7d"
        )
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(*unit_ms).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A duration for people: its two largest units, such as `2h 5m`; milliseconds below ten seconds.
pub(crate) fn show(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms < 1000 {
        return format!("{ms}ms");
    }
    if ms < 10_000 {
        return format!("{}.{}s", ms / 1000, ms % 1000 / 100);
    }
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, unit_ms) in &UNITS[..4] {
        let number = rest / unit_ms;
        rest %= unit_ms;
        if number > 0 {
            parts.push(format!("{number}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

/// Whole milliseconds, as `--json` prints durations.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_alone_and_together() {
        for (text, ms) in [
            ("0", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_refused_with_examples() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "5x",
            "1.5s",
            "5ss",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("500ms, 30s, 5m, 2h or 7d"), "{text}: {error}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_two_units() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1500, "1.5s"),
            (59_000, "59s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h"),
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(show(Duration::from_millis(ms)), text);
        }
    }
}
