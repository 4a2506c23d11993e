//! `keys`: certificates, and who may issue them.

mod issuer;
mod status;

use clap::Subcommand;

pub(super) use issuer::recovery_key;

use super::context::Context;
use super::failure::Stop;
use super::view::View;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// This host's certificate, the mesh's issuers and what was revoked
    Status(status::Status),
    /// Let a host issue certificates and tickets, too
    Issuer(issuer::Issuer),
}

impl Keys {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        match self {
            Self::Status(verb) => verb.run(context).await,
            Self::Issuer(verb) => verb.run(context).await,
        }
    }
}
