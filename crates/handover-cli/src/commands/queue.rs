//! `handover queue`: makes queues, shows them, and steers them.

use std::time::Duration;

use clap::{Args, Subcommand};
use handover::{
    BrokerExt, Client, Durability, ErrorKind, JobFilter, JobState, QueueInfo, QueueName,
    QueueSettings,
};
use serde_json::json;

use super::find_queue;
use crate::app::App;
use crate::connect::{Missing, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Table;
use crate::{duration, json, number, url};

/// Create, list, show, pause and clean up queues
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Create),
    /// List all queues
    Ls,
    /// Show one queue
    Show {
        /// The queue
        name: QueueName,
    },
    /// Hand out no more jobs; senders are not affected
    Pause {
        /// The queue
        name: QueueName,
    },
    /// Hand out jobs again
    Resume {
        /// The queue
        name: QueueName,
    },
    Purge(Purge),
    /// Bring buried jobs back, oldest first, as far as there is room
    Kick {
        /// The queue
        name: QueueName,
        /// At most this many
        #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0..=u64::MAX), default_value_t = u64::from(u32::MAX), hide_default_value = true)]
        max: u64,
    },
}

/// Create a queue, or change the settings of one; what is not named stays as it is
#[derive(Debug, Args)]
struct Create {
    /// The queue: letters, digits, '-', '_' and '.'
    name: QueueName,
    /// The most unsettled jobs it may hold; a new queue needs it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::within(1..=QueueSettings::CAPACITY_MAX))]
    capacity: Option<u64>,
    /// How many children of its own jobs may wait inside it for room [default: 10 times the capacity]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0..=QueueSettings::CAPACITY_MAX))]
    overdraft: Option<u64>,
    /// Hand out one job at a time, in the whole fleet
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exclusive: Option<bool>,
    /// What an accepted job is worth: synced (survives the machine) or buffered (survives any process)
    /// [default: the broker's]
    #[arg(long, value_name = "LEVEL", value_parser = parse_durability, env = "HANDOVER_DURABILITY", hide_env_values = true)]
    durability: Option<Durability>,
    /// How long the id of a job that is done is known, so that sending it again is no second job [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    remember: Option<Duration>,
}

/// Remove all jobs in one state, for good
#[derive(Debug, Args)]
struct Purge {
    /// The queue
    name: QueueName,
    /// Which jobs: ready, delayed, held, parked or buried
    #[arg(long)]
    state: JobState,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

fn parse_durability(word: &str) -> Result<Durability, String> {
    url::durability(word).map_err(|failure| {
        [failure.message, failure.hint].into_iter().flatten().collect::<Vec<_>>().join(": ")
    })
}

impl Queue {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let missing = match &self.command {
            Command::Create(create) => create.check()?,
            _ => Missing::Refuse,
        };
        app.at(missing, async |place| self.command.run(app, place).await).await?;
        Ok(Exit::Done)
    }
}

impl Command {
    async fn run(self, app: &App, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(app, place).await,
            Self::Ls => list(app, place).await,
            Self::Show { name } => show(app, &find_queue(place, &name).await?),
            Self::Pause { name } => pause(app, place, &name, true).await,
            Self::Resume { name } => pause(app, place, &name, false).await,
            Self::Purge(purge) => purge.run(app, place).await,
            Self::Kick { name, max } => kick(app, place, &name, max).await,
        }
    }
}

impl Create {
    /// Refuses what no queue may have before a file is begun for it. Who names no capacity has a queue already.
    fn check(&self) -> Result<Missing, Failure> {
        let mut settings = QueueSettings::with_capacity(1);
        settings.remember = self.remember.unwrap_or(settings.remember);
        settings.check()?;
        Ok(if self.capacity.is_some() { Missing::Create } else { Missing::Refuse })
    }

    async fn run(self, app: &App, place: &Place) -> Result<(), Failure> {
        let broker = &place.backend.broker;
        let before = match broker.inspect() {
            Some(inspect) => inspect.queue(&self.name).await?,
            None => None,
        };
        let existed = before.is_some();
        let mut settings = match (before, self.capacity) {
            (Some(before), _) => before.settings,
            (None, Some(capacity)) => QueueSettings::with_capacity(capacity),
            (None, None) => {
                return Err(Failure::usage(format!(
                    "the queue {:?} is new and needs --capacity",
                    self.name
                ))
                .hint(super::create_hint(&self.name)));
            }
        };
        settings.capacity = self.capacity.unwrap_or(settings.capacity);
        settings.overdraft = self.overdraft.unwrap_or(settings.overdraft);
        settings.exclusive = self.exclusive.unwrap_or(settings.exclusive);
        settings.durability = self.durability.or(settings.durability);
        settings.remember = self.remember.unwrap_or(settings.remember);
        broker.declare(&self.name, &settings).await?;
        let info = QueueInfo::new(self.name.clone(), settings);
        let info = match broker.inspect() {
            Some(inspect) => inspect.queue(&self.name).await?.unwrap_or(info),
            None => info,
        };
        if app.out.is_json() {
            app.out.object(&json::Queue::from(&info))?;
        } else {
            let what = if existed { "changed" } else { "created" };
            app.out.note(&format!("{what} {} with capacity {}", info.name, info.settings.capacity));
        }
        Ok(())
    }
}

