use clap::Args;
use murmurate_client::types::{ApiError, ErrorCode, V1};
use murmurate_net::Environment;
use murmurate_net::join::Ticket;
use serde::Serialize;

use super::context::Context;
use super::failure::Stop;
use super::host_flags::HostFlags;
use super::init::place;
use super::input;
use super::view::View;
use crate::daemon::founding;
use crate::settings::ClientFlags;

#[derive(Debug, Args)]
pub(super) struct Join {
    /// The ticket; `@file` reads it from a file, `-` from stdin
    ticket: String,
    #[command(flatten)]
    host: HostFlags,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Joined {
    v: V1,
    mesh: String,
    name: String,
    up: String,
}

impl Join {
    pub(super) async fn run(self, flags: &ClientFlags) -> Result<(), Stop> {
        let context = Context::new(flags)?;
        let ticket = read_ticket(&self.ticket)?;
        let up = self.host.up(flags.socket.as_ref());
        let place = place(self.host, flags, &context.surroundings)?;
        let joined = founding::join(&place, &ticket, &Environment::system()).await?;
        let joined = Joined { v: V1, mesh: joined.anchors.mesh().to_string(), name: place.name, up };
        context.print(render(&joined, &context.view()))
    }
}

fn read_ticket(argument: &str) -> Result<Ticket, ApiError> {
    let text = input::text(argument, false)?;
    text.trim().parse().map_err(|error: murmurate_net::join::TicketError| {
        let try_ = "copy it whole, from its first letter to its last, or pass it in a file: `murmurate join @FILE`";
        ApiError::new(ErrorCode::BadTicket, "read the ticket", error.to_string(), try_)
    })
}

fn render(joined: &Joined, view: &View) -> String {
    view.one(joined, || format!("joined mesh {} as {}; start here: {}\n", joined.mesh, joined.name, joined.up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn join() {
        let joined = Joined { v: V1, mesh: "00ff".repeat(8), name: "web-2".into(), up: "murmurate up".into() };
        insta::assert_snapshot!(sheet(|view| render(&joined, view)));
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        assert_eq!(read_ticket("nonsense").unwrap_err().code, ErrorCode::BadTicket);
    }
}
