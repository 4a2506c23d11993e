use clap::Args;
use murmurate_client::types::Tickets;

use super::{Context, Stop, View, table};

#[derive(Debug, Args)]
pub(in crate::cli) struct Ls {}

impl Ls {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let tickets = context.mesh().await?.tickets().await?;
        if tickets.tickets.is_empty() && context.is_for_people() {
            context.note("this host made no ticket; `murmurate ticket create` makes one");
        }
        context.print(render(&tickets, &context.view()))
    }
}

fn render(tickets: &Tickets, view: &View) -> String {
    view.list(tickets, &tickets.tickets, table(&tickets.tickets, view))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{TicketState, V1};

    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn ticket_ls() {
        let tickets = [TicketState::Valid, TicketState::Revoked].map(super::super::example).to_vec();
        insta::assert_snapshot!(sheet(|view| render(&Tickets { v: V1, tickets: tickets.clone() }, view)));
    }
}
