//! Tables for people: columns as wide as they need to be, numbers to the right.

/// A table with a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; control characters, which could play with a terminal, become visible.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells.iter().map(|cell| tame(cell)).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table's lines, the head first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(|&cell| cell.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let columns = 0..self.head.len();
        let widths: Vec<usize> = columns
            .clone()
            .map(|column| all.iter().map(|row| width(&row[column])).fold(0, usize::max))
            .collect();
        let numeric: Vec<bool> =
            columns.map(|column| self.rows.iter().all(|row| is_number(&row[column]))).collect();
        all.iter()
            .map(|row| {
                let cells = row.iter().zip(&widths).zip(&numeric).map(|((cell, &wide), &right)| {
                    let space = " ".repeat(wide - width(cell));
                    if right { format!("{space}{cell}") } else { format!("{cell}{space}") }
                });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect()
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn is_number(cell: &str) -> bool {
    cell == "-" || cell.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text on one line and without control characters.
pub(crate) fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => tamed.push(' '),
            c if c.is_control() => tamed.extend(c.escape_default()),
            c => tamed.push(c),
        }
    }
    tamed
}

/// At most `chars_max` characters of the text, with a mark where some are missing.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if width(text) <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["QUEUE", "DEPTH", "WHY"]);
        table.row(vec!["mail".to_owned(), "7".to_owned(), String::new()]);
        table.row(vec!["é".to_owned(), "1000".to_owned(), "full\n\u{1b}[31m".to_owned()]);
        assert_eq!(
            table.lines(),
            ["QUEUE  DEPTH  WHY", "mail       7", "é       1000  full \\u{1b}[31m"]
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