async fn list(app: &App, place: &Place) -> Result<(), Failure> {
    let queues = place.backend.broker.inspector()?.queues().await?;
    if app.out.is_json() {
        for info in &queues {
            app.out.object(&json::Queue::from(info))?;
        }
        return Ok(());
    }
    let head = [
        "QUEUE", "DEPTH", "CAPACITY", "READY", "DELAYED", "HELD", "LEASED", "PARKED", "BURIED",
        "DONE", "STATE",
    ];
    let mut table = Table::new(&head);
    for info in &queues {
        let numbers = [info.depth(), info.settings.capacity]
            .into_iter()
            .chain(JobState::ALL.map(|state| info.count(state)))
            .chain([info.done]);
        let mut cells = vec![info.name.to_string()];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.push(state(info).to_owned());
        table.row(cells);
    }
    if table.is_empty() {
        app.out.note("there is no queue yet");
        return Ok(());
    }
    Ok(app.out.table(&table)?)
}

fn state(info: &QueueInfo) -> &'static str {
    match (info.paused, info.depth() >= info.settings.capacity) {
        (true, _) => "paused",
        (false, true) => "full",
        (false, false) => "open",
    }
}

fn show(app: &App, info: &QueueInfo) -> Result<(), Failure> {
    if app.out.is_json() {
        return Ok(app.out.object(&json::Queue::from(info))?);
    }
    let settings = &info.settings;
    let mut lines = vec![
        ("queue", info.name.to_string()),
        ("state", state(info).to_owned()),
        (
            "depth",
            format!("{} of {}, at most {} so far", info.depth(), settings.capacity, info.depth_max),
        ),
    ];
    lines.extend(JobState::ALL.map(|state| (state.as_str(), info.count(state).to_string())));
    lines.extend([
        ("accepted", info.accepted.to_string()),
        ("done", info.done.to_string()),
        ("overdraft", settings.overdraft.to_string()),
        ("exclusive", if settings.exclusive { "yes" } else { "no" }.to_owned()),
        (
            "durability",
            settings.durability.map_or("the broker's".to_owned(), |level| level.to_string()),
        ),
        ("remember", duration::show(settings.remember)),
    ]);
    let text: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name:<10}  {value}")).collect();
    Ok(app.out.line(&text.join("\n"))?)
}

async fn pause(app: &App, place: &Place, name: &QueueName, paused: bool) -> Result<(), Failure> {
    find_queue(place, name).await?;
    place.backend.broker.operator()?.pause(name, paused).await?;
    if app.out.is_json() {
        app.out.object(&json!({"queue": name.as_str(), "paused": paused}))?;
    } else {
        app.out.note(&format!("{} {name}", if paused { "paused" } else { "resumed" }));
    }
    Ok(())
}

async fn kick(app: &App, place: &Place, name: &QueueName, max: u64) -> Result<(), Failure> {
    find_queue(place, name).await?;
    let kicked = kick_buried(place, name, max).await?;
    if app.out.is_json() {
        app.out.object(&json!({"queue": name.as_str(), "kicked": kicked}))?;
    } else {
        app.out.note(&format!("{kicked} jobs of {name} came back"));
    }
    Ok(())
}

/// Kicks one by one, so that each job's failure is forgotten with it.
async fn kick_buried(place: &Place, name: &QueueName, max: u64) -> Result<u64, Failure> {
    let client = Client::new(&place.backend);
    let inspect = place.backend.broker.inspector()?;
    let (mut kicked, mut after) = (0, Some(0));
    while let Some(from) = after {
        let filter = JobFilter::default()
            .state(Some(JobState::Buried))
            .after(from)
            .limit(JobFilter::LIMIT_MAX);
        let page = inspect.jobs(name, filter).await?;
        for job in &page.jobs {
            if kicked == max {
                return Ok(kicked);
            }
            match client.kick(job.message.id).await {
                Ok(true) => kicked += 1,
                Ok(false) => {}
                // What there was room for came back.
                Err(error) if error.kind() == ErrorKind::Full && kicked > 0 => return Ok(kicked),
                Err(error) => return Err(error.into()),
            }
        }
        after = page.next;
    }
    Ok(kicked)
}

impl Purge {
    async fn run(self, app: &App, place: &Place) -> Result<(), Failure> {
        let info = find_queue(place, &self.name).await?;
        if self.state == JobState::Leased {
            return Err(Failure::usage("leased jobs cannot be purged: they have an owner")
                .hint("handover job cancel ID"));
        }
        let count = info.count(self.state);
        let question = format!("Remove {count} {} jobs of {} for good?", self.state, self.name);
        match if self.yes { Some(true) } else { app.out.confirm(&question) } {
            Some(true) => {}
            Some(false) => return Err(Failure::new(Exit::Failed, "nothing was removed")),
            None => {
                return Err(Failure::usage("there is no terminal to ask at").hint("say --yes"));
            }
        }
        let purged = place.backend.broker.operator()?.purge(&self.name, self.state).await?;
        if app.out.is_json() {
            app.out.object(&json!({"queue": self.name.as_str(), "purged": purged}))?;
        } else {
            app.out.note(&format!("removed {purged} {} jobs of {}", self.state, self.name));
        }
        Ok(())
    }
}
