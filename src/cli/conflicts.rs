use clap::Args;
use murmurate_client::types;

use super::context::Context;
use super::failure::Stop;
use super::ls::{address, shortened};
use super::table::{Cell, Table};
use super::time::relative;
use super::view::{Style, View};

#[derive(Debug, Args)]
pub(super) struct Conflicts {
    /// Only addresses that begin so
    #[arg(default_value = "")]
    prefix: String,
}

impl Conflicts {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let conflicts = context.mesh().await?.conflicts(&self.prefix).await?;
        if conflicts.conflicts.is_empty() && context.is_for_people() {
            context.note("there is no open conflict");
        }
        context.print(render(&conflicts, &context.view()))
    }
}

/// A row per value, numbered as `resolve --take` takes them; the first stands meanwhile.
fn render(conflicts: &types::Conflicts, view: &View) -> String {
    let mut table = Table::new(&["ADDRESS", "PART", "KIND", "N", "VALUE", "HOST", "AUTHOR", "WHEN", "VERSION"]);
    for conflict in &conflicts.conflicts {
        for (index, value) in conflict.values.iter().enumerate() {
            let style = if index == 0 { Style::Good } else { Style::Plain };
            let text = match value.value.kind {
                types::ValueType::Deleted => "(deleted)".to_owned(),
                _ => shortened(&value.value.bare()),
            };
            table.row([
                address(&conflict.doc, &conflict.key).into(),
                conflict.part.name().into(),
                conflict.kind.name().into(),
                (index + 1).to_string().into(),
                Cell::new(text, style),
                value.host.as_str().into(),
                value.author.as_str().into(),
                relative(value.time, view.now).into(),
                Cell::new(value.version.as_str(), Style::Dim),
            ]);
        }
    }
    view.list(conflicts, &conflicts.conflicts, table)
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{Conflict, ConflictKind, ConflictPart, ConflictValue, TypedValue, V1};

    use super::*;
    use crate::cli::testing::{ago, integer, sheet};

    #[test]
    fn conflicts() {
        let value = |value, host: &str, version: &str| ConflictValue {
            value,
            host: host.into(),
            author: "ann".into(),
            time: ago(9),
            version: version.into(),
        };
        let conflict = |key: &str, kind, values: Vec<ConflictValue>| Conflict {
            doc: "web/app.toml".into(),
            key: key.into(),
            part: ConflictPart::Value,
            kind,
            winner: values[0].value.value.clone(),
            values,
        };
        let ports = vec![value(integer(200), "web-1", "aa.0:7"), value(integer(150), "db-1", "bb.1:3")];
        let gone = vec![value(integer(1), "web-1", "aa.0:8"), value(TypedValue::deleted(), "db-1", "bb.1:4")];
        let conflicts = types::Conflicts {
            v: V1,
            conflicts: vec![
                conflict("rps", ConflictKind::Concurrent, ports),
                conflict("burst", ConflictKind::Deleted, gone),
            ],
        };
        insta::assert_snapshot!(sheet(|view| render(&conflicts, view)));
    }
}
