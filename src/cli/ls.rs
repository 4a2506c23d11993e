use clap::Args;
use murmurate_client::types::{Documents, Key, Keys, V1};

use super::context::Context;
use super::failure::Stop;
use super::table::{Cell, Table};
use super::time::relative_if_any;
use super::view::{Style, View};

/// How much of a value a table shows.
const VALUE_CHARS: usize = 60;

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Only addresses that begin so
    #[arg(default_value = "")]
    prefix: String,
    /// Documents instead of keys
    #[arg(short, long)]
    documents: bool,
}

impl Ls {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let view = context.view();
        let text = if self.documents {
            render_documents(&mesh.documents(&self.prefix).await?, &view)
        } else {
            let entries = mesh.keys(&self.prefix).await?;
            render_keys(&Keys { v: V1, entries, next: None }, &view)
        };
        if text.is_empty() && context.is_for_people() {
            context.note(&format!("nothing begins with `{}`", self.prefix));
        }
        context.print(text)
    }
}

/// The beginning of a text, for a table.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `doc#key`, or the document alone.
pub(super) fn address(doc: &str, key: &str) -> String {
    if key.is_empty() { doc.to_owned() } else { format!("{doc}#{key}") }
}

fn render_keys(keys: &Keys, view: &View) -> String {
    let mut table = Table::new(&["ADDRESS", "TYPE", "VALUE", "CONFLICT", "FROM"]);
    let is_raw = view.format == crate::settings::OutputFormat::Raw;
    for Key { doc, key, value, conflict, overlay, .. } in &keys.entries {
        let bare = value.bare();
        table.row([
            address(doc, key).into(),
            Cell::new(value.kind.name(), Style::Dim),
            if is_raw { bare } else { shortened(&bare) }.into(),
            Cell::new(if *conflict { "conflict" } else { "" }, Style::Warn),
            Cell::new(overlay.clone().unwrap_or_default(), Style::Dim),
        ]);
    }
    view.list(keys, &keys.entries, table)
}

fn render_documents(documents: &Documents, view: &View) -> String {
    let mut table = Table::new(&["DOCUMENT", "FORMAT", "KEYS", "BYTES", "CONFLICTS", "CHANGED"]);
    for document in &documents.documents {
        table.row([
            document.doc.as_str().into(),
            Cell::new(document.format.as_str(), Style::Dim),
            document.keys.to_string().into(),
            document.bytes.to_string().into(),
            Cell::new(document.conflicts.to_string(), if document.conflicts == 0 { Style::Plain } else { Style::Warn }),
            relative_if_any(document.time, view.now).into(),
        ]);
    }
    view.list(documents, &documents.documents, table)
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::Document;

    use super::*;
    use crate::cli::testing::{ago, integer, sheet, string};

    #[test]
    fn ls() {
        let key = |key: &str, value, conflict| Key {
            doc: "web/app.toml".into(),
            key: key.into(),
            value,
            version: "00ff.0:7".into(),
            conflict,
            overlay: (key == "title").then(|| "host=web-1".into()),
        };
        let entries = vec![key("server.port", integer(8080), true), key("title", string(&"long ".repeat(20)), false)];
        let keys = Keys { v: V1, entries, next: None };
        let document = Document {
            doc: "web/app.toml".into(),
            format: "toml".into(),
            keys: 2,
            bytes: 130,
            conflicts: 1,
            time: Some(ago(180)),
            renamed_from: None,
        };
        let documents = Documents { v: V1, documents: vec![document], next: None };
        let sheets = [sheet(|view| render_keys(&keys, view)), sheet(|view| render_documents(&documents, view))];
        insta::assert_snapshot!(sheets.join("\n"));
    }
}
