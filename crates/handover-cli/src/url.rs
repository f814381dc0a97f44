//! The URLs of brokers and result stores, taken apart. Nothing is opened here, so that a wrong word is told before anything
//! is created; opening is in `connect.rs`.

#[cfg(any(test, fuzzing))]
#[path = "url/fuzz.rs"] // said, because the fuzz targets take this file in by its path
pub(crate) mod fuzz;

use std::time::Duration;

use handover::Durability;

use crate::duration;
use crate::failure::Failure;

const BROKERS: &str =
    "write sqlite:PATH, sqlite:PATH?durability=buffered, memory: (within this process)";
const RESULTS: &str = "write same (where the queues are), file:DIR, file:DIR?durability=buffered";

/// Where queues are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broker<'a> {
    /// In this process.
    Memory,
    /// In a file.
    Sqlite {
        path: &'a str,
        durability: Option<Durability>,
        /// How long results are kept.
        keep: Option<Duration>,
    },
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Results<'a> {
    /// To the queues.
    Same,
    /// Into a folder of files.
    Files { folder: &'a str, durability: Option<Durability>, rotate_bytes: Option<u64> },
}

/// Takes the URL of a broker apart.
///
/// # Errors
/// Wrong usage, with the URLs there are, for any other.
pub(crate) fn broker(url: &str) -> Result<Broker<'_>, Failure> {
    match split(url) {
        ("sqlite", rest) => {
            let (path, options) = path_and_options(url, rest, BROKERS)?;
            let (mut level, mut kept) = (None, None);
            for (name, value) in options {
                match name {
                    "durability" => level = Some(durability(value)?),
                    "keep" => kept = Some(keep(value)?),
                    _ => {
                        return Err(Failure::usage(format!("sqlite: has no option {name:?}"))
                            .hint(
                                "options: durability=synced|buffered, keep=DURATION (of results)",
                            ));
                    }
                }
            }
            Ok(Broker::Sqlite { path, durability: level, keep: kept })
        }
        ("memory", "") => Ok(Broker::Memory),
        _ => {
            let shown = redacted(url);
            Err(Failure::usage(format!("{shown:?} is no broker's URL")).hint(BROKERS))
        }
    }
}

/// Takes the URL of a result store apart.
///
/// # Errors
/// Wrong usage, with the URLs there are, for any other.
pub(crate) fn results(url: &str) -> Result<Results<'_>, Failure> {
    match split(url) {
        ("same", "") => Ok(Results::Same),
        ("file", rest) => {
            let (folder, options) = path_and_options(url, rest, RESULTS)?;
            let (mut level, mut rotate) = (None, None);
            for (name, value) in options {
                match name {
                    "durability" => level = Some(durability(value)?),
                    "rotate_mib" => rotate = Some(rotate_bytes(value)?),
                    _ => {
                        return Err(Failure::usage(format!("file: has no option {name:?}"))
                            .hint("options: durability=synced|buffered, rotate_mib=NUMBER"));
                    }
                }
            }
            Ok(Results::Files { folder, durability: level, rotate_bytes: rotate })
        }
        _ => {
            let shown = redacted(url);
            Err(Failure::usage(format!("{shown:?} is no URL of results")).hint(RESULTS))
        }
    }
}

/// The scheme and what follows its colon.
pub(crate) fn split(url: &str) -> (&str, &str) {
    url.split_once(':').unwrap_or((url, ""))
}

/// The path in a URL of a file, without the slashes before it, and what stands behind its question mark. A path may be
/// written as one (`sqlite:a/b`) or behind two slashes (`sqlite:///a/b` is `/a/b`).
pub(crate) fn path(rest: &str) -> (&str, &str) {
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    (path.strip_prefix("//").unwrap_or(path), query)
}

/// What stands behind the question mark.
type Options<'a> = Vec<(&'a str, &'a str)>;

fn path_and_options<'a>(
    url: &str,
    rest: &'a str,
    hint: &str,
) -> Result<(&'a str, Options<'a>), Failure> {
    let (path, query) = path(rest);
    if path.is_empty() {
        return Err(Failure::usage("the URL names no path").hint(hint));
    }
    if path.contains('\0') {
        return Err(Failure::usage("a path has no zero byte").hint(hint));
    }
    // A user name and password that were meant for a server would become the name of a file or of an option, and be shown
    // as such. Where they end nobody knows: a password may have slashes and question marks in it.
    let for_a_server = rest.starts_with("//") && !rest.starts_with("///");
    if query.contains('@') || (for_a_server && rest.contains('@')) {
        let shown = redacted(url);
        return Err(Failure::usage(format!(
            "{shown:?} is no path: a file has no user and password"
        ))
        .hint(hint));
    }
    let options = query
        .trim_start_matches('?')
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .collect();
    Ok((path, options))
}

