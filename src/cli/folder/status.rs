use clap::Args;
use murmurate_client::types::{FileState, FileStatus, FolderStatus};

use super::table::{Cell, Table, printable};
use super::time::{relative_if_any, span};
use super::view::{Style, View};
use super::{Context, Stop};
use crate::settings::OutputFormat;

/// How each file stands: its format, whether it is in step, held or left alone and why, its conflicts, and who changed
/// it last.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  murmurate folder status                        every file of every folder
  murmurate folder status web -o jsonl           a line of JSON per file
  murmurate diff web/app.toml                    how a held file differs from the mesh's document")]
pub(in crate::cli) struct Status {
    /// The folder's name in the mesh; without it, all folders of this host
    name: Option<String>,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let status = context.mesh().await?.folder_status(self.name.as_deref()).await?;
        if context.is_for_people() {
            for folder in &status.folders {
                let name = &folder.folder.name;
                if let Some(why) = &folder.deletes_held_why {
                    context.note(&format!(
                        "deletes in {name} wait: {why}; `murmurate folder confirm {name}` lets them go"
                    ));
                }
            }
        }
        context.print(render(&status, &context.view()))
    }
}

fn render(status: &FolderStatus, view: &View) -> String {
    let files: Vec<_> = status.folders.iter().flat_map(|folder| folder.entries.iter().cloned()).collect();
    let text = view.list(status, &files, file_table(&files, view));
    if view.format == OutputFormat::Table { text + &outputs(&files) } else { text }
}

/// What the commands printed that failed on files, under the files' names.
pub(in crate::cli) fn outputs(files: &[FileStatus]) -> String {
    let said = files.iter().filter_map(|file| Some((file, file.output.as_deref()?)));
    let block = |(file, output): (&FileStatus, &str)| {
        let lines: String = output.lines().map(|line| format!("  {}\n", printable(line))).collect();
        format!("\n{}:\n{lines}", printable(&file.doc))
    };
    said.map(block).collect()
}

pub(in crate::cli) fn file_table(files: &[FileStatus], view: &View) -> Table {
    let mut table = Table::new(&["FILE", "FORMAT", "STATE", "CONFLICTS", "CHANGED", "BY"]);
    for file in files {
        table.row([
            file.doc.as_str().into(),
            format(file).into(),
            Cell::new(state(file, view), style(file.state)),
            Cell::new(file.conflicts.to_string(), if file.conflicts == 0 { Style::Plain } else { Style::Warn }),
            relative_if_any(file.changed, view.now).into(),
            author(file).into(),
        ]);
    }
    table
}

/// `text (the key is there twice at line 3)`.
fn format(file: &FileStatus) -> String {
    let format = file.format.clone().unwrap_or_default();
    match &file.format_reason {
        Some(why) => format!("{format} ({why})"),
        None => format,
    }
}

/// `held: line 3, column 7: string isn't closed (for 1m)`.
fn state(file: &FileStatus, view: &View) -> String {
    let word = match file.state {
        FileState::InStep => "in step",
        FileState::Waiting => "writing",
        FileState::KeptBack => "kept back",
        FileState::DeleteHeld => "delete held",
        FileState::Failed => "differs",
        other => other.name(),
    };
    let parts = [Some(word.to_owned()), place(file), file.reason.clone()];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    match file.since.and_then(|since| view.now.as_ms().checked_sub(since.as_ms())) {
        Some(ms) => format!("{text} (for {})", span(ms)),
        None => text,
    }
}

fn place(file: &FileStatus) -> Option<String> {
    let line = file.line?;
    Some(file.column.map_or_else(|| format!("line {line}"), |column| format!("line {line}, column {column}")))
}

/// `ann@web-1`, or the host alone, which is the author of what was edited in a file.
fn author(file: &FileStatus) -> String {
    match (&file.author, &file.host) {
        (Some(author), Some(host)) if author != host => format!("{author}@{host}"),
        (_, host) => host.clone().unwrap_or_default(),
    }
}

fn style(state: FileState) -> Style {
    match state {
        FileState::InStep => Style::Good,
        FileState::Waiting | FileState::DeleteHeld => Style::Warn,
        FileState::Held | FileState::KeptBack | FileState::Failed => Style::Bad,
        FileState::Skipped | FileState::Unknown => Style::Dim,
    }
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{FolderFiles, V1};

    use super::*;
    use crate::cli::testing::{file, folder, held_file, kept_back_file, sheet};

    #[test]
    fn folder_status() {
        let skipped = FileStatus {
            state: FileState::Skipped,
            format: None,
            changed: None,
            host: None,
            reason: Some("a device".into()),
            ..file("tty")
        };
        let gone = FileStatus { state: FileState::DeleteHeld, ..file("conf.d/gone.toml") };
        let kept_as_text = FileStatus {
            format: Some("text".into()),
            format_reason: Some("the key is there twice at line 3".into()),
            conflicts: 2,
            author: Some("web-1".into()),
            ..file("package.json")
        };
        let files = FolderFiles {
            folder: folder(),
            entries: vec![held_file(), kept_back_file(), gone, file("flags.toml"), kept_as_text, skipped],
            deletes_held_why: Some("the marker is gone".into()),
        };
        let status = FolderStatus { v: V1, folders: vec![files], next: None };
        insta::assert_snapshot!(sheet(|view| render(&status, view)));
    }
}
