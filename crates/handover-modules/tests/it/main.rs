//! The scraper against a real socket: a server in the test's own process that can be as rude as
//! servers get. Nothing leaves the machine. Random input for every parser is in `src/scraper/fuzz`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod bodies;
mod crawl;
mod redirects;
mod robots;
mod server;
mod tls;
mod trouble;
