//! `handover result`: the outcome of a job, and waiting for it.

use std::time::Duration;

use clap::Args;
use handover::{JobId, JobState, Record, Status, clock};

use crate::app::App;
use crate::connect::{Missing, Place};
use crate::exit::Exit;
use crate::failure::{Failure, unless_closed};
use crate::{duration, json};

/// How long `--wait` waits where nothing is said: nobody meets the end of it.
const FOR_EVER: &str = "36500d";
/// How often it looks whether there still is a job to wait for.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Print the result of a job: exit code 0 done, 1 failed, 4 nothing found or not yet
#[derive(Debug, Args)]
pub(crate) struct Outcome {
    /// The job
    id: JobId,
    /// Wait for it, as long as the job is known or up to a time: --wait=30s
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = duration::parse, default_missing_value = FOR_EVER)]
    wait: Option<Duration>,
}

impl Outcome {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let record = app.at(Missing::Refuse, async |place| self.find(place).await).await?;
        if app.out.is_json() {
            unless_closed(app.out.object(&json::Outcome::from(&record)))?;
        } else if let (Status::Done, Some(output)) = (record.status, &record.output) {
            unless_closed(app.out.line(output))?;
        }
        match record.status {
            Status::Done => Ok(Exit::Done),
            Status::Failed => {
                let reason = record.reason.unwrap_or_default();
                Err(Failure::new(Exit::Failed, format!("the job failed: {reason}"))
                    .hint(format!("to try again: handover job kick {}", self.id)))
            }
            // Progress is no outcome.
            _ => Err(Failure::nothing_found(format!("the job {} is still running", self.id))),
        }
    }

    /// The record, or the failure that there is none.
    async fn find(&self, place: &Place) -> Result<Record, Failure> {
        let deadline = clock::after(self.wait.unwrap_or_default());
        loop {
            let state = match self.look(place).await? {
                Seen::Record(record) => return Ok(record),
                Seen::Job(state) => state,
            };
            let left = deadline.saturating_duration_since(clock::now());
            let slice = if left < LOOK_EVERY { left } else { LOOK_EVERY };
            if let Some(record) = place.backend.results.wait(self.id, slice).await? {
                return Ok(record);
            }
            if deadline <= clock::now() {
                let state = state.map_or(String::new(), |state| format!(": it was {state}"));
                let id = self.id;
                return Err(Failure::nothing_found(format!(
                    "the job {id} has no result yet{state}"
                ))
                .hint(format!("handover result {id} --wait, or handover job explain {id}")));
            }
        }
    }

    async fn look(&self, place: &Place) -> Result<Seen, Failure> {
        // In this order: a job that ends in between has its record before it goes.
        let job = match place.backend.broker.inspect() {
            Some(inspect) => Some(inspect.job(self.id).await?),
            None => None,
        };
        match (job, place.backend.results.get(self.id).await?) {
            (_, Some(record)) if self.wait.is_none() || record.status.is_outcome() => {
                Ok(Seen::Record(record))
            }
            (Some(None), None) => Err(Failure::nothing_found(format!(
                "there is no job {} and no result of it: it was never sent here, or is too long ago",
                self.id
            ))),
            (job, _) => Ok(Seen::Job(job.flatten().map(|job| job.state))),
        }
    }
}

/// What there is of a job.
enum Seen {
    Record(Record),
    /// Only the job, with its state where the broker can tell.
    Job(Option<JobState>),
}
