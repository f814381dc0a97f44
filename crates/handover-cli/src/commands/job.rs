//! `handover job`: looks at single jobs and steers them.

use clap::{Args, Subcommand};
use handover::{BrokerExt, Client, Explanation, JobFilter, JobId, JobInfo, JobState, QueueName};
use serde_json::json;

use super::find_queue;
use crate::app::App;
use crate::connect::{Missing, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::{Table, cut, tame};
use crate::{duration, json, number};

/// How much of a reason a listing shows, in characters.
const REASON_SHOWN: usize = 60;
/// How much of the arguments `show` shows to a person, in characters.
const BODY_SHOWN: usize = 4000;

/// List, show, explain, kick, cancel and delete jobs
#[derive(Debug, Args)]
pub(crate) struct Job {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(List),
    /// Show one job with its arguments
    Show {
        /// The job
        id: JobId,
    },
    /// Say why a job does not run, and when it could
    Explain {
        /// The job
        id: JobId,
    },
    /// Bring a buried job back, or make a delayed one due now
    Kick {
        /// The job
        id: JobId,
    },
    /// Bury a job; a running one loses its lease
    Cancel {
        /// The job
        id: JobId,
        /// Why, for whoever finds it
        #[arg(long, default_value = "cancelled by an operator")]
        reason: String,
    },
    /// Remove a job that has no owner, and forget its id
    Delete {
        /// The job
        id: JobId,
    },
}

/// List the jobs of a queue, in the order they were sent
#[derive(Debug, Args)]
struct List {
    /// The queue
    queue: QueueName,
    /// Only those in this state: ready, delayed, held, leased, parked or buried
    #[arg(long)]
    state: Option<JobState>,
    /// At most this many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true, value_parser = number::within(1_u16..=1000))]
    limit: u16,
    /// Only those after this place, as the page before said; with --json its last line is {"next":CURSOR}
    #[arg(long, value_name = "CURSOR", allow_negative_numbers = true, value_parser = number::within(0..=u64::MAX), default_value_t = 0, hide_default_value = true)]
    after: u64,
}

impl Job {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        app.at(Missing::Refuse, async |place| self.command.run(app, place).await).await?;
        Ok(Exit::Done)
    }
}

impl Command {
    async fn run(self, app: &App, place: &Place) -> Result<(), Failure> {
        let broker = &place.backend.broker;
        match self {
            Command::Ls(list) => list.run(app, place).await?,
            Command::Show { id } => {
                let job = broker.inspector()?.job(id).await?.ok_or_else(|| not_stored(id))?;
                show(app, &job)?;
            }
            Command::Explain { id } => {
                let why = broker.inspector()?.explain(id).await?.ok_or_else(|| not_stored(id))?;
                app.out.result(&json::Why::new(id, &why), || explanation(&why))?;
            }
            Command::Kick { id } => {
                let was = Client::new(&place.backend).kick(id).await?;
                answer(app, id, was, "kicked", "there is no buried or delayed job")?;
            }
            Command::Cancel { id, reason } => {
                let was = Client::new(&place.backend).cancel(id, &reason).await?;
                answer(app, id, was, "cancelled", "there is no job")?;
            }
            Command::Delete { id } => {
                let was = broker.operator()?.delete(id).await?;
                answer(app, id, was, "deleted", "there is no job")?;
            }
        }
        Ok(())
    }
}

fn not_stored(id: JobId) -> Failure {
    Failure::nothing_found(format!("there is no job {id}: it is done, or was never sent"))
        .hint(format!("handover result {id}"))
}

fn answer(app: &App, id: JobId, was: bool, what: &str, nothing: &str) -> Result<(), Failure> {
    if !was {
        return Err(Failure::nothing_found(format!("{nothing} {id}")));
    }
    if app.out.is_json() {
        app.out.object(&json!({"id": id, what: true}))?;
    } else {
        app.out.note(&format!("{what} {id}"));
    }
    Ok(())
}

impl List {
    async fn run(self, app: &App, place: &Place) -> Result<(), Failure> {
        find_queue(place, &self.queue).await?;
        let limit = usize::from(self.limit);
        let filter = JobFilter::default().state(self.state).after(self.after).limit(limit);
        let page = place.backend.broker.inspector()?.jobs(&self.queue, filter).await?;
        if app.out.is_json() {
            for job in &page.jobs {
                app.out.object(&json::Job::from(job))?;
            }
            if let Some(next) = page.next {
                app.out.object(&json!({"next": next}))?;
            }
            return Ok(());
        }
        let mut table =
            Table::new(&["ID", "STATE", "TASK", "ATTEMPT", "AGE", "DUE", "KEY", "OWNER", "REASON"]);
        page.jobs.iter().for_each(|job| table.row(cells(job)));
        if table.is_empty() {
            app.out.note("there is no such job");
            return Ok(());
        }
        app.out.table(&table)?;
        if let Some(next) = page.next {
            app.out.note(&format!("there are more: --after {next}"));
        }
        Ok(())
    }
}

fn cells(job: &JobInfo) -> Vec<String> {
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    vec![
        job.message.id.to_string(),
        job.state.to_string(),
        or_dash(job.message.task()),
        job.attempt.to_string(),
        duration::show(job.age),
        or_dash(job.due_in.map(duration::show).as_deref()),
        or_dash(job.message.key.as_deref()),
        or_dash(job.owner.as_deref()),
        cut(job.reason.as_deref().unwrap_or_default(), REASON_SHOWN),
    ]
}

fn show(app: &App, job: &JobInfo) -> Result<(), Failure> {
    if app.out.is_json() {
        return Ok(app.out.object(&json::FullJob::from(job))?);
    }
    let message = &job.message;
    let body = String::from_utf8_lossy(&message.body);
    let mut lines = vec![
        ("id", message.id.to_string()),
        ("queue", job.queue.to_string()),
        ("task", message.task().unwrap_or_default().to_owned()),
        ("state", job.state.to_string()),
        ("attempt", job.attempt.to_string()),
        ("priority", message.priority.level().to_string()),
        ("age", duration::show(job.age)),
    ];
    let due = if job.state == JobState::Leased { "lease ends in" } else { "due in" };
    let more = [
        (due, job.due_in.map(duration::show)),
        ("key", message.key.clone()),
        ("owner", job.owner.clone()),
        ("reason", job.reason.clone()),
        ("arguments", Some(cut(&body, BODY_SHOWN))),
    ];
    lines.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let text: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name:<13}  {}", tame(value))).collect();
    Ok(app.out.line(&text.join("\n"))?)
}

fn explanation(why: &Explanation) -> String {
    let mut lines = vec![why.state.to_string()];
    lines.extend(why.because.iter().map(|because| format!("  {}", tame(because))));
    if why.because.is_empty() {
        lines.push("  nothing is in its way".to_owned());
    }
    if let Some(earliest) = why.earliest {
        lines.push(format!("  earliest in {}", duration::show(earliest)));
    }
    if let Some(id) = why.waits_for {
        lines.push(format!("  waits for {id}"));
    }
    lines.join("\n")
}
