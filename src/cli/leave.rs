use clap::Args;
use murmurate_client::types::Left;

use super::ask::confirm;
use super::context::Context;
use super::failure::Stop;
use super::view::View;

#[derive(Debug, Args)]
pub(super) struct Leave {
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

impl Leave {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let question =
            "Leave the mesh for good? The files in the folders stay as they are; to come back, this host joins anew.";
        confirm(self.yes, "leave the mesh", question)?;
        let left = mesh.leave().await?;
        context.print(render(&left, &context.view()))
    }
}

fn render(left: &Left, view: &View) -> String {
    view.one(left, || {
        format!("this host has left the mesh; {} others know; keys and history are in {}\n", left.told, left.aside)
    })
}
