//! `export`: documents as files, in a directory or a tar archive.

mod archive;
mod directory;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, Document, ErrorCode, File, V1, document_name, overlay_of};
use serde::Serialize;

use super::context::Context;
use super::failure::Stop;
use super::progress::Progress;
use super::table::{Cell, Table};
use super::view::{Style, View};
use archive::Archive;
use directory::Directory;

/// Write documents as files, into a directory or a tar archive.
///
/// Each file has the very bytes and the execute bit that it has in every folder, and the document's name as its path. A
/// file that is there already, with another content, is left alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  murmurate export --to /backup/config           everything, each file at /backup/config/FOLDER/PATH
  murmurate export web/ --to web.tar             one folder
  murmurate export web/ --to - | ssh host 'murmurate import -'   into another mesh")]
pub(super) struct Export {
    /// Only documents whose names begin so
    #[arg(default_value = "")]
    prefix: String,
    /// A directory, an archive if it ends with `.tar`, or `-` for an archive on stdout
    #[arg(long, value_name = "DIR|FILE.tar|-", default_value = ".")]
    to: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// Where files go.
trait Sink {
    /// Takes a file, whose document's name is `document`'s.
    fn take(&mut self, document: &Document, file: &File) -> Result<Outcome, ApiError>;

    /// Ends it: from now on all is there.
    fn finish(&mut self) -> Result<(), ApiError>;
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Written,
    /// It was there already.
    Same,
    /// It was left as it is.
    Refused(String),
}

/// What `export` did.
#[derive(Serialize)]
struct Exported {
    v: V1,
    to: String,
    documents: Vec<ExportedDocument>,
}

#[derive(Serialize)]
struct ExportedDocument {
    doc: String,
    bytes: u64,
    result: &'static str,
    why: Option<String>,
}

impl ExportedDocument {
    fn new(doc: String, bytes: usize, outcome: Outcome) -> Self {
        let (result, why) = match outcome {
            Outcome::Written => ("written", None),
            Outcome::Same => ("same", None),
            Outcome::Refused(why) => ("refused", Some(why)),
        };
        Self { doc, bytes: bytes as u64, result, why }
    }
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let is_stdout = self.to.as_os_str() == "-";
        let mesh = context.mesh().await?;
        let mut sink = self.sink(is_stdout)?;
        let documents = self.export(&mesh, &mut *sink).await?;
        let exported = Exported { v: V1, to: self.to.display().to_string(), documents };
        if is_stdout {
            // Stdout is the archive.
            context.note(&format!("{} documents are in the archive", exported.documents.len()));
        } else {
            context.print(render(&exported, &context.view()))?;
        }
        if exported.documents.is_empty() && context.is_for_people() {
            context.note(&format!("no document begins with `{}`", self.prefix));
        }
        refused(&exported).map_or(Ok(()), |error| Err(error.into()))
    }

    fn sink(&self, is_stdout: bool) -> Result<Box<dyn Sink>, ApiError> {
        if is_stdout {
            if io::stdout().is_terminal() {
                let why = "stdout is a terminal, and an archive isn't for reading";
                let try_ = "give `--to DIR` or `--to FILE.tar`, or send it on with `| tar x`";
                return Err(ApiError::new(ErrorCode::BadRequest, "export to stdout", why, try_));
            }
            return Ok(Box::new(Archive::to_stdout()));
        }
        if self.to.extension().is_some_and(|extension| extension == "tar") {
            return Ok(Box::new(Archive::to_file(&self.to, self.force)?));
        }
        Ok(Box::new(Directory::new(&self.to, self.force)))
    }

