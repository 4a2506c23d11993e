//! Aligned columns for people, tabs for shells.

use std::fmt::Write;

use super::view::{Style, paint};

/// The room between two columns.
const GAP: &str = "  ";

/// Rows under a header.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A piece of text and what it means.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: printable(&text.into()), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Text from other hosts can't move a terminal's cursor or break a row: control characters are shown escaped.
pub(super) fn printable(text: &str) -> String {
    let is_unseen = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_unseen) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if is_unseen(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

impl Table {
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.header.len());
        self.rows.push(cells.into());
    }

    /// Rows that need no header.
    pub(super) fn headless(columns: usize) -> Self {
        Self::new(&vec![""; columns])
    }

    /// Header and rows with aligned columns; nothing at all without rows.
    pub(super) fn text(&self, colored: bool) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let header: Vec<_> = self.header.iter().map(|&name| Cell::new(name, Style::Dim)).collect();
        let has_header = self.header.iter().any(|name| !name.is_empty());
        let lines = || has_header.then_some(&header).into_iter().chain(&self.rows);
        let width = |column: usize| lines().map(|row| row[column].text.chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..self.header.len()).map(width).collect();
        lines().map(|row| line(row, &widths, colored)).collect()
    }

    /// Rows only, a tab between cells.
    pub(super) fn raw(&self) -> String {
        let row = |cells: &Vec<Cell>| cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join("\t") + "\n";
        self.rows.iter().map(row).collect()
    }
}

fn line(cells: &[Cell], widths: &[usize], colored: bool) -> String {
    let mut line = String::new();
    let last = cells.iter().rposition(|cell| !cell.text.is_empty());
    for (index, (cell, &width)) in cells.iter().zip(widths).enumerate().take(last.map_or(0, |last| last + 1)) {
        line.push_str(&paint(&cell.text, cell.style, colored));
        if Some(index) != last {
            let padding = width - cell.text.chars().count();
            // Writing to a String can't fail.
            let _ = write!(line, "{:padding$}{GAP}", "");
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_at_their_text() {
        let mut table = Table::new(&["A", "LONG", "C"]);
        table.row(["über".into(), "x".into(), "".into()]);
        table.row(["y".into(), Cell::new("longer", Style::Bad), "z\t\u{1b}[31m\u{202e}".into()]);
        assert_eq!(table.text(false), "A     LONG    C\nüber  x\ny     longer  z\\t\\u{1b}[31m\\u{202e}\n");
        assert_eq!(table.raw(), "über\tx\t\ny\tlonger\tz\\t\\u{1b}[31m\\u{202e}\n");
        assert!(table.text(true).contains("\u{1b}[31mlonger\u{1b}[0m  z"));
        assert_eq!(Table::new(&["A"]).text(false), "");
    }
}
