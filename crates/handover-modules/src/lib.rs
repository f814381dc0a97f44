//! Ready-made consumers for handover. Each is a module of its own and says what it needs.
//!
//! Here is no broker, no worker and no queue: a consumer's parts are plain functions and types
//! that can be used and tested without one.
//!
//! - [`command`]: any program as a consumer: arguments on stdin, result on stdout, exit code is the outcome.
//! - [`crawl`]: a site's pages as jobs of one queue that its own workers fill.
//! - [`scraper`]: fetch pages politely, find their links, pick fields out of them.

#[cfg(unix)]
pub mod command;
pub mod crawl;
pub mod scraper;
