use clap::Args;
use murmurate_client::types::{PutResult, PutValue, ValueType, token_version};

use super::context::Context;
use super::failure::Stop;
use super::overlay_flags::OverlayFlags;
use super::view::View;
use super::{input, put_type};

#[derive(Debug, Args)]
pub(super) struct Put {
    /// DOC#KEY, or DOC for the whole file
    pub(super) address: String,
    /// The value; `@file` reads it from a file, `-` from stdin
    #[arg(allow_negative_numbers = true)]
    pub(super) value: String,
    /// The value's type, when its text doesn't tell
    #[arg(long = "type", value_name = "TYPE", value_parser = put_type)]
    kind: Option<ValueType>,
    /// Write only if the key has this version; empty: only if there is no such key
    #[arg(long, value_name = "VERSION")]
    expect: Option<String>,
    /// Take VALUE as it is, even if it begins with `@` or is `-`
    #[arg(long)]
    literal: bool,
    #[command(flatten)]
    overlay: OverlayFlags,
}

impl Put {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let address = self.overlay.address(&self.address)?;
        self.overlay.note_strangers(context).await?;
        let result = if address.contains('#') {
            let value = input::text(&self.value, self.literal)?;
            let expect = self.expect.map(|token| token_version(&token).to_owned());
            mesh.put(&address, &PutValue { value, kind: self.kind, expect }).await?
        } else {
            self.refuse_key_flags()?;
            mesh.write_file(&address, input::bytes(&self.value, self.literal)?).await?
        };
        context.print(render(&result, &context.view()))
    }

    fn refuse_key_flags(&self) -> Result<(), Stop> {
        use murmurate_client::types::{ApiError, ErrorCode};
        if self.kind.is_none() && self.expect.is_none() {
            return Ok(());
        }
        let what = format!("write the whole document {}", self.address);
        let why = "--type and --expect are for keys";
        Err(ApiError::new(ErrorCode::BadRequest, what, why, "leave them out, or add `#KEY` to the address").into())
    }
}

/// The causal token.
fn render(result: &PutResult, view: &View) -> String {
    view.one(result, || format!("{}\n", result.token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn put() {
        let result = PutResult::new("web/app.toml".into(), "server.port".into(), "aa.0:7".into(), true);
        insta::assert_snapshot!(sheet(|view| render(&result, view)));
    }
}
