//! Puts the book into the binary, its pages and the files beside them: the demo crawls it, wherever the binary is run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src").canonicalize()?;
    println!("cargo::rerun-if-changed={}", book.display());
    let mut paths = Vec::new();
    collect(&book, &mut paths)?;
    paths.sort();
    let is_page = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let pages = list(&book, paths.iter().filter(is_page), "include_str!")?;
    let files = list(&book, paths.iter().filter(|path| !is_page(path)), "include_bytes!")?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    let out = Path::new(&out);
    fs::write(out.join("book.rs"), pages)?;
    fs::write(out.join("book_files.rs"), files)
}

/// A slice of names and contents, as an expression.
fn list<'a>(
    book: &Path,
    paths: impl Iterator<Item = &'a PathBuf>,
    include: &str,
) -> io::Result<String> {
    let mut list = String::from("&[\n");
    for path in paths {
        let name = path.strip_prefix(book).map_err(io::Error::other)?;
        let (name, path) = (name.display().to_string(), path.display().to_string());
        writeln!(list, "({name:?}, {include}({path:?})),").map_err(io::Error::other)?;
    }
    list.push(']');
    Ok(list)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
