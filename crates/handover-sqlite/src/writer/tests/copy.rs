//! When the log is copied back.

use super::*;

#[test]
fn a_log_of_large_commits_is_copied_back_at_twice_the_length() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    for (before, pages, copied) in [
        (990, 999, false),
        (991, 1000, true),
        (900, 1000, false),
        (1900, 1999, false),
        (1900, 2000, true),
        (1995, 1999, true),
        // Begun anew since.
        (1990, 8, false),
    ] {
        writer.log_pages = before;
        writer.post.log.has_pages(pages);
        writer.copy_log_back();
        assert_eq!(writer.post.log.pages() == 0, copied, "{pages} after {before}");
    }
}
