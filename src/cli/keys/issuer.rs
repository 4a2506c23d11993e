use std::path::PathBuf;

use clap::Args;
use murmurate_client::types::{AddIssuer, ApiError, IssuerAdded};

use super::{Context, Stop, View};
use crate::cli::failure;

#[derive(Debug, Args)]
pub(in crate::cli) struct Issuer {
    /// The host's name, or the beginning of its id
    node: String,
    /// The recovery key's file, where the authority's key isn't on this host
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
}

impl Issuer {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let recovery_key = self.recovery_key.as_ref().map(recovery_key).transpose()?;
        let issuer = AddIssuer { node: self.node, recovery_key };
        let added = context.mesh().await?.add_issuer(&issuer).await?;
        context.print(render(&added, &context.view()))
    }
}

/// The text of a recovery key's file.
pub(in crate::cli) fn recovery_key(path: &PathBuf) -> Result<String, ApiError> {
    let what = format!("read the recovery key {}", path.display());
    std::fs::read_to_string(path).map_err(|error| failure::io(&what, &error))
}

fn render(added: &IssuerAdded, view: &View) -> String {
    view.one(added, || format!("{} may issue certificates and tickets\n", added.issuer.name))
}
