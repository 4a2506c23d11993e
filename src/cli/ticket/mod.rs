//! `ticket`: letting other hosts join.

mod create;
mod ls;
mod revoke;

use clap::Subcommand;
use murmurate_client::types::{Ticket as Info, TicketState};

use super::context::Context;
use super::failure::Stop;
use super::table::{Cell, Table};
use super::time::relative;
use super::view::{Style, View};

#[derive(Debug, Subcommand)]
pub(super) enum Ticket {
    /// Make a ticket and print it, for `murmurate join` on another host
    Create(create::Create),
    /// List the tickets that this host made
    Ls(ls::Ls),
    /// Take a ticket back
    Revoke(revoke::Revoke),
}

impl Ticket {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        match self {
            Self::Create(verb) => verb.run(context).await,
            Self::Ls(verb) => verb.run(context).await,
            Self::Revoke(verb) => verb.run(context).await,
        }
    }
}

fn table(tickets: &[Info], view: &View) -> Table {
    let mut table = Table::new(&["TICKET", "STATE", "LEFT", "MADE", "ENDS", "JOINED"]);
    for ticket in tickets {
        let style = if ticket.state == TicketState::Valid { Style::Good } else { Style::Dim };
        table.row([
            ticket.id.as_str().into(),
            Cell::new(ticket.state.name(), style),
            format!("{} of {}", ticket.uses_left, ticket.uses).into(),
            relative(ticket.created, view.now).into(),
            relative(ticket.expires, view.now).into(),
            ticket.joined.join(", ").into(),
        ]);
    }
    table
}

#[cfg(test)]
fn example(state: TicketState) -> Info {
    use super::testing::{ago, now};
    Info {
        id: "00112233445566ff".into(),
        state,
        uses_left: 2,
        uses: 3,
        created: ago(60),
        expires: murmurate_client::types::Time::from_ms(now().as_ms() + 3_600_000),
        joined: vec!["web-2".into()],
    }
}
