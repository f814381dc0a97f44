//! What a panic says, kept from the default hook: a broken assertion is a finding here, and is told as one. An exploration would
//! print thousands. Threads that no run knows print theirs as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    /// The calling thread runs code of a program whose run tells of its panics.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a panic said.
pub(crate) fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

/// What the last panic of the calling thread in a run said, for the case that it is left in the midst of it.
pub(crate) fn said_last() -> String {
    let said = SAID.with_borrow(Clone::clone);
    if said.is_empty() { "a panic without a text".to_owned() } else { said }
}

/// Puts the hook in place that is quiet within [`quietly`], once for the process.
pub(crate) fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                SAID.set(said(info.payload()));
            } else {
                before(info);
            }
        }));
    });
}

/// Does `work`, and prints nothing of its panics.
pub(crate) fn quietly<R>(work: impl FnOnce() -> R) -> R {
    struct Leave(bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            QUIET.set(self.0);
        }
    }
    let _leave = Leave(QUIET.replace(true));
    work()
}
