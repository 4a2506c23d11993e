use clap::Args;
use murmurate_client::types::{FileState, FileStatus, FolderStatus};

use super::table::{Cell, Table, printable};
use super::time::relative_if_any;
use super::view::{Style, View};
use super::{Context, Stop};
use crate::settings::OutputFormat;

#[derive(Debug, Args)]
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
    let mut table = Table::new(&["FILE", "STATE", "FORMAT", "SINCE", "WHERE", "REASON"]);
    for file in files {
        table.row([
            file.doc.as_str().into(),
            Cell::new(file.state.name(), style(file.state)),
            file.format.clone().unwrap_or_default().into(),
            relative_if_any(file.since, view.now).into(),
            place(file).into(),
            file.reason.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

fn place(file: &FileStatus) -> String {
    match (file.line, file.column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}"),
        (Some(line), None) => format!("line {line}"),
        _ => String::new(),
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
            since: None,
            reason: Some("a device".into()),
            ..file("tty")
        };
        let gone = FileStatus { state: FileState::DeleteHeld, ..file("conf.d/gone.toml") };
        let files = FolderFiles {
            folder: folder(),
            entries: vec![held_file(), kept_back_file(), gone, file("flags.toml"), skipped],
            deletes_held_why: Some("the marker is gone".into()),
        };
        let status = FolderStatus { v: V1, folders: vec![files] };
        insta::assert_snapshot!(sheet(|view| render(&status, view)));
    }
}
