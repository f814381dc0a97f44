//! The Rust of the book, compiled and run as this crate's documentation tests: its pages may use every broker there is, and
//! this crate may too. Nothing of it is in the library.
//!
//! Every page with an example is named here; the first test says which one is missing. The chapters of the lessons show programs
//! that are compiled and run where they are written, in `lessons/`, and are marked to be left alone here.
//!
//! ```
//! let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
//! let named = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book.rs"));
//! for folder in std::fs::read_dir(&book).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
//!     for page in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
//!         let name = format!("{}/{}", folder.file_name().display(), page.file_name().display());
//!         if page.path().extension().is_none_or(|extension| extension != "md") {
//!             continue;
//!         }
//!         let text = std::fs::read_to_string(page.path()).unwrap();
//!         let has_example = text.lines().any(|line| line.starts_with("```rust") && line != "```rust,ignore");
//!         assert!(!has_example || named.contains(&format!("\"{name}\"")), "name {name} in src/book.rs");
//!     }
//! }
//! ```

macro_rules! pages {
    ($($name:ident = $page:literal;)*) => {$(
        #[doc = include_str!(concat!("../../../docs/src/", $page))]
        mod $name {}
    )*};
}

pages! {
    first_job = "start/first-job.md";
    buffer = "concepts/buffer.md";
    queue = "concepts/queue.md";
    message_and_task = "concepts/message-and-task.md";
    retry = "concepts/retry.md";
    order_and_keys = "concepts/order-and-keys.md";
    priorities_and_delay = "concepts/priorities-and-delay.md";
    children_and_overdraft = "concepts/children-and-overdraft.md";
    dedup = "concepts/dedup.md";
    history = "concepts/history.md";
    producer = "guide/producer.md";
    worker = "guide/worker.md";
    results = "guide/results.md";
    memory = "brokers/memory.md";
    sqlite = "brokers/sqlite.md";
    write_your_own = "brokers/write-your-own.md";
}
