use std::time::Duration;

use clap::Args;
use murmurate_client::types::{self, ApiError, ErrorCode, MemberState, PingOutcome};
use tokio::time::sleep;

use super::context::Context;
use super::failure::Stop;
use super::table::printable;
use super::time::span;
use super::view::{Style, View, compact, paint};
use crate::settings::{OutputFormat, parse_duration};

#[derive(Debug, Args)]
pub(super) struct Ping {
    /// The host's name, or the beginning of its id
    node: String,
    /// How many times
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The time between two pings
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
    /// How long each answer is waited for; 10 s at most
    #[arg(long, default_value = "2s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Ping {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let mut pings = Vec::new();
        for number in 0..self.count {
            if number > 0 {
                sleep(self.interval).await;
            }
            let ping = mesh.ping(&self.node, self.timeout).await?;
            context.print(render(&ping, &context.view()))?;
            pings.push(ping);
        }
        if self.count > 1 && context.is_for_people() {
            context.print(summary(&pings))?;
        }
        failure(&pings).map_or(Ok(()), |error| Err(error.into()))
    }
}

/// One line; in every JSON format too.
fn render(ping: &types::Ping, view: &View) -> String {
    let (said, style) = said(ping, view);
    match view.format {
        OutputFormat::Json | OutputFormat::Jsonl => compact(ping),
        OutputFormat::Raw => {
            let outcome = outcome_name(ping.outcome);
            let time = ping.round_trip_us.map(|us| us.to_string()).unwrap_or_default();
            let through = ping.through.as_deref().unwrap_or_default();
            [&ping.host, outcome, &time, through, ping.state.name()].map(printable).join("\t") + "\n"
        }
        OutputFormat::Table => {
            format!("{}: {}\n", printable(&ping.host), paint(&printable(&said), style, view.colored))
        }
    }
}

fn outcome_name(outcome: PingOutcome) -> &'static str {
    match outcome {
        PingOutcome::Answered => "answered",
        PingOutcome::Silent => "silent",
        PingOutcome::Reached => "reached",
        PingOutcome::Unreached => "unreached",
        PingOutcome::Unknown => "unknown",
    }
}

fn said(ping: &types::Ping, view: &View) -> (String, Style) {
    let time = ping.round_trip_us.map(milliseconds).unwrap_or_default();
    let state = match (ping.state, ping.since) {
        (state, Some(since)) => format!("{state} for {}", span(view.now.as_ms().saturating_sub(since.as_ms()))),
        (MemberState::Unknown, None) => "it was never heard of here".to_owned(),
        (state, None) => state.to_string(),
    };
    match ping.outcome {
        PingOutcome::Answered => match ping.path_round_trip_us {
            Some(path) => (format!("answered in {time}, {} of it on the way", milliseconds(path)), Style::Good),
            None => (format!("answered in {time}"), Style::Good),
        },
        PingOutcome::Silent => (format!("no answer in time, though there is a link; {state}"), Style::Bad),
        PingOutcome::Reached => {
            let through = ping.through.as_deref().unwrap_or_default();
            (format!("no link with it from here, but {through} reaches it (said after {time}); {state}"), Style::Warn)
        }
        PingOutcome::Unreached if ping.asked.is_empty() => {
            (format!("no link with it from here, and nobody to ask; {state}"), Style::Bad)
        }
        PingOutcome::Unreached => {
            (format!("no link with it from here, nor from {}; {state}", ping.asked.join(", ")), Style::Bad)
        }
        PingOutcome::Unknown => ("this daemon's answer isn't understood; compare the versions".to_owned(), Style::Dim),
    }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

fn answers(pings: &[types::Ping]) -> impl Iterator<Item = u64> {
    pings.iter().filter(|ping| ping.outcome == PingOutcome::Answered).filter_map(|ping| ping.round_trip_us)
}

fn summary(pings: &[types::Ping]) -> String {
    let mut times: Vec<u64> = answers(pings).collect();
    times.sort_unstable();
    let answered = format!("{} of {} answered", times.len(), pings.len());
    match (times.first(), times.get(times.len() / 2), times.last()) {
        (Some(&least), Some(&median), Some(&most)) => {
            let [least, median, most] = [least, median, most].map(milliseconds);
            format!("{answered}; least {least}, median {median}, most {most}\n")
        }
        _ => answered + "\n",
    }
}

/// Why the command failed, unless all were answered.
fn failure(pings: &[types::Ping]) -> Option<ApiError> {
    let answered = answers(pings).count();
    let last = pings.last().filter(|_| answered < pings.len())?;
    let what = format!("ping {}", last.host);
    let try_ = format!(
        "`murmurate node {}` shows what is known of it; see that its daemon is up, and UDP gets through",
        last.host
    );
    let (code, why) = match last.outcome {
        _ if answered > 0 => (ErrorCode::Partial, format!("{answered} of {} pings were answered", pings.len())),
        PingOutcome::Reached => {
            (ErrorCode::NoLink, "other hosts reach it, and this one has no link with it".to_owned())
        }
        _ => (ErrorCode::Timeout, "it didn't answer in time".to_owned()),
    };
    Some(ApiError::new(code, what, why, try_))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::{ago, sheet};

    fn ping(outcome: PingOutcome) -> types::Ping {
        types::Ping {
            v: V1,
            host: "web-2".into(),
            id: "ab".repeat(32),
            outcome,
            round_trip_us: Some(1_240),
            path_round_trip_us: Some(412),
            through: None,
            asked: Vec::new(),
            state: MemberState::Alive,
            since: Some(ago(7_300)),
        }
    }

    fn away(outcome: PingOutcome) -> types::Ping {
        types::Ping { round_trip_us: None, path_round_trip_us: None, state: MemberState::Dead, ..ping(outcome) }
    }

    #[test]
    fn ping_lines() {
        let pings = [
            ping(PingOutcome::Answered),
            types::Ping { round_trip_us: None, ..ping(PingOutcome::Silent) },
            types::Ping { through: Some("db".into()), path_round_trip_us: None, ..ping(PingOutcome::Reached) },
            types::Ping { asked: vec!["db".into(), "web-1".into()], ..away(PingOutcome::Unreached) },
            away(PingOutcome::Unreached),
        ];
        let lines = sheet(|view| pings.iter().map(|ping| render(ping, view)).collect());
        insta::assert_snapshot!([lines, summary(&pings), summary(&pings[3..])].join("\n"));
    }

    #[test]
    fn the_exit_code_says_whether_it_was_answered() {
        let (answered, silent) = (ping(PingOutcome::Answered), away(PingOutcome::Silent));
        let reached = away(PingOutcome::Reached);
        let exit = |pings: &[&types::Ping]| {
            let pings: Vec<types::Ping> = pings.iter().map(|&ping| ping.clone()).collect();
            failure(&pings).map_or(0, |error| error.exit)
        };
        assert_eq!(exit(&[&answered, &answered]), 0);
        assert_eq!(exit(&[&answered, &silent]), 9);
        assert_eq!(exit(&[&silent, &silent]), 7);
        assert_eq!(exit(&[&away(PingOutcome::Unreached)]), 7);
        assert_eq!(exit(&[&reached]), 1);
    }
}
