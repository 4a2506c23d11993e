//! `folder ..`: one file per verb.

mod add;
mod confirm;
mod ls;
mod rm;
mod status;

use clap::Subcommand;

use super::context::Context;
use super::failure::Stop;
use super::{table, time, view};
pub(super) use ls::folder_table;
pub(super) use status::{file_table, outputs};

#[derive(Debug, Subcommand)]
pub(super) enum Folder {
    /// Keep a folder of the mesh in a directory of this host
    Add(add::Add),
    /// List the folders that this host keeps
    Ls(ls::Ls),
    /// Keep a folder no more; its files stay, here and everywhere
    Rm(rm::Rm),
    /// How each file stands
    Status(status::Status),
    /// Carry out the deletes that wait for it
    Confirm(confirm::Confirm),
}

impl Folder {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        match self {
            Self::Add(verb) => verb.run(context).await,
            Self::Ls(verb) => verb.run(context).await,
            Self::Rm(verb) => verb.run(context).await,
            Self::Status(verb) => verb.run(context).await,
            Self::Confirm(verb) => verb.run(context).await,
        }
    }
}
