use std::path::PathBuf;

use clap::Args;
use murmurate_client::types::{NodeRevoked, RevokeNode};

use super::ask::confirm;
use super::context::Context;
use super::failure::Stop;
use super::keys::recovery_key;
use super::view::View;

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The host's name, or the beginning of its id
    node: String,
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The recovery key's file, where this host is no issuer
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

impl Revoke {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let member = mesh.node(&self.node).await?.member;
        let question =
            format!("Take {} ({}) out of the mesh for good?", member.name, super::members::short(&member.id));
        confirm(self.yes, &format!("revoke {}", member.name), &question)?;
        let recovery_key = self.recovery_key.as_ref().map(recovery_key).transpose()?;
        let revoked = mesh.revoke(&RevokeNode { node: member.id, reason: self.reason, recovery_key }).await?;
        context.print(render(&revoked, &context.view()))
    }
}

fn render(revoked: &NodeRevoked, view: &View) -> String {
    view.one(revoked, || format!("{} is no member any more\n", revoked.revoked.name))
}
