//! Where things are: the root, the member crates, and what their manifests say. Manifests are read
//! by a reader of the few forms this house writes, with line numbers, so that a finding of tidy can
//! point at its line; it is no general TOML parser.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir).to_path_buf()
}

/// One member crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// The package's name, which in this house is also its folder's.
    pub(crate) name: String,
    /// Its folder, relative to the root, with forward slashes.
    pub(crate) dir: String,
    pub(crate) manifest: Manifest,
}

impl Member {
    /// Whether other crates can depend on it, and so whether it has doc tests.
    pub(crate) fn has_lib(&self, root: &Path) -> bool {
        root.join(&self.dir).join("src/lib.rs").is_file()
    }
}

/// What this house reads from a manifest: every `key = value` with its section and line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) entries: Vec<Entry>,
}

/// One `key = value` line. `section` is the header without brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// For what a dependency is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

impl Manifest {
    pub(crate) fn parse(text: &str) -> Self {
        let mut section = String::new();
        let mut entries = Vec::new();
        for (index, raw) in text.lines().enumerate() {
            let line = raw.split(" #").next().unwrap_or(raw).trim();
            if line.starts_with('#') {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').trim_start_matches('[').to_owned();
                // `[dependencies.name]` has no key of its own, but the header names a dependency.
                entries.push(Entry {
                    section: section.clone(),
                    key: String::new(),
                    value: String::new(),
                    line: index + 1,
                });
            } else if let Some((key, value)) = line.split_once('=') {
                entries.push(Entry {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    line: index + 1,
                });
            }
        }
        Self { entries }
    }

    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let found = self.entries.iter().find(|e| e.section == section && e.key == key)?;
        Some(found.value.trim_matches('"'))
    }

    /// Every dependency, of any kind and for any target, each named once for each kind.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let mut found: Vec<Dependency> = Vec::new();
        for entry in &self.entries {
            let Some((kind, table)) = dependency_section(&entry.section) else { continue };
            let name = match (table, entry.key.as_str()) {
                (Some(name), _) => name,
                (None, "") => continue,
                (None, key) => key.split('.').next().unwrap_or(key),
            };
            let name = name.trim_matches('"').to_owned();
            if !found.iter().any(|d| d.name == name && d.kind == kind) {
                found.push(Dependency { name, kind, line: entry.line });
            }
        }
        found
    }
}

/// The kind a section's header speaks of, and the dependency's name if the header carries it.
fn dependency_section(section: &str) -> Option<(Kind, Option<&str>)> {
    // `target.'cfg(unix)'.dependencies` is about the same crate as `dependencies`. The condition
    // may hold dots, so the kind is looked for from the end of the quoted part.
    let local = match section.strip_prefix("target.") {
        Some(rest) => rest.rsplit_once("'.").map_or(rest, |(_, kind)| kind),
        None => section,
    };
    for (word, kind) in [
        ("dev-dependencies", Kind::Dev),
        ("build-dependencies", Kind::Build),
        ("dependencies", Kind::Normal),
    ] {
        if local == word {
            return Some((kind, None));
        }
        if let Some(name) = local.strip_prefix(word).and_then(|rest| rest.strip_prefix('.')) {
            return Some((kind, Some(name)));
        }
    }
    None
}

/// Every member: the crates in name order, then `bench` and `xtask` where they exist.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>, String> {
    let crates = root.join("crates");
    let entries = fs::read_dir(&crates)
        .map_err(|e| format!("{}: {e}; run this inside the workspace", crates.display()))?;
    let mut dirs: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("crates/{}", entry.file_name().to_string_lossy()))
        .collect();
    dirs.sort();
    for extra in ["bench", "lessons", "xtask"] {
        if root.join(extra).join("Cargo.toml").is_file() {
            dirs.push(extra.to_owned());
        }
    }
    dirs.into_iter().map(|dir| read_member(root, dir)).collect()
}

fn read_member(root: &Path, dir: String) -> Result<Member, String> {
    let path = root.join(&dir).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let manifest = Manifest::parse(&text);
    let name = manifest
        .get("package", "name")
        .ok_or_else(|| format!("{dir}/Cargo.toml:1: no package name; add one"))?
        .to_owned();
    Ok(Member { name, dir, manifest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_seen_with_its_line() {
        let manifest = Manifest::parse(
            "[package]\nname = \"a\"\n\n[dependencies]\nb.workspace = true\nc = { path = \"../c\" }\n\
             # d = \"1\"\n[dependencies.e]\nversion = \"1\"\nfeatures = []\n\n\
             [target.'cfg(target_os = \"linux.x\")'.dependencies]\nf = \"1\"\n\
             [dev-dependencies]\ng = \"1\"\n[build-dependencies]\nh = \"1\"\n[features]\ni = []\n",
        );
        let seen: Vec<_> =
            manifest.dependencies().into_iter().map(|d| (d.name, d.kind, d.line)).collect();
        let named = |name: &str, kind, line| (name.to_owned(), kind, line);
        assert_eq!(
            seen,
            [
                named("b", Kind::Normal, 5),
                named("c", Kind::Normal, 6),
                named("e", Kind::Normal, 8),
                named("f", Kind::Normal, 13),
                named("g", Kind::Dev, 15),
                named("h", Kind::Build, 17),
            ]
        );
    }

    #[test]
    fn a_value_is_found_by_section_and_key() {
        let manifest =
            Manifest::parse("[package]\nname = \"a\" # why\n[lints]\nworkspace = true\n");
        assert_eq!(manifest.get("package", "name"), Some("a"));
        assert_eq!(manifest.get("lints", "workspace"), Some("true"));
        assert_eq!(manifest.get("lints", "name"), None);
    }

    #[test]
    fn this_workspace_has_its_members() {
        let members = members(&root()).unwrap();
        let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
        for name in ["handover", "handover-buffer", "handover-cli", "xtask"] {
            assert!(names.contains(&name), "{name} is missing from {names:?}");
        }
    }
}
