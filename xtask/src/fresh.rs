//! `cargo xtask fresh`: proves the README's two commands in a clean clone of HEAD, in an empty
//! folder, with nothing of this checkout: its own target folder, an empty home, and only the
//! variables that say where the toolchain and the registry are. The downloaded registry is kept.

use crate::ci::judge_demo;
use crate::run::{Program, Stopwatch};
use std::path::{Path, PathBuf};

/// In the README, the line before the fenced block with the commands.
pub(crate) const MARKER: &str = "<!-- the two commands -->";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the clone, and print where it is.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    let folder = tempfile::Builder::new()
        .prefix("handover-fresh-")
        .tempdir()
        .map_err(|e| format!("no temporary folder: {e}"))?;
    let outcome = prove(root, folder.path());
    if args.keep {
        println!("kept: {}", folder.keep().display());
    }
    outcome
}

fn prove(root: &Path, folder: &Path) -> Result<bool, String> {
    let (clone, home) = (folder.join("clone"), folder.join("home"));
    std::fs::create_dir(&home).map_err(|e| format!("{}: {e}", home.display()))?;
    let (from, to) = (root.to_string_lossy(), clone.to_string_lossy());
    if !Program::new("git", folder).args(["clone", "--quiet", &from, &to]).ok()? {
        return Err("cannot clone this repository".to_owned());
    }
    let readme = std::fs::read_to_string(clone.join("README.md"))
        .map_err(|e| format!("README.md of HEAD: {e}; commit it first"))?;
    let env = environment(&home, readable_vars());
    let mut times = Vec::new();
    for command in two_commands(&readme)? {
        let watch = Stopwatch::start();
        let well = shell(&clone, &env, &command).ok()?;
        times.push(format!(
            "{command}: {} in {}",
            if well { "ok" } else { "FAILED" },
            watch.read()
        ));
        if !well {
            println!("{}", times.join("\n"));
            return Ok(false);
        }
        if command.ends_with(" demo") {
            // As written it speaks to a person; once more for what a program can judge.
            let (well, last) = shell(&clone, &env, &format!("{command} --json")).last_line()?;
            judge_demo(&last)?;
            if !well {
                return Ok(false);
            }
        }
    }
    println!("\nin a clean clone:\n{}", times.join("\n"));
    Ok(true)
}

/// The variables that are text; [`std::env::vars`] would panic on another.
fn readable_vars() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn shell(clone: &Path, env: &[(String, String)], command: &str) -> Program {
    Program::new("sh", clone).args(["-c", command]).only_env(env)
}

/// The commands of the README's marked block, without their comments.
pub(crate) fn two_commands(readme: &str) -> Result<Vec<String>, String> {
    let (_, after) = readme.split_once(MARKER).ok_or_else(|| {
        format!("README.md has no line `{MARKER}` before its two commands; add it")
    })?;
    let mut lines = after.lines().skip_while(|line| line.trim().is_empty());
    if !lines.next().is_some_and(|line| line.starts_with("```")) {
        return Err(format!("README.md: after `{MARKER}` comes no fenced block; put one there"));
    }
    let commands: Vec<String> = lines
        .take_while(|line| !line.starts_with("```"))
        .map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if commands.len() != 2 {
        return Err(format!(
            "README.md: after `{MARKER}` are {} commands, not two",
            commands.len()
        ));
    }
    Ok(commands)
}

/// What a newcomer's shell has: programs, the toolchain, the way to the registry; no build flags,
/// no home with settings in it, none of this project's variables.
fn environment(home: &Path, vars: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let vars: Vec<(String, String)> = vars.collect();
    let kept_names =
        ["PATH", "TERM", "LANG", "USER", "RUSTUP_TOOLCHAIN", "CARGO_HOME", "RUSTUP_HOME"];
    let kept_prefixes = [
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "SSL_CERT_",
        "http",
        "HTTP",
        "NO_PROXY",
        "no_proxy",
    ];
    let kept = |name: &str| {
        kept_names.contains(&name) || kept_prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut env: Vec<(String, String)> =
        vars.iter().filter(|(name, _)| kept(name)).cloned().collect();
    let old_home =
        vars.iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        // Both default to the home that is taken away here.
        if let (false, Some(old)) = (env.iter().any(|(n, _)| n == name), &old_home) {
            env.push((name.to_owned(), old.join(folder).to_string_lossy().into_owned()));
        }
    }
    env.push(("HOME".to_owned(), home.to_string_lossy().into_owned()));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readme(block: &str) -> String {
        format!("# handover\n\n{MARKER}\n{block}\nMore.\n\n```sh\nother\n```\n")
    }

    #[test]
    fn the_two_commands_are_read_without_their_comments() {
        let readme = readme(
            "\n```sh\n# first\ncargo run --release -- demo   # the main job\n\ncargo xtask test\n```\n",
        );
        assert_eq!(
            two_commands(&readme),
            Ok(vec!["cargo run --release -- demo".to_owned(), "cargo xtask test".to_owned()])
        );
    }

    #[test]
    fn a_readme_without_exactly_two_commands_is_refused() {
        for (text, named) in [
            ("# handover\n".to_owned(), "no line"),
            (readme("text\n"), "no fenced block"),
            (readme("```sh\none\n```\n"), "are 1 commands"),
        ] {
            let why = two_commands(&text).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn the_clone_sees_the_toolchain_and_nothing_of_this_checkout() {
        let vars = [
            ("PATH", "/bin"),
            ("HOME", "/me"),
            ("RUSTUP_HOME", "/rustup"),
            ("RUSTFLAGS", "-D warnings"),
            ("CARGO_TARGET_DIR", "/target"),
            ("HANDOVER_BROKER", "memory:"),
            ("CARGO_MANIFEST_DIR", "/here"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut env = environment(Path::new("/empty"), vars.into_iter());
        env.sort();
        let names: Vec<String> =
            env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            names,
            ["CARGO_HOME=/me/.cargo", "HOME=/empty", "PATH=/bin", "RUSTUP_HOME=/rustup"]
        );
    }
}
