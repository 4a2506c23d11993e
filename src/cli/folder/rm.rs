use clap::Args;
use murmurate_client::types::FolderRemoved;

use super::view::View;
use super::{Context, Stop};

#[derive(Debug, Args)]
pub(in crate::cli) struct Rm {
    /// The folder's name in the mesh
    name: String,
}

impl Rm {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let removed = context.mesh().await?.folder_remove(&self.name).await?;
        if context.is_for_people() {
            context.note(&format!("{} isn't kept here any more; its files stay in {}", removed.name, removed.dir));
        }
        context.print(render(&removed, &context.view()))
    }
}

fn render(removed: &FolderRemoved, view: &View) -> String {
    view.one(removed, String::new)
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn folder_rm() {
        let removed = FolderRemoved { v: V1, name: "web".into(), dir: "/etc/web".into() };
        insta::assert_snapshot!(sheet(|view| render(&removed, view)));
    }
}
