//! The reader: a thread with a read-only connection, so that a long listing never stands in the writer's way.
//!
//! It starts with the first look and ends with the file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use handover::Result;
use handover_buffer::{Receiver, Sender};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::closed;
use crate::writer::no_thread;
use crate::{connect, patience, schema};

/// Looks that wait for the one before.
const LOOKS_MAX: usize = 64;

type Look = Box<dyn FnOnce(Result<&Connection>) + Send>;

pub(crate) struct Reader {
    path: PathBuf,
    busy_wait_max: Duration,
    /// Started by the first look.
    running: Mutex<Option<(Sender<Look>, JoinHandle<()>)>>,
}

impl Reader {
    pub(crate) fn new(path: &Path, busy_wait_max: Duration) -> Self {
        Self { path: path.to_owned(), busy_wait_max, running: Mutex::default() }
    }

    /// How long a look waits while other processes keep the file busy.
    pub(crate) fn busy_wait_max(&self) -> Duration {
        self.busy_wait_max
    }

    /// Does `work` on the reader's thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let looks = self.looks()?;
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |connection| {
            _ = reply.send(connection.and_then(work)); // a caller that is gone needs no answer
        });
        looks.send_async(look).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    fn looks(&self) -> Result<Sender<Look>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((looks, _)) = &*running {
            return Ok(looks.clone());
        }
        let (sender, receiver) = handover_buffer::bounded(LOOKS_MAX);
        let (path, busy_wait_max) = (self.path.clone(), self.busy_wait_max);
        let thread = std::thread::Builder::new()
            .name("handover-reader".into())
            .spawn(move || run(&path, busy_wait_max, &receiver))
            .map_err(no_thread)?;
        *running = Some((sender.clone(), thread));
        Ok(sender)
    }

    /// Ends the thread after the looks that were asked for.
    pub(crate) async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((looks, thread)) = running {
            let (reply, ended) = oneshot::channel::<()>();
            // When the last look is done, the thread is about to end: joining it is short.
            let last: Look = Box::new(move |_| drop(reply));
            _ = looks.send_async(last).await; // the thread ends either way
            looks.close();
            _ = ended.await;
            _ = thread.join(); // a look that panicked has told its caller by dropping the reply
        }
    }
}

fn run(path: &Path, busy_wait_max: Duration, looks: &Receiver<Look>) {
    patience::limit(busy_wait_max);
    let mut connection = None;
    for look in looks.iter() {
        if connection.is_none() {
            match connect::reader(path) {
                Ok(opened) => connection = Some(opened),
                Err(error) => {
                    look(Err(error));
                    continue;
                }
            }
        }
        if let Some(connection) = &connection {
            // Another process may have brought the file to a format that this one would misread.
            look(schema::look(connection).map(|_| connection));
        }
    }
}
