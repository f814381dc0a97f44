//! The binary `handover`: the command line over the library, and nothing that another program could want.
//!
//! In reading order: `cli.rs` (what can be said), `app.rs` (from the words to an exit code), `commands/` (one file for each
//! command), `url.rs` (what a URL says), `connect.rs` (the only file that knows every broker), `record.rs` (its history),
//! `output.rs` (the only file that prints). `demo/` is a program of its own.

mod app;
mod cli;
mod commands;
mod connect;
#[cfg(unix)]
mod demo;
mod duration;
mod exit;
mod failure;
mod json;
mod log;
mod number;
mod output;
mod record;
mod stop;
mod table;
mod url;

fn main() -> std::process::ExitCode {
    app::main()
}
