//! `cargo xtask bench`: the measurements by name, each a release build of an example beside the
//! code that it measures. What they measure and print is theirs.

use crate::run::Program;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which one; all of them without a name.
    name: Option<Name>,
    /// Passed on to it.
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// The in-process buffer, items a second.
    Buffer,
    /// The embedded broker, cycles a second and latencies.
    Embedded,
}

impl Name {
    const ALL: [Self; 2] = [Self::Buffer, Self::Embedded];

    fn package_and_example(self) -> (&'static str, &'static str) {
        match self {
            Self::Buffer => ("handover-buffer", "throughput"),
            Self::Embedded => ("handover-sqlite", "rates"),
        }
    }
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    let names = args.name.map_or_else(|| Name::ALL.to_vec(), |name| vec![name]);
    let mut well = true;
    for name in names {
        let (package, example) = name.package_and_example();
        well &= Program::cargo(root)
            .args(["run", "--release", "--package", package, "--example", example, "--"])
            .args(&args.rest)
            .ok()?;
    }
    Ok(well)
}
