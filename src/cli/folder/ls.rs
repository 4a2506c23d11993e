use clap::Args;
use murmurate_client::types::{Folder, FolderState, Folders};

use super::table::{Cell, Table};
use super::view::{Style, View};
use super::{Context, Stop};

#[derive(Debug, Args)]
pub(in crate::cli) struct Ls {}

impl Ls {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let folders = context.mesh().await?.folders().await?;
        if folders.folders.is_empty() && context.is_for_people() {
            context.note("this host keeps no folder; `murmurate folder add NAME DIR` adds one");
        }
        context.print(render(&folders, &context.view()))
    }
}

fn render(folders: &Folders, view: &View) -> String {
    view.list(folders, &folders.folders, folder_table(&folders.folders))
}

pub(in crate::cli) fn folder_table(folders: &[Folder]) -> Table {
    let header = [
        "FOLDER",
        "STATE",
        "FILES",
        "IN STEP",
        "WAITING",
        "HELD",
        "KEPT BACK",
        "SKIPPED",
        "DELETES",
        "CONFLICTS",
        "DIR",
        "PROBLEM",
    ];
    let mut table = Table::new(&header);
    for folder in folders {
        let trouble = |count: u64| Cell::new(count.to_string(), if count == 0 { Style::Plain } else { Style::Warn });
        table.row([
            folder.name.as_str().into(),
            Cell::new(folder.state.name(), style(folder.state)),
            folder.files.to_string().into(),
            folder.in_step.to_string().into(),
            folder.waiting.to_string().into(),
            trouble(folder.held),
            trouble(folder.kept_back),
            folder.skipped.to_string().into(),
            trouble(folder.deletes_held),
            trouble(folder.conflicts),
            folder.dir.as_str().into(),
            Cell::new(folder.problem.clone().unwrap_or_default(), Style::Bad),
        ]);
    }
    table
}

fn style(state: FolderState) -> Style {
    match state {
        FolderState::Ready => Style::Good,
        FolderState::Scanning => Style::Warn,
        FolderState::Trouble => Style::Bad,
        FolderState::Unknown => Style::Dim,
    }
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::{folder, sheet};

    #[test]
    fn folder_ls() {
        let problem = Some("the directory is gone".into());
        let gone = Folder { name: "db".into(), state: FolderState::Trouble, problem, ..folder() };
        let folders = Folders { v: V1, folders: vec![gone, folder()] };
        insta::assert_snapshot!(sheet(|view| render(&folders, view)));
    }
}
