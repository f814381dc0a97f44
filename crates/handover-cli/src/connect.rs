//! From URLs to brokers and result stores: the only file that knows every one of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use handover::{Backend, BothResults, Durability, FileResultsOptions, ResultStore};
use handover_sqlite::{Progress, Report, SqliteFile, SqliteOptions};

pub(crate) use handover_sqlite::Severity;

use crate::duration;
use crate::exit::Exit;
use crate::failure::Failure;

const BROKERS: &str =
    "write sqlite:PATH, sqlite:PATH?durability=buffered, memory: (within this process)";
const RESULTS: &str = "write same (where the queues are), file:DIR, file:DIR?durability=buffered";

/// What to do where there is no such file yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Create,
    Refuse,
}

/// An opened broker with its result stores.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    /// The file underneath, where there is one that can be backed up and examined.
    file: Option<SqliteFile>,
}

/// Opens the broker and the result stores at these URLs.
pub(crate) fn open(broker: &str, results: &[String], missing: Missing) -> Result<Place, Failure> {
    let (scheme, rest) = split(broker);
    let mut place = match scheme {
        "sqlite" => sqlite(rest, missing)?,
        "memory" if rest.is_empty() => Place { backend: Backend::memory(), file: None },
        _ => {
            let shown = redacted(broker);
            return Err(Failure::usage(format!("{shown:?} is no broker's URL")).hint(BROKERS));
        }
    };
    place.backend = with_results(place.backend, results)?;
    Ok(place)
}

impl Place {
    /// Copies the file while it is at work; blocks.
    pub(crate) fn backup(&self, to: &Path, progress: impl FnMut(Progress)) -> Result<(), Failure> {
        Ok(self.file()?.backup(to, progress)?)
    }

    /// Examines the file; blocks.
    pub(crate) fn doctor(&self) -> Result<Report, Failure> {
        Ok(self.file()?.doctor()?)
    }

    fn file(&self) -> Result<&SqliteFile, Failure> {
        self.file.as_ref().ok_or_else(|| {
            let name = self.backend.broker.caps().name;
            Failure::usage(format!("the broker {name:?} has no file"))
                .hint("backup and doctor are for sqlite:PATH")
        })
    }
}

fn sqlite(rest: &str, missing: Missing) -> Result<Place, Failure> {
    let (path, options) = path_and_options(rest)?;
    let mut sqlite = SqliteOptions::default().create(missing == Missing::Create);
    for (name, value) in options {
        sqlite = match name {
            "durability" => sqlite.durability(durability(value)?),
            "keep" => sqlite.results_keep(keep(value)?),
            _ => {
                return Err(Failure::usage(format!("sqlite: has no option {name:?}"))
                    .hint("options: durability=synced|buffered, keep=DURATION (of results)"));
            }
        };
    }
    if missing == Missing::Refuse && !Path::new(path).exists() {
        return Err(Failure::new(Exit::Unavailable, format!("there is no database {path:?}"))
            .hint("name another with --broker sqlite:PATH, or begin one: handover queue create NAME --capacity 1000"));
    }
    let file = sqlite.open(path)?;
    Ok(Place { backend: file.backend(), file: Some(file) })
}

fn with_results(backend: Backend, urls: &[String]) -> Result<Backend, Failure> {
    let mut stores: Vec<Arc<dyn ResultStore>> = Vec::new();
    for url in urls {
        stores.push(match split(url) {
            ("same", "") => Arc::clone(&backend.results),
            ("file", rest) if !rest.is_empty() => file_results(rest)?,
            _ => {
                let shown = redacted(url);
                return Err(Failure::usage(format!("{shown:?} is no URL of results")).hint(RESULTS));
            }
        });
    }
    Ok(match stores.len() {
        0 => backend,
        1 => backend.with_results(stores.remove(0)),
        _ => backend.with_results(Arc::new(BothResults::new(stores))),
    })
}

fn file_results(rest: &str) -> Result<Arc<dyn ResultStore>, Failure> {
    let (folder, options) = path_and_options(rest)?;
    let mut files = FileResultsOptions::new(folder);
    for (name, value) in options {
        files = match name {
            "durability" => files.durability(durability(value)?),
            "rotate_mib" => files.rotate_bytes(rotate_bytes(value)?),
            _ => {
                return Err(Failure::usage(format!("file: has no option {name:?}"))
                    .hint("options: durability=synced|buffered, rotate_mib=NUMBER"));
            }
        };
    }
    Ok(Arc::new(files.open()?))
}

