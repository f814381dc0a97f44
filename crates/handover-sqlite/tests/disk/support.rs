//! Doing many checks at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Checks each of these, several at once, and fails with what the first of them found that failed.
pub(crate) fn each<T: Sync>(all: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Vec<(usize, String)>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(index) else { return };
                    if let Err(error) = check(one) {
                        failed.lock().unwrap().push((index, error));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    if let Some((_, first)) = failed.first() {
        panic!("{} of {} failed; the first: {first}", failed.len(), all.len());
    }
}
