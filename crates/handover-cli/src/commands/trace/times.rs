//! Times as people read them: short ones for a summary, exact ones for a story, and the time of day, which is UTC.

/// A time in microseconds, short.
pub(super) fn brief(us: u64) -> String {
    match us {
        0..999_500 => exact(us),
        999_500..99_950_000 => tenths(us.saturating_add(50_000) / 100_000, "s"),
        _ => format!("{} s", us.saturating_add(500_000) / 1_000_000),
    }
}

/// A time in microseconds, to the millisecond, or better.
pub(super) fn exact(us: u64) -> String {
    let ms = us.saturating_add(500) / 1_000;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..9_950 => tenths((us + 50) / 100, "ms"),
        9_950..999_500 => format!("{ms} ms"),
        _ => format!("{}.{:03} s", ms / 1_000, ms % 1_000),
    }
}

fn tenths(tenths: u64, unit: &str) -> String {
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// The time of day, in UTC, at so many microseconds since 1970.
pub(super) fn clock(at_us: u64) -> String {
    let ms = at_us / 1_000 % 86_400_000;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", ms / 1_000 % 60, ms % 1_000)
}

/// The date and the time, in UTC, at so many microseconds since 1970.
pub(super) fn date(at_us: u64) -> String {
    let (year, month, day) = day(at_us / 86_400_000_000);
    let seconds = at_us / 1_000_000 % 86_400;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02} UTC")
}

/// Year, month and day after so many days since 1970.
fn day(mut days: u64) -> (u64, u64, u64) {
    // Every 400 years have as many days.
    let mut year = 1970 + 400 * (days / 146_097);
    days %= 146_097;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |year: u64| 365 + u64::from(leap(year));
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_at_every_length() {
        let shown = [0, 999, 1_500, 9_949, 9_950, 25_999, 999_499, 999_500, 2_999_999, 120_000_000];
        assert_eq!(
            shown.map(brief),
            [
                "0 µs", "999 µs", "1.5 ms", "9.9 ms", "10 ms", "26 ms", "999 ms", "1.0 s", "3.0 s",
                "120 s"
            ]
        );
        assert_eq!(
            [999_500, 3_612_499, 120_000_000, u64::MAX].map(exact)[..3],
            ["1.000 s", "3.612 s", "120.000 s"]
        );
    }

    #[test]
    fn the_time_of_day_is_utc() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_767_225_599_999_999), "2025-12-31 23:59:59 UTC");
        assert_eq!(date(4_107_542_400_000_000), "2100-03-01 00:00:00 UTC");
        assert_eq!(clock(1_767_225_599_999_999), "23:59:59.999");
    }
}
