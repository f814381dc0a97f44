//! The process group of one run of a command: signals to all of it, and its end with that of the run.

use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process_group};

use super::guard::Guard;

/// The group a command leads. Dropping it kills whatever is left of it.
#[derive(Debug)]
pub(super) struct Group {
    /// `None` where the leader was reaped before its number could be read.
    leader: Option<Pid>,
    guard: Arc<Guard>,
}

impl Group {
    pub(super) fn led_by(child: &tokio::process::Child, guard: &Arc<Guard>) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            guard.watch(leader);
        }
        Self { leader, guard: Arc::clone(guard) }
    }

    /// Asks the group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    // The number of a group is free for another as soon as its last process is reaped. The system hands numbers out in
    // turn, so this one would have to go all the way round in the moment between the reaping and the signal.
    fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        match kill_process_group(leader, signal) {
            // ESRCH is the usual end: nothing was left.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => {
                tracing::warn!(group = leader.as_raw_nonzero().get(), %error, "a process group could not be signalled");
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        if let Some(leader) = self.leader {
            self.guard.forget(leader);
        }
    }
}
