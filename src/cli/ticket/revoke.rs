use clap::Args;
use murmurate_client::types::TicketRevoked;

use super::{Context, Stop, View, table};

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The ticket's name, as `ticket ls` shows it, or the ticket itself
    ticket: String,
}

impl Revoke {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let revoked = context.mesh().await?.ticket_revoke(&self.ticket).await?;
        context.print(render(&revoked, &context.view()))
    }
}

fn render(revoked: &TicketRevoked, view: &View) -> String {
    view.one(revoked, || table(std::slice::from_ref(&revoked.ticket), view).text(view.colored))
}
