use clap::Args;
use murmurate_client::types::{Event, EventKind};

use super::context::Context;
use super::failure::Stop;
use super::ls::{address, shortened};
use super::table::printable;
use super::view::{Style, View, compact, paint};
use crate::settings::OutputFormat;

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Only addresses that begin so
    #[arg(default_value = "")]
    prefix: String,
    /// Go on after the event with this token
    #[arg(long, value_name = "TOKEN")]
    resume: Option<String>,
    /// Begin with a line for each key that is there now
    #[arg(long)]
    init: bool,
}

impl Watch {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let mut watch = mesh.watch(&self.prefix).resume(self.resume).init(self.init).start().await?;
        while let Some(event) = watch.next().await {
            context.print(render(&event?, &context.view()))?;
        }
        Ok(())
    }
}

/// One line; in every JSON format too.
fn render(event: &Event, view: &View) -> String {
    let bare = event.value.as_ref().map(|value| value.bare()).unwrap_or_default();
    let time = event.time.map(|time| time.to_string()).unwrap_or_default();
    let [host, author] = [&event.host, &event.author].map(|text| text.as_deref().unwrap_or_default());
    let address = address(&event.doc, &event.key);
    match view.format {
        OutputFormat::Json | OutputFormat::Jsonl => compact(event),
        OutputFormat::Raw => {
            let cells = [event.kind.name(), &address, &bare, host, author, &time, &event.resume];
            cells.map(printable).join("\t") + "\n"
        }
        OutputFormat::Table => {
            let kind = paint(event.kind.name(), style(event.kind), view.colored);
            let change = if bare.is_empty() { address } else { format!("{address} = {}", shortened(&bare)) };
            let by =
                [host, author, &time].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" ");
            let by = paint(&printable(&by), Style::Dim, view.colored);
            let padding = "conflict".len().saturating_sub(event.kind.name().len());
            format!("{kind}{:padding$}  {}  {by}", "", printable(&change)).trim_end().to_owned() + "\n"
        }
    }
}

fn style(kind: EventKind) -> Style {
    match kind {
        EventKind::Put | EventKind::Resolved | EventKind::Recovered => Style::Good,
        EventKind::Delete | EventKind::Conflict => Style::Warn,
        EventKind::CheckFailed | EventKind::ReloadFailed | EventKind::Reset => Style::Bad,
        EventKind::Init | EventKind::Unknown => Style::Dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{ago, integer, sheet, string};

    #[test]
    fn watch() {
        let put = Event {
            kind: EventKind::Put,
            doc: "web/app.toml".into(),
            key: "server.port".into(),
            value: Some(integer(8080)),
            host: Some("web-1".into()),
            author: Some("ann".into()),
            time: Some(ago(0)),
            version: Some("aa.0:7".into()),
            ..Event::reset("aa-41".into())
        };
        let conflict = Event { kind: EventKind::Conflict, value: Some(string("a\nb")), ..put.clone() };
        let delete = Event { kind: EventKind::Delete, value: None, ..put.clone() };
        let events = [put, conflict, delete, Event::reset("aa-44".into())];
        insta::assert_snapshot!(sheet(|view| events.iter().map(|event| render(event, view)).collect()));
    }
}
