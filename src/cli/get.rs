use clap::Args;
use murmurate_client::types::{Entry, File, V1};
use serde::Serialize;

use super::context::Context;
use super::failure::Stop;
use super::view::View;
use crate::settings::OutputFormat;

#[derive(Debug, Args)]
pub(super) struct Get {
    /// DOC#KEY, or DOC for the whole file
    address: String,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        if self.address.contains('#') {
            let entry = mesh.get(&self.address).await?;
            if !entry.conflicts.is_empty() && context.is_for_people() {
                let values = entry.conflicts.len();
                context.note(&format!("it has {values} conflicting values; `murmurate conflicts {}`", self.address));
            }
            return context.print(render_entry(&entry, &context.view()));
        }
        let file = mesh.read_file(&self.address).await?;
        context.print(render_file(&file, &context.view()))
    }
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
    use murmurate_client::types::ConflictValue;

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
}
