//! On what was measured: processors, kernel, disk and date, as the book wants them beside every figure. Where the system
//! does not say (it is no Linux), the line says that.

use std::fmt;
use std::fs;
use std::path::Path;

use handover::clock;

#[derive(Debug)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    disk: String,
    date: String,
}

impl Machine {
    /// This machine, and the disk that `folder` is on.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor(&text("/proc/cpuinfo")).unwrap_or_else(unknown),
            kernel: Some(text("/proc/sys/kernel/osrelease").trim().to_owned())
                .filter(|release| !release.is_empty())
                .map_or_else(|| std::env::consts::OS.to_owned(), |r| format!("Linux {r}")),
            disk: disk(&text("/proc/mounts"), &folder).unwrap_or_else(unknown),
            date: date(clock::wall_ms() / (24 * 60 * 60 * 1000)),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, disk, date } = self;
        write!(f, "{date}, {cores} cores of {processor}, {kernel}, {disk}")
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system and device of the longest mount point above the folder.
fn disk(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, Path::new(words.next()?), words.next()?))
    });
    let (device, _, kind) = mounts
        .filter(|(_, point, _)| folder.starts_with(point))
        .max_by_key(|(_, point, _)| point.components().count())?;
    Some(format!("{kind} on {}", device.rsplit('/').next().unwrap_or(device)))
}

/// The day this many days after 1970-01-01, after Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, for days that have been.
fn date(days: u64) -> String {
    let shifted = days + 719_468; // days since 0000-03-01, where years end with their leap day
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_780, "2026-11-23"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn the_disk_is_the_one_of_the_deepest_mount_point() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /a tmpfs rw 0 0\n/dev/vdb /a/b xfs rw 0 0\n";
        let disk = |folder| disk(mounts, Path::new(folder)).unwrap();
        assert_eq!(disk("/c"), "ext4 on vda");
        assert_eq!(disk("/a/c"), "tmpfs on tmpfs");
        assert_eq!(disk("/a/b/c"), "xfs on vdb");
        assert_eq!(disk("/ab"), "ext4 on vda");
    }

    #[test]
    fn the_processor_is_named_once() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Chip\nprocessor\t: 1\nmodel name\t: B\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("A Chip"));
        assert_eq!(processor(""), None);
    }
}
