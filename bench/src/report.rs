//! What a bench hands in: a table for people, in text or in the book's Markdown, and one JSON object for programs.
//! What the figures mean is the benches' own.

use std::fmt::Write as _;

use serde_json::Value;

use crate::machine::Machine;

/// A bench's outcome.
#[derive(Debug)]
pub(crate) struct Report {
    /// The bench's name, as it is asked for.
    pub(crate) name: &'static str,
    /// What is measured under which conditions (payload, batch, durability), a sentence each.
    pub(crate) conditions: Vec<String>,
    pub(crate) tables: Vec<Table>,
    /// What the figures come to, a sentence each.
    pub(crate) remarks: Vec<String>,
    pub(crate) json: Value,
}

/// Rows of text under a head. The first column is words, the others are numbers.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column| {
            all().map(|row| row.get(column).map_or(0, |cell: &String| cell.chars().count())).max()
        };
        (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect()
    }

    fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String does not fail.
                _ = match column {
                    0 => write!(text, "{cell:<width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let line = |row: &[String]| format!("| {} |\n", row.join(" | "));
        let rule: Vec<String> = (0..self.head.len())
            .map(|column| if column == 0 { "---".to_owned() } else { "---:".to_owned() })
            .collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        line(&self.head) + &line(&rule) + &rows
    }
}

impl Report {
    pub(crate) fn text(&self) -> String {
        let mut parts = vec![self.conditions.join("\n")];
        parts.extend(self.tables.iter().filter(|table| !table.is_empty()).map(Table::text));
        parts.push(self.remarks.join("\n"));
        parts.retain(|part| !part.is_empty());
        parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n")
    }

    /// A section of the book's page of figures, without its heading.
    pub(crate) fn markdown(&self, machine: &Machine) -> String {
        let mut parts = vec![format!("`cargo xtask bench {}`, {machine}", self.name)];
        parts.push(self.conditions.join(" "));
        parts.extend(self.tables.iter().filter(|table| !table.is_empty()).map(Table::markdown));
        parts.push(self.remarks.join(" "));
        parts.retain(|part| !part.is_empty());
        parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n")
    }
}

/// A count for people: `12345678.9` is `12,345,679`.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = if number <= -0.5 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number for programs: four digits count, the rest is noise. What is no number is null.
pub(crate) fn figure(number: f64) -> Value {
    Value::from(format!("{number:.3e}").parse::<f64>().unwrap_or(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut table = Table::new(["shape", "ours", "theirs"]);
        table.row(["a", "1", "22"]);
        table.row(["long", "333"]);
        Report {
            name: "buffer",
            conditions: vec!["Items are u64.".to_owned()],
            tables: vec![table, Table::default()],
            remarks: vec![],
            json: Value::Null,
        }
    }

    #[test]
    fn numbers_stand_under_each_other() {
        assert_eq!(
            report().text(),
            "Items are u64.\n\nshape  ours  theirs\na         1      22\nlong    333"
        );
    }

    #[test]
    fn the_book_gets_a_table_with_machine_and_command_above_it() {
        let text = report().markdown(&Machine::read(std::path::Path::new(".")));
        assert!(text.starts_with("`cargo xtask bench buffer`, "), "{text}");
        assert!(text.ends_with("| shape | ours | theirs |\n| --- | ---: | ---: |\n| a | 1 | 22 |\n| long | 333 |  |"), "{text}");
    }

    #[test]
    fn counts_are_written_in_groups_of_three() {
        for (number, text) in
            [(0.4, "0"), (999.0, "999"), (1_000.0, "1,000"), (12_345_678.9, "12,345,679")]
        {
            assert_eq!(whole(number), text);
        }
        assert_eq!(whole(-1_234.0), "-1,234");
    }

    #[test]
    fn programs_get_four_digits() {
        for (number, text) in
            [(0.0, "0.0"), (1_234_567.0, "1235000.0"), (0.123_456, "0.1235"), (9.999_9, "10.0")]
        {
            assert_eq!(figure(number).to_string(), text);
        }
        assert_eq!(figure(f64::INFINITY), Value::Null);
    }
}
