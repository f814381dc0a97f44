//! Rules about any text file: how long it may be, and that it names no machine's paths and no
//! registry's host. Rules about Rust are in [`super::rust`].

use super::{Finding, Tree};

const LINES_MAX: usize = 600;

/// Endings of the files that people write and read.
const WRITTEN: [&str; 11] =
    [".rs", ".md", ".toml", ".sh", ".yml", ".sql", ".html", ".css", ".js", ".ci/run", ".json"];

/// Grow by their nature, and are read from the top.
const MAY_GROW: [&str; 1] = ["CHANGELOG.md"];

fn written(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let all = tree.under("", "");
    all.filter(|(path, _)| WRITTEN.iter().any(|ending| path.ends_with(ending)))
}

pub(crate) fn length(tree: &Tree) -> Vec<Finding> {
    written(tree)
        .filter(|(path, _)| !MAY_GROW.contains(path))
        .filter_map(|(path, text)| {
            let count = text.lines().count();
            let what = || format!("{count} lines, at most {LINES_MAX}; split it by concept");
            (count > LINES_MAX).then(|| Finding::new(path, LINES_MAX + 1, what()))
        })
        .collect()
}

/// Put together from halves, so that this file does not find itself.
const FOLDERS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tm", "p/"),
    concat!("/Use", "rs/"),
];

const HOSTS: [&str; 9] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("py", "pi.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("proxy.", "golang.org"),
];

pub(crate) fn places(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in written(tree) {
        for (index, line) in text.lines().enumerate() {
            if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(line, folder)) {
                let what = format!(
                    "{folder} is a folder of one machine; write a relative path, or make a \
                     temporary folder"
                );
                findings.push(Finding::new(path, index + 1, what));
            }
            if let Some(host) = HOSTS.iter().find(|host| line.contains(*host)) {
                let what = format!("{host} is a registry's host; name the package and its client");
                findings.push(Finding::new(path, index + 1, what));
            }
        }
    }
    findings
}

/// Whether the folder begins a path here: `a/work/b` and `http://h/work/b` are other places.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.)}>*~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOTHING, check};
    use super::*;

    #[test]
    fn six_hundred_lines_are_enough() {
        assert_eq!(check(length, "a.rs", &"x\n".repeat(600)), NOTHING);
        assert_eq!(check(length, "a.rs", &"x\n".repeat(601)), [601]);
        for path in ["Cargo.lock", "CHANGELOG.md"] {
            assert_eq!(check(length, path, &"x\n".repeat(601)), NOTHING);
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = FOLDERS.map(|folder| format!("see `{folder}x`\n")).concat();
        assert_eq!(check(places, "a.md", &text), [1, 2, 3, 4, 5]);
        let elsewhere = format!("https://host{}x and a{}b\n", FOLDERS[0], FOLDERS[1]);
        assert_eq!(check(places, "a.md", &elsewhere), NOTHING);
    }

    #[test]
    fn a_host_of_a_registry_is_found() {
        let text = HOSTS.map(|host| format!("https://{host}/x\n")).concat();
        assert_eq!(check(places, "a.toml", &text).len(), HOSTS.len());
        assert_eq!(check(places, "a.md", "published on crates.io\n"), NOTHING);
    }
}
