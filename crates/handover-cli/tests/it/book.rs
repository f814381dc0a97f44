//! The book's chapters about the lessons are what the lessons make of them now, and what a student is told to build can be built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Folder;

/// Pages about the lessons that people write.
const WRITTEN_BY_HAND: [&str; 3] = ["for-teachers.md", "overview.md", "write-your-own.md"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_chapters_and_pictures_of_the_lessons_are_not_stale() {
    let folder = Folder::new();
    folder.run(&["learn", "--book", "new"]).done();
    let (mut new, mut there) = (BTreeMap::new(), BTreeMap::new());
    files(&folder.path("new"), "", &mut new);
    files(&repository().join("docs/src/lessons"), "", &mut there);
    there.retain(|name, _| !WRITTEN_BY_HAND.contains(&name.as_str()));
    let stale: Vec<&String> = new
        .iter()
        .filter(|(name, text)| there.get(*name) != Some(text))
        .map(|(name, _)| name)
        .collect();
    let left: Vec<&String> = there.keys().filter(|name| !new.contains_key(*name)).collect();
    let told = |names: &[&String]| format!("{} ({:?} …)", names.len(), names.first());
    assert!(
        stale.is_empty() && left.is_empty(),
        "in docs/src/lessons {} are stale, and {} are made by no lesson: remove those, and \
         `cargo run -p handover-cli -- learn --book docs/src/lessons` renews the rest",
        told(&stale),
        told(&left)
    );
    let again = folder.run(&["learn", "--book", "new"]);
    assert!(again.done().is_empty() && !again.stderr.contains("wrote"), "{again:?}");
}

#[test]
fn what_learn_file_prints_is_built_and_run_as_it_is() {
    let folder = Folder::new();
    let told = folder.object(&["learn", "--file", "my.rs"]);
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let shown = folder.run(&["learn", "--file", "my.rs"]);
    for part in ["manifest", "program"] {
        let lines = text(part);
        let mut lines = lines.lines().filter(|line| !line.is_empty());
        assert!(lines.all(|line| shown.done().contains(&format!("  {line}\n"))), "{part}");
    }
    // As a student has it: the clone beside the folder of the model.
    let model = folder.path("model");
    fs::create_dir(&model).unwrap();
    fs::write(model.join("Cargo.toml"), text("manifest")).unwrap();
    fs::write(model.join("my.rs"), text("program")).unwrap();
    fs::copy(repository().join("Cargo.lock"), model.join("Cargo.lock")).unwrap();
    std::os::unix::fs::symlink(repository(), folder.path("handover")).unwrap();
    let ran = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(&model)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("own"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("look_then_load: 18 of 20 schedules break it"), "{said}");
    assert!(said.contains("load_inside: 0 of 2 schedules break it"), "{said}");
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn the_example_in_the_book_is_the_one_that_is_built() {
    let page = fs::read_to_string(repository().join("docs/src/lessons/write-your-own.md")).unwrap();
    let folder = Folder::new();
    let told = folder.object(&["learn", "--file", "my.rs"]);
    let program = told["program"].as_str().unwrap();
    assert!(
        page.contains(&format!("```rust,ignore\n{program}```\n")),
        "copy the example:\n{program}"
    );
}

#[test]
fn the_schedule_that_teachers_are_given_ends_well() {
    let page = fs::read_to_string(repository().join("docs/src/lessons/for-teachers.md")).unwrap();
    let schedule =
        page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = Folder::new();
    fs::write(folder.path("fine.json"), schedule).unwrap();
    let run = folder.object(&["learn", "02", "--replay", "fine.json"]);
    assert_eq!((&run["ended"], &run["broken"]), (&true.into(), &false.into()));
}

#[test]
fn every_command_that_the_pages_about_the_lessons_name_is_understood() {
    let folder = Folder::new();
    folder.run(&["learn", "02", "--save", "s.json"]).done();
    for page in WRITTEN_BY_HAND {
        let text = fs::read_to_string(repository().join("docs/src/lessons").join(page)).unwrap();
        let text = text
            .replace("their.json", "s.json")
            .replace("fine.json", "s.json")
            .replace("NAME.rs", "my.rs");
        let spans = text
            .split('`')
            .chain(text.lines())
            .filter_map(|span| span.trim().strip_prefix("handover learn "));
        for words in spans.filter(|words| !words.contains("NN") && !words.contains("--web")) {
            let words: Vec<&str> = words.split('#').next().unwrap().split_whitespace().collect();
            let ran = folder.run(&[&["learn"], &words[..]].concat());
            assert!(ran.code == 0 || ran.code == 65, "{page}: {words:?}: {ran:?}");
        }
    }
}

#[test]
fn a_file_of_the_student_is_looked_at_and_never_changed() {
    let folder = Folder::new();
    let told = |name: &str| folder.object(&["learn", "--file", name]);
    assert_eq!(
        (&told("my.rs")["exists"], &told("my.rs")["uses_lab"]),
        (&false.into(), &false.into())
    );
    assert!(folder.names().is_empty());
    for (program, uses) in [("fn main() {}", false), ("use handover_lab::explore;", true)] {
        fs::write(folder.path("my.rs"), program).unwrap();
        assert_eq!(
            (&told("my.rs")["exists"], &told("my.rs")["uses_lab"]),
            (&true.into(), &uses.into())
        );
        assert_eq!(fs::read_to_string(folder.path("my.rs")).unwrap(), program);
    }
    fs::create_dir(folder.path("folder.rs")).unwrap();
    folder.run(&["learn", "--file", "folder.rs"]).failed(1, "cannot be read");
    for name in ["my", "my.py", "a b.rs", "..", "\u{1b}.rs"] {
        folder.run(&["learn", "--file", name]).failed(2, "no name for a program").hinted("my.rs");
    }
    folder.run(&["learn", "02", "--file", "my.rs"]).failed(2, "cannot be used with");
}
