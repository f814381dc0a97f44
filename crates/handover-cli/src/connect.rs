//! From URLs to brokers and result stores: the only file that knows every one of them. What a URL says is in `url.rs`.

use std::path::Path;
use std::sync::Arc;

use handover::history::Times;
use handover::{Backend, BothResults, FileResultsOptions, ResultStore};
use handover_sqlite::{Progress, SqliteFile, SqliteOptions};

pub(crate) use handover_sqlite::{Report, Severity};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::record::Pen;
use crate::url::{self, Broker, Results};

/// What to do where there is no such file yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Create,
    Refuse,
}

/// An opened broker with its result stores. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    /// The file underneath, where there is one that can be backed up and examined.
    file: Option<SqliteFile>,
}

/// What was asked for, understood and not yet opened.
#[derive(Debug)]
pub(crate) struct Urls<'a> {
    broker: Broker<'a>,
    results: Vec<Results<'a>>,
    /// The folder of histories.
    history: Option<&'a Path>,
}

impl<'a> Urls<'a> {
    /// Reads the URLs of a broker and of result stores.
    ///
    /// # Errors
    /// Wrong usage where one of them is none.
    pub(crate) fn read(broker: &'a str, results: &'a [String]) -> Result<Self, Failure> {
        Ok(Self {
            broker: url::broker(broker)?,
            results: results.iter().map(|url| url::results(url)).collect::<Result<_, _>>()?,
            history: None,
        })
    }

    /// The same with everything noted that is asked of the broker, in a file in this folder.
    pub(crate) fn history(self, history: Option<&'a Path>) -> Self {
        Self { history, ..self }
    }

    /// Opens the broker and the result stores. The files of the history and of results come first: where they cannot be kept,
    /// no database is begun.
    ///
    /// # Errors
    /// Where one of them cannot be opened.
    pub(crate) fn open(self, missing: Missing) -> Result<Place, Failure> {
        if let (Broker::Sqlite { path, .. }, Missing::Refuse) = (&self.broker, missing)
            && !Path::new(path).exists()
        {
            return Err(Failure::new(Exit::Unavailable, format!("there is no database {path:?}"))
                .hint("name another with --broker sqlite:PATH, or begin one: handover queue create NAME --capacity 1000"));
        }
        let pen = self.history.map(Pen::create).transpose()?;
        let times = match self.broker {
            // Its time is that of this process, and may be a test's.
            Broker::Memory => Times::Monotonic,
            Broker::Sqlite { .. } => Times::Wall,
        };
        let files: Vec<Option<Arc<dyn ResultStore>>> =
            self.results.into_iter().map(files).collect::<Result<_, _>>()?;
        let mut place = match self.broker {
            Broker::Memory => Place { backend: Backend::memory(), file: None },
            Broker::Sqlite { path, durability, keep } => {
                let mut options = SqliteOptions::default().create(missing == Missing::Create);
                options = durability.map_or(options.clone(), |level| options.durability(level));
                options = keep.map_or(options.clone(), |keep| options.results_keep(keep));
                let file = options.open(path)?;
                Place { backend: file.backend(), file: Some(file) }
            }
        };
        let own = &place.backend.results;
        let mut stores: Vec<Arc<dyn ResultStore>> =
            files.into_iter().map(|files| files.unwrap_or_else(|| Arc::clone(own))).collect();
        place.backend = match stores.len() {
            0 => place.backend,
            1 => place.backend.with_results(stores.remove(0)),
            _ => place.backend.with_results(Arc::new(BothResults::new(stores))),
        };
        if let Some(pen) = pen {
            place.backend = pen.record(place.backend, times)?;
        }
        Ok(place)
    }
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

/// The store of files, or `None` for that of the queues.
fn files(url: Results<'_>) -> Result<Option<Arc<dyn ResultStore>>, Failure> {
    let Results::Files { folder, durability, rotate_bytes } = url else { return Ok(None) };
    let mut files = FileResultsOptions::new(folder);
    if let Some(level) = durability {
        files = files.durability(level);
    }
    if let Some(bytes) = rotate_bytes {
        files = files.rotate_bytes(bytes);
    }
    Ok(Some(Arc::new(files.open()?)))
}

/// The same place from any folder: the path in a URL of a file made absolute.
pub(crate) fn absolute(url: &str) -> String {
    let (scheme @ ("sqlite" | "file"), rest) = url::split(url) else { return url.to_owned() };
    let (path, query) = url::path(rest);
    match std::path::absolute(path).ok().as_deref().and_then(Path::to_str) {
        Some(path) => format!("{scheme}:{path}{query}"),
        None => url.to_owned(),
    }
}

/// Several URLs, as the environment has them.
pub(crate) fn absolute_all(urls: &[String]) -> String {
    urls.iter().map(|url| absolute(url)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn several_result_stores_are_one() {
        let both = ["same".to_owned(), "same".to_owned()];
        let place = Urls::read("memory:", &both).unwrap().open(Missing::Refuse).unwrap();
        assert_eq!(place.backend.results.caps().name, "both");
    }
}
