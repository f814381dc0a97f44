//! Words for a terminal: broken into lines that fit it, and headings that stand out. What is said is elsewhere.

use handover_lab::picture::text::COLUMNS;

/// A heading, bold where there is colour.
pub(super) fn bold(words: &str, color: bool) -> String {
    let (bold, plain) = if color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    format!("{bold}{words}{plain}")
}

/// A paragraph in lines that fit a terminal, each behind this indent.
pub(super) fn wrapped(paragraph: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() < COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_between_words_before_the_edge() {
        let text = wrapped(&"word ".repeat(40), "  ");
        assert!(text.lines().all(|line| line.len() < COLUMNS && line.starts_with("  word")));
        assert_eq!(text.split_whitespace().count(), 40);
        let long = "x".repeat(200);
        assert_eq!(wrapped(&long, ""), long, "a word is not broken");
    }
}
