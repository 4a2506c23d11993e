//! `edit`: a document or a key in an editor, written at the state in which it was opened.
//!
//! ```text
//!  read, with its state ─▶ a private file ─▶ editor ─▶ unchanged: nothing
//!                              ▲                │
//!                              └── not valid ◀──┴─▶ write at that state: what came meanwhile is merged, or a conflict
//! ```

mod document;
mod editor;
mod key;
mod scratch;

use clap::Args;
use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, ErrorCode, PutResult};

use super::ask::ask;
use super::context::Context;
use super::failure::Stop;
use super::table::printable;
use super::view::View;
use document::WholeDocument;
use editor::Editor;
use key::OneKey;
use scratch::Scratch;

/// How often an editor is opened anew with `--yes`: a script that can't mend its text doesn't go on for ever.
const REOPENED: usize = 8;

/// Open a document, or one key's value, in an editor.
///
/// What is saved is checked by the daemon; if it isn't valid, the editor can be opened again with the text as it is. It is
/// written at the state in which it was opened: other people's edits since then are merged, and where both changed one key
/// it becomes a conflict. Text that isn't taken is kept in a file, which is named.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  murmurate edit web/app.toml                        the whole file, in $VISUAL, $EDITOR or vi
  murmurate edit web/app.toml#server.port            one value
  murmurate edit web/app.toml --editor 'sed -i s/80/81/'   without a terminal")]
pub(super) struct Edit {
    /// DOC for the whole file, which may be new, or DOC#KEY for a value
    address: String,
    /// The editor's command line; the file is its last argument
    #[arg(long, value_name = "COMMAND")]
    editor: Option<String>,
    /// Open the editor again without asking while the text isn't valid
    #[arg(long)]
    yes: bool,
}

/// What is edited: how its text is written, and what there is to say then.
trait Target {
    /// The text as it was opened.
    fn text(&self) -> &[u8];

    /// The name that the editor sees.
    fn file_name(&self) -> String;

    /// Whether the saved text is what was opened.
    fn is_unchanged(&self, text: &[u8]) -> bool {
        text == self.text()
    }

    /// Writes the text at the state in which it was opened.
    async fn write(&self, mesh: &Mesh, text: Vec<u8>) -> Result<PutResult, ApiError>;

    /// How the text can be written by hand.
    fn by_hand(&self, path: &str) -> String;
}

impl Edit {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let editor = Editor::choose(self.editor.clone(), &self.address)?;
        let mesh = context.mesh().await?;
        if self.address.contains('#') {
            let key = OneKey::open(&mesh, &self.address).await?;
            self.edit(context, &mesh, &editor, &key).await
        } else {
            let document = WholeDocument::open(&mesh, &self.address).await?;
            self.edit(context, &mesh, &editor, &document).await
        }
    }

    async fn edit(&self, context: &Context, mesh: &Mesh, editor: &Editor, target: &impl Target) -> Result<(), Stop> {
        let scratch = Scratch::new(&target.file_name(), target.text())?;
        let mut refused: Option<Vec<u8>> = None;
        for opened in 1.. {
            let text = match editor.run(scratch.path()).await.and_then(|()| scratch.read()) {
                Ok(text) => text,
                Err(error) => return Err(scratch.kept_if_changed(target.text(), error, target).into()),
            };
            if target.is_unchanged(&text) {
                context.note("nothing was changed, and nothing was written");
                return Ok(());
            }
            let is_as_refused = refused.as_ref() == Some(&text);
            let error = match target.write(mesh, text.clone()).await {
                Ok(result) => return self.done(context, mesh, &result).await,
                Err(error) => error,
            };
            let may_mend = matches!(error.code, ErrorCode::BadEdit | ErrorCode::BadValue | ErrorCode::Limit);
            let goes_on = may_mend && !is_as_refused && opened < REOPENED && self.reopens(&error).await;
            if !goes_on {
                return Err(scratch.kept(error, target).into());
            }
            refused = Some(text);
        }
        Ok(())
    }

    /// Whether the editor is to be opened once more.
    async fn reopens(&self, error: &ApiError) -> bool {
        let what = printable(&error.what);
        ask(self.yes, &format!("{what}\n  why: {}\nOpen the editor again?", printable(&error.why))).await
    }

    async fn done(&self, context: &Context, mesh: &Mesh, result: &PutResult) -> Result<(), Stop> {
        context.print(render(result, &context.view()))?;
        let address = &result.doc;
        let open = mesh.conflicts(address).await.map(|found| found.conflicts).unwrap_or_default();
        let own = open.iter().filter(|it| it.doc == result.doc);
        let own = own.filter(|it| it.values.iter().any(|value| value.version == result.version)).count();
        if own > 0 && context.is_for_people() {
            let keys = if own == 1 { "one key" } else { "some keys" };
            context.note(&format!("somebody else changed {keys} meanwhile, too: `murmurate conflicts {address}`"));
        }
        Ok(())
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
    fn edit() {
        let result = PutResult::new("web/app.toml".into(), String::new(), "aa.0:7".into(), true);
        insta::assert_snapshot!(sheet(|view| render(&result, view)));
    }
}