/// What a send or a result is worth, as words say it.
pub(crate) fn durability(word: &str) -> Result<Durability, Failure> {
    match word {
        "synced" => Ok(Durability::Synced),
        "buffered" => Ok(Durability::Buffered),
        _ => Err(Failure::usage(format!("{word:?} is no durability"))
            .hint("synced (survives the machine) or buffered (survives any process)")),
    }
}

fn keep(text: &str) -> Result<Duration, Failure> {
    duration::parse(text).map_err(|why| Failure::usage(format!("keep: {why}")))
}

fn rotate_bytes(text: &str) -> Result<u64, Failure> {
    text.parse().ok().and_then(|mib: u64| mib.checked_mul(1024 * 1024)).ok_or_else(|| {
        Failure::usage(format!("rotate_mib: {text:?} is no number of MiB")).hint(RESULTS)
    })
}

/// A URL without the name and password in it: whatever stands between the scheme and the last `@`. What was meant by a text
/// that is no URL of ours nobody knows, so rather too much is hidden than too little.
pub(crate) fn redacted(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let scheme = url[..at].find(':').map_or(0, |colon| colon + 1);
    let slashes = url[scheme..at].len() - url[scheme..at].trim_start_matches(['/', '\\']).len();
    format!("{}***{}", &url[..scheme + slashes], &url[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn an_unknown_scheme_is_wrong_usage_and_the_known_ones_are_listed() {
        for url in ["redis://h", "mail", "", "sqlite", "memory:x", "sqlite:", "sqlite:?keep=1d"] {
            let failure = broker(url).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{url}");
            assert!(failure.hint.unwrap().contains("sqlite:PATH"), "{url}");
        }
        for url in ["file:", "file", "ftp:x", "", "same:x", "SAME"] {
            assert!(results(url).unwrap_err().hint.unwrap().contains("file:DIR"), "{url}");
        }
    }

    #[test]
    fn a_place_without_a_path_may_be_written_with_a_colon_and_without() {
        for url in ["memory", "memory:"] {
            assert_eq!(broker(url).unwrap(), Broker::Memory);
        }
        for url in ["same", "same:"] {
            assert_eq!(results(url).unwrap(), Results::Same);
        }
    }

    #[test]
    fn an_unknown_option_is_wrong_usage() {
        assert!(broker("sqlite:x?speed=9").unwrap_err().message.unwrap().contains("speed"));
        assert!(
            broker("sqlite:x?durability=maybe").unwrap_err().hint.unwrap().contains("buffered")
        );
        for wrong in ["a", "-1", "", "99999999999999999999", "18446744073709551615"] {
            let failure = results(&format!("file:x?rotate_mib={wrong}")).unwrap_err();
            assert!(failure.message.unwrap().contains("no number of MiB"), "{wrong}");
        }
    }

    #[test]
    fn options_are_read() {
        assert_eq!(
            broker("sqlite:a/b.db?durability=buffered&keep=7d").unwrap(),
            Broker::Sqlite {
                path: "a/b.db",
                durability: Some(Durability::Buffered),
                keep: Some(Duration::from_secs(7 * 86_400))
            }
        );
        assert_eq!(
            results("file:x?rotate_mib=2&durability=synced").unwrap(),
            Results::Files {
                folder: "x",
                durability: Some(Durability::Synced),
                rotate_bytes: Some(2 << 20)
            }
        );
    }

    #[test]
    fn a_path_may_stand_behind_two_slashes() {
        for (url, path) in
            [("sqlite:a/b.db", "a/b.db"), ("sqlite:///a/b.db", "/a/b.db"), ("sqlite://b@/c", "")]
        {
            match broker(url) {
                Ok(Broker::Sqlite { path: found, .. }) => assert_eq!(found, path),
                other => assert!(path.is_empty(), "{url}: {other:?}"),
            }
        }
        assert!(broker("sqlite:me@home.db").is_ok(), "a path may have an @");
    }

    #[test]
    fn a_name_and_password_are_never_shown() {
        for (url, shown) in [
            ("redis://user:p@ss@host:1/2", "redis://***@host:1/2"),
            ("redis:user:pass@host", "redis:***@host"),
            ("redis://user:p/ss?w@host", "redis://***@host"),
            ("user@host", "***@host"),
            ("postgres://host/db", "postgres://host/db"),
        ] {
            assert_eq!(redacted(url), shown);
        }
        for url in [
            "nats://me:secret@h",
            "sqlite://me:secret@h/x.db",
            "file://me:secret@h",
            "sqlite://me:secret/55@h/x.db",
            "sqlite://me:pa?secret@h/x",
            "sqlite://me:pa?durability=secret@h/x",
            "file://me:pa/?secret@h/x",
            "sqlite:///x.db?secret@h",
            "sqlite:x.db?keep=secret@h",
        ] {
            for failure in [broker(url).unwrap_err(), results(url).unwrap_err()] {
                assert!(!failure.message.unwrap().contains("secret"), "{url}");
            }
        }
    }
}
