//! `handover learn --web`: the page on which the student is the scheduler. It is a folder of files, in which nothing refers to
//! anything outside: served on the loopback address here, put into the book by `book.rs`, and opened as files just as well.
//!
//! `data.rs` writes what the page knows of the lessons, `server.rs` serves it. The page itself is in `crates/handover-cli/web`.

mod data;
mod server;

use handover_lessons::{Lesson, Program};
use serde_json::json;

use crate::app::App;
use crate::failure::Failure;

/// The parts of the page that are the same whatever the lessons are.
const PARTS: [(&str, &str); 9] = [
    ("index.html", include_str!("../../../../web/index.html")),
    ("app.css", include_str!("../../../../web/app.css")),
    ("icon.svg", include_str!("../../../../web/icon.svg")),
    ("app.js", include_str!("../../../../web/app.js")),
    ("graph.js", include_str!("../../../../web/graph.js")),
    ("lanes.js", include_str!("../../../../web/lanes.js")),
    ("view.js", include_str!("../../../../web/view.js")),
    ("walk.js", include_str!("../../../../web/walk.js")),
    ("words.js", include_str!("../../../../web/words.js")),
];

/// Every file of the page, by its path below the page's folder, with `/` between the parts of it. The same bytes each time.
pub(super) fn files() -> Vec<(String, Vec<u8>)> {
    let parts = PARTS.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    parts.into_iter().chain(data::files()).collect()
}

/// Serves the page until it is stopped, and says where: at the lesson and the program that were asked for.
///
/// # Errors
/// Where the port cannot be had.
pub(super) async fn serve(
    app: &App,
    lesson: Option<&Lesson>,
    program: Option<&Program>,
    port: u16,
) -> Result<(), Failure> {
    let server = server::Server::bind(port).await?;
    let mut url = server.url();
    if let Some(lesson) = lesson {
        url.push_str(&format!("#{:02}", lesson.number));
        url.extend(program.map(|program| format!("/{}", program.name)));
    }
    app.out.result(&json!({ "url": url }), || url.clone())?;
    app.out.note("open it in a browser; Ctrl-C ends it");
    server.run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    /// Made once: it takes a while.
    static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(files);

    fn text(name: &str) -> Option<&'static str> {
        let (_, bytes) = FILES.iter().find(|(other, _)| other == name)?;
        Some(std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_files_are_the_same_each_time_and_each_has_a_name_of_its_own() {
        assert!(files() == *FILES);
        let names: std::collections::BTreeSet<&String> =
            FILES.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), FILES.len());
    }

    #[test]
    fn the_page_refers_to_its_own_files_only_and_all_of_them_are_there() {
        let page = text("index.html").unwrap();
        let named = ["src=\"", "href=\""].into_iter().flat_map(|word| page.split(word).skip(1));
        let named: Vec<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 9, "{named:?}");
        for name in named {
            assert!(text(name).is_some(), "{name}");
        }
        for lesson in handover_lessons::all() {
            let name = format!("data/{:02}-{}.js", lesson.number, lesson.name);
            assert!(text(&name).is_some(), "{name}");
        }
        for (name, _) in FILES.iter() {
            let outside = text(name).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains("http:") && !outside.contains("https:"), "{name}");
        }
    }

    #[test]
    fn the_page_has_no_script_or_style_of_its_own_so_that_a_strict_policy_holds() {
        let page = text("index.html").unwrap();
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" defer src=") && script.contains("></script>"), "{script}");
        }
        for word in ["<style", "style=", "onclick", "onload", "javascript:"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
