//! Puts the book into the binary: the demo crawls it, wherever the binary is run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src").canonicalize()?;
    println!("cargo::rerun-if-changed={}", book.display());
    let mut pages = Vec::new();
    collect(&book, &mut pages)?;
    pages.sort();
    let mut list = String::from("&[\n");
    for page in pages {
        let name = page.strip_prefix(&book).map_err(io::Error::other)?;
        writeln!(
            list,
            "({:?}, include_str!({:?})),",
            name.display().to_string(),
            page.display().to_string()
        )
        .map_err(io::Error::other)?;
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("book.rs"), list)
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}
