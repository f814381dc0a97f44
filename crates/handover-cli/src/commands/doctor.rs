//! `handover doctor`: what is the matter with the database file.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::connect::{Missing, Report, Severity};
use crate::exit::Exit;
use crate::failure::{Failure, unless_closed};
use crate::table::Table;

/// Examine the database: exit code 1 where something is broken; it changes nothing
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let place = match app.urls()?.open(Missing::Refuse) {
            Ok(place) => place,
            // A file that cannot even be opened is the worst finding there is.
            Err(failure) if matches!(failure.exit, Exit::Usage | Exit::Failed) => {
                return broken(app, failure);
            }
            Err(failure) => return Err(failure),
        };
        let examined = place.clone();
        let report = tokio::task::spawn_blocking(move || examined.doctor()).await;
        let closed = place.backend.close().await;
        let report = report.map_err(|error| Failure::new(Exit::Failed, error.to_string()))??;
        show(app, &report)?;
        ended(report.worst(), closed)
    }
}

/// The end of the command, when the findings have been told. A file that could not be closed is told after them, and does not
/// make a broken file look like one that is only away.
fn ended(worst: Severity, closed: handover::Result<()>) -> Result<Exit, Failure> {
    let exit = if worst == Severity::Error { Exit::Failed } else { Exit::Done };
    closed.map(|()| exit).map_err(|error| {
        let mut failure = Failure::from(error);
        if exit == Exit::Failed {
            failure.exit = exit;
        }
        failure
    })
}

fn show(app: &App, report: &Report) -> Result<(), Failure> {
    if app.out.is_json() {
        for finding in &report.findings {
            unless_closed(app.out.object(finding))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&["SEVERITY", "CHECK", "FINDING"]);
    for finding in &report.findings {
        let (severity, check) = (finding.severity.to_string(), finding.check.clone());
        table.row(vec![severity.trim_end().to_owned(), check, finding.message.clone()]);
    }
    unless_closed(app.out.line(&report.path.display().to_string()))?;
    unless_closed(app.out.table(&table))?;
    Ok(())
}

fn broken(app: &App, mut failure: Failure) -> Result<Exit, Failure> {
    failure.exit = Exit::Failed;
    if app.out.is_json() {
        unless_closed(
            app.out
                .object(&json!({"severity": "error", "check": "open", "message": failure.message})),
        )?;
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use handover::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_close_that_fails_hides_no_finding() {
        assert_eq!(ended(Severity::Warning, Ok(())).unwrap(), Exit::Done);
        assert_eq!(ended(Severity::Error, Ok(())).unwrap(), Exit::Failed);
        let away = || Err(Error::new(ErrorKind::Unavailable, "the disk is gone"));
        assert_eq!(ended(Severity::Warning, away()).unwrap_err().exit, Exit::Unavailable);
        assert_eq!(ended(Severity::Error, away()).unwrap_err().exit, Exit::Failed);
    }
}
