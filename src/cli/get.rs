use clap::Args;
use murmurate_client::types::{Entry, Explained, Explanation, File, LeftOut, V1, ValueType};
use serde::Serialize;

use super::context::Context;
use super::failure::Stop;
use super::ls::{address, shortened};
use super::overlay_flags::OverlayFlags;
use super::table::{Cell, Table, printable};
use super::time::relative_if_any;
use super::view::{Style, View};
use crate::settings::OutputFormat;

#[derive(Debug, Args)]
pub(super) struct Get {
    /// DOC#KEY, or DOC for the whole file: what this host has, with the overlays of its name and its roles
    address: String,
    /// Say where each value comes from: the document or an overlay, who wrote it, where and when
    #[arg(long, conflicts_with_all = ["base", "host", "role"])]
    explain: bool,
    /// What the document itself has, without overlays: the same on all hosts
    #[arg(long, conflicts_with_all = ["host", "role"])]
    base: bool,
    #[command(flatten)]
    overlay: OverlayFlags,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let address = self.overlay.address(&self.address)?;
        if self.explain {
            return context.print(render_explanation(&mesh.explain(&address).await?, &context.view()));
        }
        if address.contains('#') {
            let entry = if self.base { mesh.get_base(&address).await? } else { mesh.get(&address).await? };
            if !entry.conflicts.is_empty() && context.is_for_people() {
                let values = entry.conflicts.len();
                context.note(&format!("it has {values} conflicting values; `murmurate conflicts {}`", source(&entry)));
            }
            return context.print(render_entry(&entry, &context.view()));
        }
        let file = if self.base { mesh.read_base(&address).await? } else { mesh.read_file(&address).await? };
        context.print(render_file(&file, &context.view()))
    }
}

/// The address under which the value stands where it comes from.
fn source(entry: &Entry) -> String {
    let overlay = entry.overlay.as_ref().map_or_else(String::new, |overlay| format!("?{overlay}"));
    address(&format!("{}{overlay}", entry.doc), &entry.key)
}

/// What each document says of each key, the one that is shown last.
fn render_explanation(explanation: &Explanation, view: &View) -> String {
    let mut table = Table::new(&["KEY", "FROM", "VALUE", "SHOWN", "VERSION", "AUTHOR", "HOST", "CHANGED"]);
    for Explained { key, overlay, value, shown, version, host, author, time } in &explanation.entries {
        let is_deleted = value.kind == ValueType::Deleted;
        let what = if is_deleted { "(taken away)".to_owned() } else { shortened(&value.bare()) };
        table.row([
            key.as_str().into(),
            overlay.as_deref().map_or("base", |overlay| overlay).replace('=', " ").into(),
            Cell::new(what, if *shown { Style::Good } else { Style::Dim }),
            if *shown { "shown" } else { "" }.into(),
            Cell::new(version.as_str(), Style::Dim),
            author.clone().unwrap_or_default().into(),
            host.clone().unwrap_or_default().into(),
            relative_if_any(*time, view.now).into(),
        ]);
    }
    let mut text = view.list(explanation, &explanation.entries, table);
    if matches!(view.format, OutputFormat::Table) {
        for LeftOut { overlay, key, why } in &explanation.left_out {
            let place = printable(&format!("{}?{overlay}#{key}", explanation.doc));
            text.push_str(&format!("{place} isn't shown: {}\n", printable(why)));
        }
    }
    text
}

/// The bare value, ready for a shell.
fn render_entry(entry: &Entry, view: &View) -> String {
    let end = if view.format == OutputFormat::Raw { "" } else { "\n" };
    view.one(entry, || entry.value.bare() + end)
}

/// A file in JSON. Bytes that are no text are only counted: JSON has no form for them.
#[derive(Serialize)]
struct FileDocument<'a> {
    v: V1,
    doc: &'a str,
    format: &'a str,
    version: &'a str,
    heads: &'a str,
    executable: bool,
    conflicts: u64,
    bytes: usize,
    text: Option<&'a str>,
}

/// The very bytes.
fn render_file(file: &File, view: &View) -> Vec<u8> {
    if matches!(view.format, OutputFormat::Table | OutputFormat::Raw) {
        return file.bytes.clone();
    }
    let document = FileDocument {
        v: V1,
        doc: &file.doc,
        format: &file.format,
        version: &file.version,
        heads: &file.heads,
        executable: file.executable,
        conflicts: file.conflicts,
        bytes: file.bytes.len(),
        text: std::str::from_utf8(&file.bytes).ok(),
    };
    view.one(&document, String::new).into_bytes()
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{ConflictValue, TypedValue};

    use super::*;
    use crate::cli::testing::{ago, integer, sheet};

    #[test]
    fn get() {
        let value = |number, host: &str| ConflictValue {
            value: integer(number),
            host: host.into(),
            author: "ann".into(),
            time: ago(8),
            version: format!("{host}.0:7"),
        };
        let entry = Entry {
            v: V1,
            doc: "web/app.toml".into(),
            key: "server.port".into(),
            value: integer(8080),
            version: "aa.0:7".into(),
            host: Some("web-1".into()),
            author: Some("ann".into()),
            time: Some(ago(8)),
            conflicts: vec![value(8080, "aa"), value(8181, "bb")],
            heads: "aa.0:7+bb.0:7".into(),
            overlay: None,
        };
        let file = File {
            doc: "web/app.toml".into(),
            format: "toml".into(),
            version: "aa.0:7".into(),
            heads: "aa.0:7".into(),
            executable: false,
            conflicts: 1,
            bytes: b"# ports\n[server]\nport = 8080".to_vec(),
        };
        let file_text = |view: &View| String::from_utf8(render_file(&file, view)).unwrap() + "⏎\n";
        let sheets = [sheet(|view| render_entry(&entry, view) + "⏎\n"), sheet(file_text)];
        insta::assert_snapshot!(sheets.join("\n"));
    }

    #[test]
    fn get_explain() {
        let said = |key: &str, overlay: Option<&str>, value, shown, seconds| Explained {
            key: key.into(),
            overlay: overlay.map(String::from),
            value,
            shown,
            version: "aa.0:7".into(),
            host: Some("web-1".into()),
            author: Some("ann".into()),
            time: Some(ago(seconds)),
        };
        let entries = vec![
            said("server.port", None, integer(8080), false, 7_200),
            said("server.port", Some("role=db"), integer(9090), false, 90),
            said("server.port", Some("host=web-1"), integer(9191), true, 8),
            said("server.trace", None, integer(1), false, 7_200),
            said("server.trace", Some("role=db"), TypedValue::deleted(), true, 8),
            said("title", None, integer(3), true, 7_200),
        ];
        let left_out = LeftOut {
            overlay: "role=db".into(),
            key: "tls".into(),
            why: "the file has something of another kind there".into(),
        };
        let explanation = Explanation {
            v: V1,
            doc: "web/app.toml".into(),
            host: "web-1".into(),
            roles: vec!["db".into()],
            entries,
            left_out: vec![left_out],
        };
        insta::assert_snapshot!(sheet(|view| render_explanation(&explanation, view)));
    }
}
