//! `learn --file`: how to explore a small model of one's own code. What is printed is an example of `handover-lab` that is built
//! and run by its tests. The student's file is looked at and never run: that is cargo's.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::json;

use crate::app::App;
use crate::failure::Failure;

/// The program to begin with.
const EXAMPLE: &str = include_str!("../../../../handover-lab/examples/own.rs");

/// The most of a file that is looked at.
const BYTES_MAX: u64 = 1 << 20;

/// Prints how to explore the model in this file, which need not exist.
///
/// # Errors
/// Where it is there and cannot be read, or its name cannot be that of a program.
pub(super) fn print_guide(app: &App, file: &Path) -> Result<(), Failure> {
    let name = file.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
    let Some(name) = name else {
        return Err(Failure::usage(format!("{file:?} is no name for a program"))
            .hint("letters, digits, - and _, ending in .rs, such as my.rs"));
    };
    let found = look(file)?;
    let manifest = manifest(name);
    app.out.result(
        &json!({
            "file": name,
            "exists": found.is_some(),
            "uses_lab": found.as_ref().is_some_and(|text| uses_lab(text)),
            "manifest": manifest,
            "program": EXAMPLE,
            "commands": ["cargo run", "cargo test"],
        }),
        || words(name, found.as_deref(), &manifest),
    )?;
    Ok(())
}

/// Names that stand in a manifest and in a path without quotes.
fn is_plain(name: &str) -> bool {
    let stem = name.strip_suffix(".rs").unwrap_or_default();
    stem.starts_with(|c: char| c.is_ascii_alphabetic())
        && stem.len() <= 60
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn look(file: &Path) -> Result<Option<String>, Failure> {
    let refused =
        |error: io::Error| Failure::io(format!("the file {file:?} cannot be read"), &error);
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    let mut bytes = Vec::new();
    opened.take(BYTES_MAX).read_to_end(&mut bytes).map_err(refused)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether a program is one for the explorer, as far as can be told without running it.
fn uses_lab(program: &str) -> bool {
    program.contains("handover_lab") && program.contains("explore")
}

fn manifest(name: &str) -> String {
    let stem = name.trim_end_matches(".rs");
    format!(
        "[package]\nname = \"{stem}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \"{stem}\"\npath = \"{name}\"\n\n\
         [dependencies]\n# where your clone of handover is\nhandover-lab = {{ path = \"../handover/crates/handover-lab\" }}\n"
    )
}

fn words(name: &str, found: Option<&str>, manifest: &str) -> String {
    let stands = match found {
        None => format!("There is no {name} yet: begin with the one below."),
        Some(text) if uses_lab(text) => {
            format!(
                "{name} is there and uses handover_lab: put the manifest beside it, and run it."
            )
        }
        Some(_) => format!(
            "{name} is there and does not use handover_lab's explore. A model is small: copy the few lines that \
             matter into one like that below."
        ),
    };
    let stands = super::wrap::wrapped(&stands, "");
    let (indented, program) = (indented(manifest), indented(EXAMPLE));
    format!(
        "A small model of your own code is a function whose threads, locks and values\nare those of handover-lab. It runs under \
         every schedule, as the lessons do.\n\n{stands}\n\nCargo.toml\n\n{indented}\n{name}\n\n{program}\nThen, in that \
         folder:\n\n  cargo run     explores the programs and prints the shortest that breaks\n  cargo test    proves the repair, \
         each time\n\nhandover runs none of your code. The chapter Write your own of the book says\nwhat a model may contain, and \
         what an exploration does not say."
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", format!("  {line}").trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_fits_a_terminal() {
        for found in [None, Some("fn main() {}"), Some(EXAMPLE)] {
            let words = words("my.rs", found, &manifest("my.rs"));
            let wide = words.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None);
        }
    }

    #[test]
    fn only_plain_names_stand_in_a_manifest() {
        assert!(["my.rs", "my-model_2.rs"].iter().all(|name| is_plain(name)));
        for name in
            ["my", ".rs", "a b.rs", "2.rs", "a\".rs", "é.rs", &format!("{}.rs", "a".repeat(99))]
        {
            assert!(!is_plain(name), "{name}");
        }
    }
}
