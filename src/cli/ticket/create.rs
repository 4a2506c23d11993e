use std::time::Duration;

use clap::Args;
use murmurate_client::types::{CreateTicket, TicketCreated};

use super::{Context, Stop, View};
use crate::settings::parse_duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// How many hosts may join with it
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    /// For how long it can be used: `30m`, `12h`, `7d`
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_duration)]
    expires: Duration,
    /// Where joiners reach this host, instead of the addresses that it advertises; may be given several times
    #[arg(long = "address", value_name = "HOST:PORT")]
    addresses: Vec<String>,
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let ticket =
            CreateTicket { uses: Some(self.uses), valid_s: Some(self.expires.as_secs()), addresses: self.addresses };
        let created = context.mesh().await?.ticket_create(&ticket).await?;
        context.print(render(&created, &context.view()))
    }
}

/// The bare ticket, ready for a shell.
fn render(created: &TicketCreated, view: &View) -> String {
    view.one(created, || format!("{}\n", created.ticket))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{TicketState, V1};

    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn ticket_create() {
        let info = super::super::example(TicketState::Valid);
        let created = TicketCreated { v: V1, ticket: "murmur1abc".into(), info };
        insta::assert_snapshot!(sheet(|view| render(&created, view)));
    }
}
