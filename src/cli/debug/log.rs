use clap::Args;
use murmurate_client::types::LogFilter;

use crate::cli::context::Context;
use crate::cli::failure::Stop;
use crate::cli::view::View;

#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// What is logged from now on: a level (off, error, warn, info, debug, trace), or like `info,murmurate_net=debug`
    filter: Option<String>,
}

impl Log {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let filter = match self.filter {
            Some(filter) => mesh.set_log_filter(&filter).await?,
            None => mesh.log_filter().await?,
        };
        if context.is_for_people() && filter.filter != filter.setting {
            context
                .note(&format!("with its next start the daemon logs `{}` again, as its settings say", filter.setting));
        }
        context.print(render(&filter, &context.view()))
    }
}

fn render(filter: &LogFilter, view: &View) -> String {
    view.one(filter, || format!("{}\n", filter.filter))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn debug_log() {
        let filter = LogFilter { v: V1, filter: "info,murmurate_net=debug".into(), setting: "info".into() };
        insta::assert_snapshot!(sheet(|view| render(&filter, view)));
    }
}
