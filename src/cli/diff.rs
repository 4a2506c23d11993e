use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use murmurate_client::types::{
    ApiError, Diff as Compared, DiffKind, DiffPoint, DiffSide, ErrorCode, KeyDiff, TypedValue, V1,
};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::context::Context;
use super::failure::Stop;
use super::ls::shortened;
use super::table::{Cell, Table, printable};
use super::view::{Style, View, paint};
use crate::settings::OutputFormat;

/// Lines shown around each change.
const CONTEXT_LINES: usize = 3;
/// How long the shortest difference is looked for; after that, one that is good enough.
const SEARCH: Duration = Duration::from_secs(2);

/// Show what changed in a document, between two of its versions or on this host's disk.
///
/// Without a version, the file on this host's disk is compared with the mesh's document: what a held edit would change.
/// With one, the document at that version is compared with the present one; with two, both with each other. A version is
/// what `put` and `get -o json` print: a version, a token, or heads.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  murmurate diff web/app.toml                    what the file here would change, if it was taken in
  murmurate diff web/app.toml $TOKEN             what changed since that write
  murmurate diff web/app.toml $A $B --keys       which keys changed between two versions")]
pub(super) struct Diff {
    /// The document
    doc: String,
    /// The version before
    #[arg(value_name = "A")]
    before: Option<String>,
    /// The version after; the present one if there is only one
    #[arg(value_name = "B")]
    after: Option<String>,
    /// The keys that differ, with their values, instead of the lines
    #[arg(long)]
    keys: bool,
}

impl Diff {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let (before, after) = match (self.before, self.after) {
            (None, _) => (DiffPoint::Now, DiffPoint::Disk),
            (Some(before), None) => (DiffPoint::At(before), DiffPoint::Now),
            (Some(before), Some(after)) => (DiffPoint::At(before), DiffPoint::At(after)),
        };
        let compared = context.mesh().await?.diff(&self.doc, &before, &after).await?;
        if self.keys && compared.keys.is_none() {
            return Err(keyless(&compared).into());
        }
        let names = [&before, &after].map(name);
        let shown = Shown { compared: &compared, names, keys: self.keys, is_terminal: io::stdout().is_terminal() };
        context.print(shown.render(&context.view()))?;
        if context.is_for_people() {
            context.note(&summary(&compared));
        }
        Ok(())
    }
}

fn name(point: &DiffPoint) -> &str {
    match point {
        DiffPoint::Now => "the mesh's",
        DiffPoint::Disk => "on the disk",
        DiffPoint::At(version) => version,
    }
}

fn keyless(compared: &Compared) -> ApiError {
    let what = format!("list the keys that differ in {}", compared.doc);
    let why = compared.problem.clone();
    let why = why.unwrap_or_else(|| "it isn't merged key by key, so it has none".into());
    ApiError::new(ErrorCode::BadRequest, what, why, "leave `--keys` out to see the lines")
}

/// A difference in JSON: by key where the document has keys, and in lines.
#[derive(Serialize)]
struct DiffDocument<'a> {
    v: V1,
    doc: &'a str,
    same: bool,
    before: SideDocument<'a>,
    after: SideDocument<'a>,
    keys: Option<&'a [KeyDiff]>,
    problem: Option<&'a str>,
    /// Absent when one of the sides is no text.
    unified: Option<String>,
}

#[derive(Serialize)]
struct SideDocument<'a> {
    heads: Option<&'a str>,
    exists: bool,
    format: Option<&'a str>,
    executable: bool,
    bytes: u64,
}

impl<'a> SideDocument<'a> {
    fn of(side: &'a DiffSide) -> Self {
        let DiffSide { heads, exists, format, executable, bytes, .. } = side;
        let (heads, format) = (heads.as_deref(), format.as_deref());
        Self { heads, exists: *exists, format, executable: *executable, bytes: *bytes }
    }
}

/// What is printed, and how.
struct Shown<'a> {
    compared: &'a Compared,
    names: [&'a str; 2],
    keys: bool,
    is_terminal: bool,
}

