//! The scraper against a real socket: a server in the test's own process that can be as rude as
//! servers get, and random input for every parser. Nothing leaves the machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod bodies;
mod crawl;
mod properties;
mod redirects;
mod robots;
mod server;
mod tls;
mod trouble;
