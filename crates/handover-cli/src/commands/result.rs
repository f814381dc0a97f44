//! `handover result`: the outcome of a job, and waiting for it.

use std::time::Duration;

use clap::Args;
use handover::{JobId, Record, Status};

use crate::app::App;
use crate::connect::{Missing, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{duration, json};

/// Print the result of a job: exit code 0 done, 1 failed, 4 nothing found or not yet
#[derive(Debug, Args)]
pub(crate) struct Outcome {
    /// The job
    id: JobId,
    /// Wait for it, as long as the job is known or up to DURATION
    #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = duration::parse, default_missing_value = "36500d")]
    wait: Option<Duration>,
}

impl Outcome {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let place = app.open(Missing::Refuse)?;
        let record = self.find(&place).await?;
        place.backend.close().await?;
        if app.out.is_json() {
            app.out.object(&json::Outcome::from(&record))?;
        } else if let (Status::Done, Some(output)) = (record.status, &record.output) {
            app.out.line(output)?;
        }
        match record.status {
            Status::Done => Ok(Exit::Done),
            Status::Failed => {
                let reason = record.reason.unwrap_or_default();
                Err(Failure::new(Exit::Failed, format!("the job failed: {reason}"))
                    .hint(format!("to try again: handover job kick {}", self.id)))
            }
            // Progress is no outcome; `find` gave it for --json alone.
            _ => Err(Failure::nothing_found(format!("the job {} is still running", self.id))),
        }
    }

    /// The record, or the failure that there is none.
    async fn find(&self, place: &Place) -> Result<Record, Failure> {
        let Self { id, wait } = *self;
        // In this order: a job that ends in between has its record before it goes.
        let job = match place.backend.broker.inspect() {
            Some(inspect) => Some(inspect.job(id).await?),
            None => None,
        };
        let record = place.backend.results.get(id).await?;
        let (wait, state) = match (job, record, wait) {
            (_, Some(record), None) => return Ok(record),
            (_, Some(record), Some(_)) if record.status.is_outcome() => return Ok(record),
            (Some(None), None, _) => {
                return Err(Failure::nothing_found(format!(
                    "there is no job {id} and no result of it: it was never sent here, or is too long ago"
                )));
            }
            (job, _, wait) => (wait.unwrap_or_default(), job.flatten().map(|job| job.state)),
        };
        if let Some(record) = place.backend.results.wait(id, wait).await? {
            return Ok(record);
        }
        let state = state.map_or(String::new(), |state| format!(": it was {state}"));
        Err(Failure::nothing_found(format!("the job {id} has no result yet{state}"))
            .hint(format!("handover result {id} --wait, or handover job explain {id}")))
    }
}