/// The scheme and what follows its colon.
fn split(url: &str) -> (&str, &str) {
    url.split_once(':').unwrap_or((url, ""))
}

/// What stands behind the question mark.
type Options<'a> = Vec<(&'a str, &'a str)>;

/// `PATH?name=value&…`. A path may be written as one (`sqlite:a/b`) or behind two slashes (`sqlite:///a/b` is `/a/b`).
fn path_and_options(rest: &str) -> Result<(&str, Options<'_>), Failure> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(Failure::usage("the URL names no path").hint(BROKERS));
    }
    let options = query
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

/// The same place from any folder: the path in a URL of a file made absolute.
pub(crate) fn absolute(url: &str) -> String {
    let (scheme @ ("sqlite" | "file"), rest) = split(url) else { return url.to_owned() };
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let path = path.strip_prefix("//").unwrap_or(path);
    match std::path::absolute(path).ok().as_deref().and_then(Path::to_str) {
        Some(path) => format!("{scheme}:{path}{query}"),
        None => url.to_owned(),
    }
}

/// Several URLs, as the environment has them.
pub(crate) fn absolute_all(urls: &[String]) -> String {
    urls.iter().map(|url| absolute(url)).collect::<Vec<_>>().join(",")
}

/// A URL without the name and password in it.
pub(crate) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}//***{}", &rest[at..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(broker: &str, results: &[&str]) -> Failure {
        let results: Vec<String> = results.iter().map(|&url| url.to_owned()).collect();
        open(broker, &results, Missing::Create).unwrap_err()
    }

    #[test]
    fn an_unknown_scheme_is_wrong_usage_and_the_known_ones_are_listed() {
        for url in
            ["redis://h", "mail", "", "sqlite", "memory:x", "sqlite:", "sqlite:?durability=synced"]
        {
            let failure = refused(url, &[]);
            assert_eq!(failure.exit, Exit::Usage, "{url}");
            assert!(failure.hint.unwrap().contains("sqlite:PATH"), "{url}");
        }
        assert!(refused("memory:", &["file:"]).hint.unwrap().contains("file:DIR"));
    }

    #[test]
    fn an_unknown_option_is_wrong_usage() {
        assert!(refused("sqlite:x?speed=9", &[]).message.unwrap().contains("speed"));
        assert!(refused("sqlite:x?durability=maybe", &[]).hint.unwrap().contains("buffered"));
        assert!(
            refused("memory:", &["file:x?rotate_mib=a"]).message.unwrap().contains("rotate_mib")
        );
    }

    #[test]
    fn a_name_and_password_are_never_shown() {
        assert_eq!(redacted("redis://user:p@ss@host:1/2?x=@"), "redis://***@host:1/2?x=@");
        assert_eq!(redacted("postgres://host/db"), "postgres://host/db");
        assert!(!refused("nats://me:secret@h", &[]).message.unwrap().contains("secret"));
    }

    #[test]
    fn a_place_is_the_same_from_any_folder() {
        let here = std::env::current_dir().unwrap();
        let there = |url: &str| absolute(url).replace(here.to_str().unwrap(), "HERE");
        assert_eq!(
            there("sqlite:a.db?durability=buffered"),
            "sqlite:HERE/a.db?durability=buffered"
        );
        assert_eq!(there("sqlite:///a.db"), "sqlite:/a.db");
        assert_eq!(absolute_all(&["same".to_owned(), "memory:".to_owned()]), "same,memory:");
    }

    #[test]
    fn a_path_may_stand_behind_two_slashes() {
        assert_eq!(path_and_options("a/b.db").unwrap().0, "a/b.db");
        assert_eq!(path_and_options("///a/b.db?durability=synced").unwrap().0, "/a/b.db");
        assert_eq!(
            path_and_options("//b.db?x=1&y").unwrap(),
            ("b.db", vec![("x", "1"), ("y", "")])
        );
    }

    #[test]
    fn several_result_stores_are_one() {
        let both = ["same".to_owned(), "same".to_owned()];
        let place = open("memory:", &both, Missing::Refuse).unwrap();
        assert_eq!(place.backend.results.caps().name, "both");
    }
}
