use clap::Args;
use murmurate_client::types::Deleted;

use super::context::Context;
use super::failure::Stop;
use super::overlay_flags::OverlayFlags;
use super::view::View;

#[derive(Debug, Args)]
pub(super) struct Del {
    /// DOC#KEY, or DOC for the whole file
    address: String,
    #[command(flatten)]
    overlay: OverlayFlags,
}

impl Del {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let address = self.overlay.address(&self.address)?;
        let deleted = context.mesh().await?.delete(&address).await?;
        context.print(render(&deleted, &context.view()))
    }
}

/// The causal token.
fn render(deleted: &Deleted, view: &View) -> String {
    view.one(deleted, || format!("{}\n", deleted.token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn del() {
        let deleted = Deleted::new("web/app.toml".into(), "server.port".into(), "aa.0:8".into());
        insta::assert_snapshot!(sheet(|view| render(&deleted, view)));
    }
}
