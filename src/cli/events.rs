use std::time::Duration;

use clap::Args;
use murmurate_client::types::{self, MeshEvent, MeshEventKind, Time};

use super::context::Context;
use super::failure::Stop;
use super::members;
use super::table::printable;
use super::view::{Style, View, compact, paint};
use crate::settings::{OutputFormat, parse_duration};

#[derive(Debug, Args)]
pub(super) struct Events {
    /// Go on with a line for each event as it comes, over restarts of the daemon
    #[arg(long, short)]
    follow: bool,
    /// Only what happened in this time until now, like `10m`, or from a time on, like `2026-01-02T03:04:05Z`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only events of these kinds
    #[arg(long = "type", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<MeshEventKind>,
}

/// From when on.
#[derive(Debug, Clone, Copy)]
enum Since {
    Time(Time),
    Ago(Duration),
}

fn since(text: &str) -> Result<Since, String> {
    text.parse().map(Since::Time).or_else(|_| parse_duration(text).map(Since::Ago))
}

fn kind(name: &str) -> Result<MeshEventKind, String> {
    let names = || MeshEventKind::TOLD.map(MeshEventKind::name).join(", ");
    MeshEventKind::TOLD.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("the kinds are {}", names()))
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let kept = mesh.events().await?;
        let from = self.from(context.view().now);
        for event in &kept.events {
            self.print(context, event, from)?;
        }
        if !self.follow {
            return Ok(());
        }
        let mut stream = mesh.follow_events().resume(Some(kept.resume)).start().await?;
        while let Some(event) = stream.next().await {
            self.print(context, &event?, from)?;
        }
        Ok(())
    }

    fn from(&self, now: Time) -> Time {
        match self.since {
            None => Time::default(),
            Some(Since::Time(time)) => time,
            Some(Since::Ago(ago)) => {
                let ago_ms = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                Time::from_ms(now.as_ms().saturating_sub(ago_ms))
            }
        }
    }

    /// That events were lost is said in any case.
    fn print(&self, context: &Context, event: &MeshEvent, from: Time) -> Result<(), Stop> {
        let is_wanted = event.time >= from && (self.kinds.is_empty() || self.kinds.contains(&event.kind));
        if is_wanted || event.kind == MeshEventKind::Reset {
            context.print(line(event, &context.view()))?;
        }
        Ok(())
    }
}

/// One line; in every JSON format too.
pub(super) fn line(event: &MeshEvent, view: &View) -> String {
    let types::MeshEvent { kind, time, host, by, doc, text, resume, .. } = event;
    let [host, by, doc] = [host, by, doc].map(|text| text.as_deref().unwrap_or_default());
    match view.format {
        OutputFormat::Json | OutputFormat::Jsonl => compact(event),
        OutputFormat::Raw => {
            [&time.to_string(), kind.name(), host, doc, by, text, resume].map(printable).join("\t") + "\n"
        }
        OutputFormat::Table => {
            let name = paint(kind.name(), style(event), view.colored);
            let padding = "reload-failed".len().saturating_sub(kind.name().len());
            let doc = if doc.is_empty() { String::new() } else { format!("{doc}: ") };
            let by = if by.is_empty() { String::new() } else { format!(" (said {by})") };
            let by = paint(&printable(&by), Style::Dim, view.colored);
            format!("{time}  {name}{:padding$}  {}{}{by}\n", "", printable(&doc), printable(text))
        }
    }
}

fn style(event: &MeshEvent) -> Style {
    match event.kind {
        MeshEventKind::Member | MeshEventKind::Init => event.to.map_or(Style::Dim, members::style),
        MeshEventKind::Started
        | MeshEventKind::Joined
        | MeshEventKind::Resolved
        | MeshEventKind::Released
        | MeshEventKind::Recovered
        | MeshEventKind::Solved => Style::Good,
        MeshEventKind::Issuer | MeshEventKind::Conflict | MeshEventKind::Held => Style::Warn,
        MeshEventKind::Revoked
        | MeshEventKind::CheckFailed
        | MeshEventKind::ReloadFailed
        | MeshEventKind::Problem
        | MeshEventKind::Reset => Style::Bad,
        MeshEventKind::Unknown => Style::Dim,
    }
}

/// Events for tests.
#[cfg(test)]
pub(super) fn examples() -> Vec<MeshEvent> {
    use murmurate_client::types::MemberState;

    use crate::cli::testing::ago;

    let of = |kind, seconds, text: &str| MeshEvent { resume: "7-4".into(), ..MeshEvent::new(kind, ago(seconds), text) };
    let member = MeshEvent {
        host: Some("web-2".into()),
        id: Some("ab".repeat(32)),
        from: Some(MemberState::Alive),
        to: Some(MemberState::Suspect),
        by: Some("db".into()),
        ..of(MeshEventKind::Member, 9, "web-2 was alive and is suspect")
    };
    let doc = Some("web/app.toml".to_owned());
    vec![
        of(MeshEventKind::Started, 60, "the daemon of web-1 started, version 0.1.0"),
        member,
        MeshEvent { doc: doc.clone(), ..of(MeshEventKind::Conflict, 8, "1 open: server.port") },
        MeshEvent { doc, ..of(MeshEventKind::ReloadFailed, 7, "a reload failed: exit code 1\n\u{1b}[2J") },
        of(MeshEventKind::Reset, 5, "events before this were lost"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{ago, now, sheet};

    #[test]
    fn events() {
        insta::assert_snapshot!(sheet(|view| examples().iter().map(|event| line(event, view)).collect()));
    }

    #[test]
    fn the_beginning_is_a_time_or_so_long_ago() {
        let from = |text: &str| {
            let events = Events { follow: false, since: Some(since(text).unwrap()), kinds: Vec::new() };
            events.from(now())
        };
        assert_eq!(from("10m"), ago(600));
        assert_eq!(from("2026-01-02T03:04:00Z"), ago(5));
        assert!(since("yesterday").is_err());
        assert!(kind("joined").is_ok() && kind("init").is_err() && kind("nothing").is_err());
    }
}