impl Shown<'_> {
    fn render(&self, view: &View) -> String {
        let Compared { doc, same, before, after, keys, problem, .. } = self.compared;
        match view.format {
            OutputFormat::Json | OutputFormat::Jsonl => {
                let (before, after) = (SideDocument::of(before), SideDocument::of(after));
                let (keys, problem) = (keys.as_deref(), problem.as_deref());
                let unified = self.unified(&|line, _| line.to_owned());
                let document = DiffDocument { v: V1, doc, same: *same, before, after, keys, problem, unified };
                view.one(&document, String::new)
            }
            OutputFormat::Raw if self.keys => key_table(keys.as_deref().unwrap_or_default()).raw(),
            OutputFormat::Table if self.keys => key_table(keys.as_deref().unwrap_or_default()).text(view.colored),
            OutputFormat::Raw | OutputFormat::Table => self.lines(view),
        }
    }

    /// As `patch` takes it; on a terminal what others wrote can't move the cursor.
    fn lines(&self, view: &View) -> String {
        let line = |line: &str, style: Style| {
            let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
            let safe = |text: &str| text.split('\t').map(printable).collect::<Vec<_>>().join("\t");
            let text = if self.is_terminal { safe(text) } else { text.to_owned() };
            paint(&text, style, view.colored) + end
        };
        let Compared { doc, same, before, after, .. } = self.compared;
        let mut text = String::new();
        if before.exists && after.exists && before.executable != after.executable {
            let mode = |side: &DiffSide| if side.executable { "755" } else { "644" };
            text += &line(&format!("old mode 100{}\n", mode(before)), Style::Dim);
            text += &line(&format!("new mode 100{}\n", mode(after)), Style::Dim);
        }
        match self.unified(&line) {
            Some(unified) => text += &unified,
            None if *same => {}
            None => text += &format!("Binary files {doc} ({} and {} bytes) differ\n", before.bytes, after.bytes),
        }
        text
    }

    /// The unified difference, line by line as `line` gives it; `None` where one of the sides is no text.
    fn unified(&self, line: &dyn Fn(&str, Style) -> String) -> Option<String> {
        let Compared { doc, before, after, .. } = self.compared;
        let (old, new) = (before.text.as_deref()?, after.text.as_deref()?);
        if old == new {
            return Some(String::new());
        }
        let diff = TextDiff::configure().timeout(SEARCH).diff_lines(old, new);
        let label = |side: &DiffSide, name: &str| match side.exists {
            true => format!("{doc}\t{name}"),
            false => format!("/dev/null\t{name}"),
        };
        let mut text = line(&format!("--- {}\n", label(before, self.names[0])), Style::Dim);
        text += &line(&format!("+++ {}\n", label(after, self.names[1])), Style::Dim);
        for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
            text += &line(&format!("{}\n", hunk.header()), Style::Dim);
            for change in hunk.iter_changes() {
                let (sign, style) = match change.tag() {
                    ChangeTag::Equal => (' ', Style::Plain),
                    ChangeTag::Delete => ('-', Style::Bad),
                    ChangeTag::Insert => ('+', Style::Good),
                };
                text += &line(&format!("{sign}{}", change.value()), style);
                if change.missing_newline() {
                    text += "\n\\ No newline at end of file\n";
                }
            }
        }
        Some(text)
    }
}

fn key_table(keys: &[KeyDiff]) -> Table {
    let mut table = Table::new(&["KEY", "CHANGE", "BEFORE", "AFTER"]);
    for KeyDiff { key, kind, before, after } in keys {
        let text = |value: &Option<TypedValue>| value.as_ref().map(|it| shortened(&it.text)).unwrap_or_default();
        table.row([key.as_str().into(), Cell::new(kind.name(), style(*kind)), text(before).into(), text(after).into()]);
    }
    table
}

fn style(kind: DiffKind) -> Style {
    match kind {
        DiffKind::Added => Style::Good,
        DiffKind::Changed => Style::Warn,
        DiffKind::Removed => Style::Bad,
        DiffKind::Unknown => Style::Dim,
    }
}

/// `2 keys changed, 1 added`.
fn summary(compared: &Compared) -> String {
    if compared.same {
        return "both are the same".into();
    }
    if let Some(problem) = &compared.problem {
        return printable(problem);
    }
    let Some(keys) = &compared.keys else { return "it isn't merged key by key".into() };
    let kinds = [DiffKind::Changed, DiffKind::Added, DiffKind::Removed];
    let counts = kinds.map(|kind| (keys.iter().filter(|key| key.kind == kind).count(), kind.name()));
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if counts.is_empty() { "no key has another value".into() } else { format!("keys: {}", counts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{integer, sheet};

    fn side(text: &str, heads: Option<&str>) -> DiffSide {
        DiffSide {
            heads: heads.map(str::to_owned),
            exists: true,
            format: Some("toml".into()),
            executable: heads.is_none(),
            bytes: text.len() as u64,
            text: Some(text.into()),
        }
    }

    fn compared() -> Compared {
        let key = |key: &str, kind, before: Option<i64>, after: Option<i64>| KeyDiff {
            key: key.into(),
            kind,
            before: before.map(integer),
            after: after.map(integer),
        };
        Compared {
            v: V1,
            doc: "web/app.toml".into(),
            same: false,
            before: side("# ports\n[server]\nport = 8080\nold = 1\n", Some("aa.0:7+bb.1:2")),
            after: side("# ports\n[server]\nport = 9090\nnew\t= 2\u{1b}", None),
            keys: Some(vec![
                key("server.new", DiffKind::Added, None, Some(2)),
                key("server.old", DiffKind::Removed, Some(1), None),
                key("server.port", DiffKind::Changed, Some(8080), Some(9090)),
            ]),
            problem: None,
        }
    }

    #[test]
    fn diff() {
        let compared = compared();
        let names = ["aa.0:7", "on the disk"];
        let shown = |keys, is_terminal| Shown { compared: &compared, names, keys, is_terminal };
        let sheets = [
            sheet(|view| shown(false, true).render(view)),
            sheet(|view| shown(true, true).render(view)),
            summary(&compared),
        ];
        insta::assert_snapshot!(sheets.join("\n"));
    }

    #[test]
    fn what_is_piped_is_as_patch_takes_it() {
        let compared = compared();
        let shown = Shown { compared: &compared, names: ["a", "b"], keys: false, is_terminal: false };
        let text = shown.render(&crate::cli::testing::view(OutputFormat::Table));
        assert!(text.contains("+new\t= 2\u{1b}\n\\ No newline at end of file\n"), "{text}");
    }

    #[test]
    fn bytes_that_are_no_text_are_only_counted() {
        let binary = |bytes| DiffSide { exists: true, bytes, ..DiffSide::default() };
        let compared = Compared { before: binary(3), after: binary(5), keys: None, ..compared() };
        let shown = Shown { compared: &compared, names: ["a", "b"], keys: false, is_terminal: false };
        let text = shown.render(&crate::cli::testing::view(OutputFormat::Table));
        assert_eq!(text, "Binary files web/app.toml (3 and 5 bytes) differ\n");
        assert_eq!(keyless(&compared).code, ErrorCode::BadRequest);
    }
}
