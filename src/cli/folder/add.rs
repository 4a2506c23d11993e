use std::path::{self, PathBuf};

use clap::Args;
use murmurate_client::types::{AddFolder, ApiError, ErrorCode, FolderAdded};

use super::super::failure;
use super::view::View;
use super::{Context, Stop, folder_table};

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The folder's name in the mesh
    name: String,
    /// Its directory on this host
    dir: PathBuf,
    /// Where the directory's files and the mesh's differ, take the directory's
    #[arg(long)]
    adopt: bool,
}

impl Add {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let folder = AddFolder { dir: absolute(&self.dir)?, name: self.name, adopt: self.adopt };
        let added = context.mesh().await?.folder_add(&folder).await?;
        context.print(render(&added, &context.view()))
    }
}

/// The daemon has another working directory than the command.
fn absolute(dir: &path::Path) -> Result<String, ApiError> {
    let what = format!("use the directory {}", dir.display());
    let absolute = path::absolute(dir).map_err(|error| failure::io(&what, &error))?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|_| ApiError::new(ErrorCode::BadFolder, what, "its path isn't UTF-8", "rename it, or choose another"))
}

fn render(added: &FolderAdded, view: &View) -> String {
    view.one(added, || folder_table(std::slice::from_ref(&added.folder)).text(view.colored))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::{folder, sheet};

    #[test]
    fn folder_add() {
        insta::assert_snapshot!(sheet(|view| render(&FolderAdded { v: V1, folder: folder() }, view)));
    }
}
