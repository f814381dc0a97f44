//! `handover backup`: a copy of the database file while it is at work.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::connect::Missing;
use crate::exit::Exit;
use crate::failure::Failure;

/// Copy the database into a new file while everybody goes on working
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
}

impl Backup {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let (live, to) = (app.out.live(100), self.file.clone());
        app.at(Missing::Refuse, async |place| {
            let place = place.clone();
            let copy = tokio::task::spawn_blocking(move || {
                let copied = place.backup(&to, |progress| {
                    let done = progress.total.saturating_sub(progress.remaining);
                    let percent = (done * 100).checked_div(progress.total).unwrap_or(100);
                    live.set(percent, &format!("{done} of {} pages", progress.total));
                });
                live.finish();
                copied
            });
            copy.await.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?
        })
        .await?;
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        if app.out.is_json() {
            app.out.object(&json!({"file": self.file.display().to_string(), "bytes": bytes}))?;
        } else {
            app.out.note(&format!("copied {bytes} bytes into {}", self.file.display()));
        }
        Ok(Exit::Done)
    }
}