    /// Page by page, and of each page file by file: what is held in memory is one page of names and one file.
    async fn export(&self, mesh: &Mesh, sink: &mut dyn Sink) -> Result<Vec<ExportedDocument>, ApiError> {
        let mut progress = Progress::new("documents");
        let mut done = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = mesh.documents_page(&self.prefix, after.as_deref()).await?;
            for document in page.documents {
                // An overlay is a document of its own: a file with its values would bring them to all hosts.
                let file = match mesh.read_base(&document.doc).await {
                    Ok(file) => file,
                    // It was deleted meanwhile.
                    Err(error) if error.code == ErrorCode::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let outcome = match path_of(&document.doc) {
                    Ok(doc) => sink.take(&Document { doc, ..document.clone() }, &file)?,
                    Err(why) => Outcome::Refused(why),
                };
                done.push(ExportedDocument::new(document.doc, file.bytes.len(), outcome));
                progress.step();
            }
            after = page.next;
            if after.is_none() {
                sink.finish()?;
                return Ok(done);
            }
        }
    }
}

/// Where a document goes: at its file's path, an overlay beside it under the name that `import` knows it by.
fn path_of(doc: &str) -> Result<String, String> {
    let path = document_name(doc);
    if overlay_of(doc).is_none() && overlay_in(&path).is_some() {
        return Err("its name is that of an overlay of another file; rename it".into());
    }
    Ok(path)
}

/// A file's path and the overlay that the end of a name says, where it says one.
pub(super) fn overlay_in(path: &str) -> Option<(&str, &str)> {
    let (file, overlay) = path.rsplit_once('?')?;
    let name = overlay.strip_prefix("host=").or_else(|| overlay.strip_prefix("role="))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!name.is_empty() && name.chars().all(plain)).then_some((file, overlay))
}

/// A path that stays below where it is put. The daemon has no other names; what comes from a socket is checked all the
/// same.
fn is_safe(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains('\0')
}

fn refused(exported: &Exported) -> Option<ApiError> {
    let count = exported.documents.iter().filter(|document| document.why.is_some()).count();
    (count > 0).then(|| {
        let what = format!("export {count} of {} documents to {}", exported.documents.len(), exported.to);
        let why = "what is there was left alone; the others are written";
        ApiError::new(ErrorCode::Exists, what, why, "`--force` writes over them; or name another place with `--to`")
    })
}

fn render(exported: &Exported, view: &View) -> String {
    let mut table = Table::new(&["DOCUMENT", "RESULT", "BYTES", "WHY"]);
    for ExportedDocument { doc, bytes, result, why } in &exported.documents {
        let style = if why.is_some() { Style::Bad } else { Style::Good };
        let why = why.clone().unwrap_or_default();
        table.row([doc.as_str().into(), Cell::new(*result, style), bytes.to_string().into(), why.into()]);
    }
    view.list(exported, &exported.documents, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure;
    use crate::cli::testing::sheet;

    pub(super) fn document(doc: &str, bytes: &[u8], executable: bool) -> (Document, File) {
        let (format, doc) = (String::from("toml"), doc.to_owned());
        let file = File {
            doc: doc.clone(),
            format: format.clone(),
            version: "aa.0:7".into(),
            heads: "aa.0:7".into(),
            executable,
            conflicts: 0,
            bytes: bytes.to_vec(),
        };
        let time = Some(crate::cli::testing::ago(9));
        (Document { doc, format, keys: 1, bytes: bytes.len() as u64, conflicts: 0, time, renamed_from: None }, file)
    }

    #[test]
    fn export() {
        let document = |doc: &str, outcome| ExportedDocument::new(doc.into(), 130, outcome);
        let refusal = Outcome::Refused("another file is there".into());
        let documents = vec![
            document("web/app.toml", Outcome::Written),
            document("web/flags.json", Outcome::Same),
            document("web/run.sh", refusal),
        ];
        let exported = Exported { v: V1, to: "/backup".into(), documents };
        let error = failure::render(&refused(&exported).unwrap(), false, false);
        insta::assert_snapshot!([sheet(|view| render(&exported, view)), error].join("\n"));
    }

    #[test]
    fn only_paths_below_are_written() {
        for path in ["a", "a/b", "a/.b", "a/..b"] {
            assert!(is_safe(path), "{path}");
        }
        for path in ["", "/a", "a//b", "../a", "a/..", "a/./b", "a\0"] {
            assert!(!is_safe(path), "{path:?}");
        }
    }
}
