//! `cargo xtask fuzz`: feeds every decoder random bytes, guided by what they reach. The targets are in `fuzz/`, a workspace of
//! its own; what must hold is beside each decoder, where the same checks are property tests that need no nightly toolchain.

use crate::run::Program;
use std::path::Path;

/// The longest input, in bytes: limits that lie beyond it have tests of their own.
const INPUT_BYTES_MAX: u32 = 64 * 1024;
/// The longest time for one input, in seconds, in a build that is some twenty times slower than a release.
const INPUT_SECONDS_MAX: u32 = 10;
/// The most memory of a target, in MiB. The sanitizer takes most of it.
const MEMORY_MIB_MAX: u32 = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which target; all of them without a name.
    target: Option<String>,
    /// How long each of them runs.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    let all = targets(root)?;
    let chosen = match &args.target {
        None => all,
        Some(name) if all.contains(name) => vec![name.clone()],
        Some(name) => {
            return Err(format!("there is no fuzz target {name}; there are {}", all.join(", ")));
        }
    };
    check_tools(root)?;
    let mut well = true;
    for target in chosen {
        well &= run(root, &target, args.seconds)?;
    }
    Ok(well)
}

/// The names of the targets, from their files.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/targets");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let names = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name();
        Some(name.to_str()?.strip_suffix(".rs")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn check_tools(root: &Path) -> Result<(), String> {
    if !Program::cargo(root).args(["+nightly", "--version"]).quietly_ok() {
        return Err("fuzzing needs a nightly toolchain; run `rustup toolchain install nightly`. \
                    The property tests make the same checks without one: cargo test fuzz"
            .to_owned());
    }
    if !Program::cargo(root).args(["fuzz", "--version"]).quietly_ok() {
        return Err("cargo-fuzz is missing; run `cargo install cargo-fuzz --locked`".to_owned());
    }
    Ok(())
}

/// Runs one target. What it learns stays under `target/`, so that the next run goes on from there.
fn run(root: &Path, target: &str, seconds: u32) -> Result<bool, String> {
    let learned = root.join("target/fuzz-corpus").join(target);
    let found = root.join("target/fuzz-found").join(target);
    for folder in [&learned, &found] {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let folder = root.join("fuzz");
    let seeds = folder.join("seeds").join(target);
    let path = |path: &Path| path.display().to_string();
    Program::cargo(root)
        .args(["+nightly", "fuzz", "run", "--fuzz-dir", "fuzz", "--target-dir", "target/fuzz"])
        .args([target, &path(&learned), &path(&seeds), "--"])
        .args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={INPUT_BYTES_MAX}"),
            format!("-timeout={INPUT_SECONDS_MAX}"),
            format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
            format!("-dict={}", path(&folder.join("dictionary.txt"))),
            format!("-artifact_prefix={}/", path(&found)),
            "-print_final_stats=1".to_owned(),
        ])
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn root() -> std::path::PathBuf {
        crate::workspace::root()
    }

    #[test]
    fn every_target_is_in_the_manifest_with_a_seed() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets(&root()).unwrap();
        assert!(targets.len() >= 12, "{targets:?}");
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
            let seeds = root().join("fuzz/seeds").join(&target);
            assert!(fs::read_dir(seeds).unwrap().count() >= 1, "{target}");
        }
    }

    #[test]
    fn a_target_that_does_not_exist_is_told_with_those_that_do() {
        let args = Args { target: Some("nothing".to_owned()), seconds: 1 };
        let why = main(&root(), &args).unwrap_err();
        assert!(why.contains("no fuzz target nothing") && why.contains("robots"), "{why}");
    }
}
