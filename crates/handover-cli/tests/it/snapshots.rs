//! The help of every command (and, by `check`, other texts), as it was last agreed on: `UPDATE_SNAPSHOTS=1 cargo test -p handover-cli` writes it anew.

use std::path::Path;

use crate::support::Folder;

/// Compares a text with the file of this name, or writes the file.
pub(crate) fn check(name: &str, text: &str) {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let agreed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        agreed == text,
        "the text differs from {name}.txt; it is now (UPDATE_SNAPSHOTS=1 accepts it):\n{text}"
    );
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   ")) // a description goes on
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn check_all(folder: &Folder, words: &[String]) {
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = folder.run(&arguments).done().to_owned();
    let name = std::iter::once("handover").chain(words.iter().map(String::as_str));
    check(&name.collect::<Vec<_>>().join("-"), &help);
    for command in commands(&help) {
        check_all(folder, &[words, &[command]].concat());
    }
}

#[test]
fn the_help_is_the_one_agreed_on() {
    check_all(&Folder::new(), &[]);
}
