use std::time::Duration;

use clap::Args;
use murmurate_client::types::{ApiError, Converged, ErrorCode};

use super::context::Context;
use super::failure::Stop;
use super::table::{Cell, Table};
use super::time::span;
use super::view::View;
use crate::settings::parse_duration;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("condition").required(true))]
pub(super) struct Wait {
    /// Until every member holds what this host holds, and this host's files are up to date (a host that was lost is
    /// noticed within some 3 s)
    #[arg(long, group = "condition")]
    converged: bool,
    /// How long to wait
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Wait {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        debug_assert!(self.converged, "it is the only condition so far");
        let converged = context.mesh().await?.wait_converged(self.timeout).await?;
        context.print(render(&converged, &context.view()))?;
        if converged.converged { Ok(()) } else { Err(lagging(&converged, self.timeout).into()) }
    }
}

fn render(converged: &Converged, view: &View) -> String {
    let mut table = Table::new(&["HOST", "STATE", "LAG", "WHY"]);
    for host in &converged.lagging {
        let state = Cell::new(host.state.name(), super::members::style(host.state));
        table.row([host.host.as_str().into(), state, host.lag.to_string().into(), host.why.as_str().into()]);
    }
    view.one(converged, || {
        if view.format == crate::settings::OutputFormat::Raw { table.raw() } else { table.text(view.colored) }
    })
}

fn lagging(converged: &Converged, timeout: Duration) -> ApiError {
    let names: Vec<_> = converged.lagging.iter().map(|host| host.host.as_str()).collect();
    let limit = span(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    ApiError::new(
        ErrorCode::NotConverged,
        format!("wait {limit} for the mesh to converge"),
        format!("these hosts lag: {}", names.join(", ")),
        "`murmurate members` shows how they fare; give more time with --timeout",
    )
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{Lagging, MemberState};

    use super::*;
    use crate::cli::failure;
    use crate::cli::testing::sheet;

    #[test]
    fn wait() {
        let host =
            Lagging { host: "db-1".into(), state: MemberState::Suspect, lag: 318, why: "it doesn't answer".into() };
        let converged = Converged::of(vec![host]);
        let done = sheet(|view| render(&Converged::of(Vec::new()), view));
        let failed = failure::render(&lagging(&converged, Duration::from_secs(30)), false, false);
        insta::assert_snapshot!([done, sheet(|view| render(&converged, view)), failed].join("\n"));
    }
}
