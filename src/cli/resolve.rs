use clap::Args;
use murmurate_client::types::{Choice, ConflictPart, ResolveConflict, Resolved, ValueType, token_version};
use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::context::Context;
use super::failure::Stop;
use super::ls::address;
use super::view::View;
use super::{input, put_type};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("choice").required(true))]
pub(super) struct Resolve {
    /// DOC#KEY, or DOC for a whole file
    address: String,
    /// The number that `conflicts` shows, or a value's version
    #[arg(long, group = "choice", value_name = "N|VERSION")]
    take: Option<String>,
    /// Another value; `@file` reads it from a file, `-` from stdin
    #[arg(long, group = "choice", allow_negative_numbers = true)]
    value: Option<String>,
    /// The value's type, when its text doesn't tell
    #[arg(long = "type", requires = "value", value_name = "TYPE", value_parser = put_type)]
    kind: Option<ValueType>,
    /// Which of the key's conflicts, when it has several: value, comment, placement, ...
    #[arg(long, value_parser = part)]
    part: Option<ConflictPart>,
}

impl Resolve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let choice = match (self.value, self.take) {
            (Some(value), _) => Choice::Value { text: input::text(&value, false)?, kind: self.kind },
            (None, take) => taken(&take.unwrap_or_default()),
        };
        let resolve = ResolveConflict { address: self.address, part: self.part, choice };
        let resolved = context.mesh().await?.resolve(&resolve).await?;
        if context.is_for_people() {
            let bare = resolved.value.bare();
            context.note(&format!(
                "{} is {} now",
                address(&resolved.doc, &resolved.key),
                super::table::printable(&bare)
            ));
        }
        context.print(render(&resolved, &context.view()))
    }
}

fn taken(text: &str) -> Choice {
    text.parse().map_or_else(|_| Choice::Version(token_version(text).to_owned()), Choice::Take)
}

fn part(name: &str) -> Result<ConflictPart, String> {
    match ConflictPart::deserialize(StrDeserializer::<ValueError>::new(name)) {
        Ok(ConflictPart::Unknown) | Err(_) => {
            Err("the parts are value, comment, placement, spacing, shape and file".to_owned())
        }
        Ok(part) => Ok(part),
    }
}

/// The causal token.
fn render(resolved: &Resolved, view: &View) -> String {
    view.one(resolved, || format!("{}\n", resolved.token))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::{integer, sheet};

    #[test]
    fn resolve() {
        let resolved = Resolved {
            v: V1,
            doc: "web/app.toml".into(),
            key: "rps".into(),
            value: integer(200),
            version: "aa.0:9".into(),
            token: "aa.0:9@web/app.toml".into(),
            resolved: 1,
        };
        insta::assert_snapshot!(sheet(|view| render(&resolved, view)));
    }

    #[test]
    fn a_choice_is_a_number_or_a_version() {
        assert_eq!(taken("2"), Choice::Take(2));
        assert_eq!(taken("aa.0:7"), Choice::Version("aa.0:7".into()));
        assert_eq!(taken("aa.0:7@web/app.toml"), Choice::Version("aa.0:7".into()));
        assert_eq!(part("comment"), Ok(ConflictPart::Comment));
        assert!(part("colour").is_err());
    }
}
