//! The commands: one file each. To add one, write its file and one line in the list below.

mod backup;
mod completions;
#[cfg(unix)]
pub(crate) mod crawl;
mod doctor;
mod job;
mod learn;
mod man;
mod queue;
mod result;
mod send;
mod trace;
#[cfg(unix)]
mod work;

use clap::Subcommand;
use handover::{BrokerExt, QueueInfo, QueueName};

use crate::app::App;
use crate::connect::Place;
use crate::exit::Exit;
use crate::failure::Failure;

/// Makes the list: for each line a variant of [`Command`], and the call of its `run`.
macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($arguments:ty),)*) => {
        /// The commands.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $name($arguments),)*
        }

        impl Command {
            /// Does what was asked.
            pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
                match self {
                    $($(#[$attribute])* Self::$name(arguments) => arguments.run(app).await,)*
                }
            }
        }
    };
}

commands! {
    Queue(queue::Queue),
    Send(send::Send),
    #[cfg(unix)]
    Work(Box<work::Work>),
    #[cfg(unix)]
    Crawl(Box<crawl::CrawlArgs>),
    Result(result::Outcome),
    Job(job::Job),
    Backup(backup::Backup),
    Doctor(doctor::Doctor),
    #[cfg(unix)]
    Demo(crate::demo::DemoArgs),
    Trace(Box<trace::Trace>),
    Learn(Box<learn::Learn>),
    Completions(completions::Completions),
    Man(man::Man),
}

/// What to do about a queue that is not there.
fn create_hint(queue: &QueueName) -> String {
    format!("handover queue create {queue} --capacity 1000")
}

/// The queue as it is now, or the failure that there is none.
async fn find_queue(place: &Place, queue: &QueueName) -> Result<QueueInfo, Failure> {
    place.backend.broker.inspector()?.queue(queue).await?.ok_or_else(|| {
        Failure::nothing_found(format!("there is no queue {queue:?}")).hint(create_hint(queue))
    })
}
