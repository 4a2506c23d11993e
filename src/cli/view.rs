//! Data as text, in the format asked for. All of it is pure.

use murmurate_client::types::{Time, V1};
use serde::Serialize;

use super::table::Table;
use crate::settings::OutputFormat;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) format: OutputFormat,
    pub(super) colored: bool,
    /// What relative times are relative to.
    pub(super) now: Time,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Style {
    #[default]
    Plain,
    Dim,
    Good,
    Warn,
    Bad,
}

/// Text in the colour of its meaning.
pub(super) fn paint(text: &str, style: Style, colored: bool) -> String {
    let code = match style {
        Style::Dim => "2",
        Style::Good => "32",
        Style::Warn => "33",
        Style::Bad => "31",
        Style::Plain => return text.to_owned(),
    };
    if colored && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// An item of a list as a document of its own.
#[derive(Serialize)]
struct Line<'a, T> {
    v: V1,
    #[serde(flatten)]
    item: &'a T,
}

impl View {
    /// A document that is a list of items.
    pub(super) fn list<T: Serialize>(&self, document: &impl Serialize, items: &[T], table: Table) -> String {
        match self.format {
            OutputFormat::Json => pretty(document),
            OutputFormat::Jsonl => items.iter().map(|item| compact(&Line { v: V1, item })).collect(),
            OutputFormat::Table => table.text(self.colored),
            OutputFormat::Raw => table.raw(),
        }
    }

    /// A document that is one thing.
    pub(super) fn one(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> String {
        match self.format {
            OutputFormat::Json => pretty(document),
            OutputFormat::Jsonl => compact(document),
            OutputFormat::Table | OutputFormat::Raw => text(),
        }
    }
}

fn pretty(document: &impl Serialize) -> String {
    // Only maps whose keys aren't text can't be written, and no document has one.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

pub(super) fn compact(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default() + "\n"
}
