use clap::Args;
use murmurate_client::types::{FileState, FolderConfirmed, FolderStatus};

use super::super::ask::confirm;
use super::table::Table;
use super::view::View;
use super::{Context, Stop};

#[derive(Debug, Args)]
pub(in crate::cli) struct Confirm {
    /// The folder's name in the mesh
    name: String,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

impl Confirm {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let held = held_paths(&mesh.folder_status(Some(&self.name)).await?);
        if !held.is_empty() {
            let question = format!("{}\nDelete these {} files on all hosts?", held.join("\n"), held.len());
            confirm(self.yes, &format!("delete {} files of the folder {}", held.len(), self.name), &question)?;
        }
        let confirmed = mesh.folder_confirm(&self.name).await?;
        if confirmed.deleted.is_empty() && context.is_for_people() {
            context.note("no delete was waiting");
        }
        context.print(render(&confirmed, &context.view()))
    }
}

fn held_paths(status: &FolderStatus) -> Vec<String> {
    let entries = status.folders.iter().flat_map(|folder| &folder.entries);
    let held = entries.filter(|file| file.state == FileState::DeleteHeld);
    held.map(|file| super::table::printable(&file.path)).collect()
}

fn render(confirmed: &FolderConfirmed, view: &View) -> String {
    let mut table = Table::new(&["DELETED"]);
    for path in &confirmed.deleted {
        table.row([path.as_str().into()]);
    }
    let text =
        || if view.format == crate::settings::OutputFormat::Raw { table.raw() } else { table.text(view.colored) };
    view.one(confirmed, text)
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn folder_confirm() {
        let deleted = vec!["a.toml".into(), "conf.d/b.toml".into()];
        let confirmed = FolderConfirmed { v: V1, name: "web".into(), deleted };
        insta::assert_snapshot!(sheet(|view| render(&confirmed, view)));
    }
}
