//! `debug ..`: one file per verb.

mod bundle;
mod log;
mod metrics;
mod redact;

use clap::Subcommand;

use super::context::Context;
use super::failure::Stop;

#[derive(Debug, Subcommand)]
pub(super) enum Debug {
    /// Show what the daemon logs, or change it until it ends
    Log(log::Log),
    /// Print the daemon's metrics, as Prometheus reads them
    Metrics(metrics::Metrics),
    /// Write what a bug report needs into a file: no values, no keys, no addresses
    Bundle(bundle::Bundle),
}

impl Debug {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        match self {
            Self::Log(verb) => verb.run(context).await,
            Self::Metrics(verb) => verb.run(context).await,
            Self::Bundle(verb) => verb.run(context).await,
        }
    }
}
