//! Making a fresh machine ready for the tests: the Debian packages they need, and what drives a
//! browser, installed in the open. What cannot be installed is said exactly and fails the group
//! that needs it.

use crate::run::Program;
use std::path::{Path, PathBuf};

/// Packages that serve the site of the `crawl` group.
const SITE: [&str; 2] = ["nginx-light", "python3-doc"];

/// The package that looks at a process's system calls, for the `test` group and `bench idle`.
const STRACE: [&str; 1] = ["strace"];

/// The browser of the `page` group; and the variable that names another Chromium.
const BROWSER: [&str; 1] = ["chromium-headless-shell"];
const BROWSER_VARIABLE: &str = "HANDOVER_BROWSER";

/// Some images leave documentation out of every package they install; this asks for it back.
const WITH_DOCS: &str = "Dpkg::Options::=--path-include=/usr/share/doc/*";

/// What the `crawl` group needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteNeeds {
    pub(crate) nginx: PathBuf,
    /// The folder of the site's pages, with an `index.html`.
    pub(crate) tree: PathBuf,
}

/// Finds what the site needs, installing it first if it is missing and can be installed.
pub(crate) fn site_needs() -> Result<SiteNeeds, String> {
    if let Some(found) = find() {
        return Ok(found);
    }
    install(&SITE, "crawl")?;
    find().ok_or_else(|| {
        format!(
            "{} are installed, but nginx or the pages under /usr/share/doc/python3.*/html are not \
             there; an image that leaves documentation out needs: apt-get install --reinstall \
             -o '{WITH_DOCS}' python3.11-doc (or your version's); or narrow with --without crawl",
            SITE.join(" and ")
        )
    })
}

/// Makes sure that strace is there, installing it if it is missing. Only Linux has it, and what
/// needs it is tested only there.
pub(crate) fn strace() -> Result<(), String> {
    if !cfg!(target_os = "linux") || find_program("strace").is_some() {
        return Ok(());
    }
    install(&STRACE, "handover-bench,handover-sqlite")
}

/// The browser that tests the page in `folder`, with what drives it, installing both if they are missing.
pub(crate) fn page_needs(folder: &Path) -> Result<PathBuf, String> {
    let browser = match std::env::var_os(BROWSER_VARIABLE) {
        Some(named) => PathBuf::from(named),
        None => browser()?,
    };
    let npm = |args: &[&str]| Program::new("npm", folder).args(args);
    if !npm(&["--version"]).quietly_ok() {
        return Err("npm, which comes with Node.js, is missing; install Node.js 20 or later, or \
                    narrow with --without page"
            .to_owned());
    }
    // What is there and as the lock file has it needs no network.
    if !npm(&["ls"]).quietly_ok() && !npm(&["ci", "--no-audit", "--no-fund"]).ok()? {
        return Err("npm could not install what drives the browser, see above; or narrow with \
                    --without page"
            .to_owned());
    }
    Ok(browser)
}

fn browser() -> Result<PathBuf, String> {
    let [name] = BROWSER;
    if find_program(name).is_none() {
        install(&BROWSER, "page").map_err(|why| {
            format!("{why}; or name a Chromium that is there with {BROWSER_VARIABLE}")
        })?;
    }
    find_program(name).ok_or_else(|| format!("{name} is installed, but not on the PATH"))
}

fn find() -> Option<SiteNeeds> {
    let nginx = find_program("nginx")?;
    let tree = newest_tree(Path::new("/usr/share/doc"))?;
    Some(SiteNeeds { nginx, tree })
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, which is not on everybody's PATH.
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// The pages of the newest Python documented under `doc`.
fn newest_tree(doc: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(doc).ok()?;
    let trees = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name();
        let minor: u32 = name.to_str()?.strip_prefix("python3.")?.parse().ok()?;
        let tree = entry.path().join("html");
        tree.join("index.html").is_file().then_some((minor, tree))
    });
    trees.max().map(|(_, tree)| tree)
}

/// Installs packages; `without` is what can be left out instead.
fn install(packages: &[&str], without: &str) -> Result<(), String> {
    let wanted = packages.join(" ");
    let by_hand = format!("install {wanted} by hand, or narrow with --without {without}");
    let here = Path::new("/");
    if !Program::new("apt-get", here).args(["--version"]).quietly_ok() {
        return Err(format!("{wanted} are missing and this machine has no apt-get; {by_hand}"));
    }
    let prefix = root_prefix(here)
        .ok_or_else(|| format!("{wanted} are missing, and you are neither root nor have sudo without a password; run `sudo apt-get install {wanted}`, or narrow with --without {without}"))?;
    println!("setup: installing {wanted}");
    if wanted.contains("nginx") {
        println!("setup: on a machine with services nginx may start on port 80");
    }
    let apt = |args: &[&str]| {
        let words: Vec<&str> = prefix
            .iter()
            .chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .copied()
            .collect();
        Program::new(words[0], here).args(&words[1..]).args(args).ok()
    };
    // An old list of packages names files that are gone; a failed update is told by the install.
    apt(&["update", "-q"])?;
    let mut args = vec!["install", "-y", "-q", "--no-install-recommends", "-o", WITH_DOCS];
    args.extend(packages);
    if !apt(&args)? {
        return Err(format!("apt-get could not install {wanted}; {by_hand}"));
    }
    Ok(())
}

/// What to write before a command that needs root: nothing as root, `sudo -n` if it may.
fn root_prefix(here: &Path) -> Option<&'static [&'static str]> {
    if Program::new("sh", here).args(["-c", "test \"$(id -u)\" = 0"]).quietly_ok() {
        return Some(&[]);
    }
    Program::new("sudo", here).args(["-n", "true"]).quietly_ok().then_some(&["sudo", "-n"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_newest_python_wins_by_number_not_by_letter() {
        let doc = tempfile::tempdir().unwrap();
        for name in ["python3.9", "python3.11", "python3-doc", "python3.99"] {
            fs::create_dir_all(doc.path().join(name).join("html")).unwrap();
        }
        for name in ["python3.9", "python3.11"] {
            fs::write(doc.path().join(name).join("html/index.html"), "").unwrap();
        }
        assert_eq!(newest_tree(doc.path()), Some(doc.path().join("python3.11/html")));
    }

    #[test]
    fn no_pages_no_tree() {
        let doc = tempfile::tempdir().unwrap();
        assert_eq!(newest_tree(doc.path()), None);
        assert_eq!(newest_tree(&doc.path().join("absent")), None);
    }
}
