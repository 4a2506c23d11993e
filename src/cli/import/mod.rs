//! `import`: files of a directory or a tar archive, taken into the mesh as edits.

mod archive;
mod directory;
mod found;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, ErrorCode, V1, WriteOptions, document_address};
use serde::Serialize;

use super::context::Context;
use super::export::overlay_in;
use super::failure::{self, Stop};
use super::progress::Progress;
use super::table::{Cell, Table, printable};
use super::view::{Style, View};
use archive::Archive;
use directory::Directory;
use found::{Content, Found, Source, document_of};

/// Files in one go: ten times as many as the largest folder that the mesh is measured with.
const FILES: usize = 100_000;

/// Take files of a directory or a tar archive into the mesh.
///
/// Each file becomes an edit of the present document, or a new one: what others write meanwhile is merged, and the daemon
/// checks it like any edit. A file is taken whole or not at all; one that is refused keeps no other back. Without `--into`
/// the first part of each path names the folder, as `export` writes them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  murmurate import /backup/config                what `export --to /backup/config` wrote
  murmurate import ./nginx --into web --dry-run  what would become of each file, as web/PATH
  gzip -dc old.tar.gz | murmurate import - --into web --strip 1")]
pub(super) struct Import {
    /// A directory, a tar archive, or `-` for an archive on stdin
    #[arg(value_name = "DIR|FILE.tar|-")]
    from: PathBuf,
    /// The folder that the paths are put into
    #[arg(long, value_name = "FOLDER")]
    into: Option<String>,
    /// How many parts are dropped from the beginning of each path
    #[arg(long, value_name = "N", default_value_t = 0)]
    strip: usize,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// What `import` did.
#[derive(Serialize)]
struct Imported {
    v: V1,
    dry_run: bool,
    files: Vec<ImportedFile>,
}

#[derive(Serialize)]
struct ImportedFile {
    /// Its path, as it was found.
    path: String,
    /// The document that it belongs to; absent when its path is no document's.
    doc: Option<String>,
    result: Outcome,
    code: Option<ErrorCode>,
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Created,
    Changed,
    Same,
    Refused,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Refused => "refused",
        }
    }
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mesh = context.mesh().await?;
        let mut files = Vec::new();
        let ended = self.import_all(&mesh, &mut files).await;
        let imported = Imported { v: V1, dry_run: self.dry_run, files };
        context.print(render(&imported, &context.view()))?;
        if imported.files.is_empty() && ended.is_ok() && context.is_for_people() {
            context.note("there is no file in it");
        }
        ended?;
        refused(&imported).map_or(Ok(()), |error| Err(error.into()))
    }

    /// Takes one file after the other, and notes what became of each, also if it ends early.
    async fn import_all(&self, mesh: &Mesh, files: &mut Vec<ImportedFile>) -> Result<(), ApiError> {
        let failed = |error: io::Error| failure::io(&format!("import {}", self.from.display()), &error);
        if self.from.as_os_str() == "-" {
            return self
                .take_all(mesh, &mut Archive::new(io::stdin().lock(), Path::new("stdin")).files()?, files)
                .await;
        }
        if fs::metadata(&self.from).map_err(failed)?.is_dir() {
            return self.take_all(mesh, &mut Directory::new(&self.from), files).await;
        }
        let file = io::BufReader::new(File::open(&self.from).map_err(failed)?);
        self.take_all(mesh, &mut Archive::new(file, &self.from).files()?, files).await
    }

    async fn take_all(
        &self,
        mesh: &Mesh,
        source: &mut impl Source,
        files: &mut Vec<ImportedFile>,
    ) -> Result<(), ApiError> {
        let mut progress = Progress::new("files");
        let mut seen = BTreeSet::new();
        while let Some(found) = source.next()? {
            if files.len() == FILES {
                let what = format!("import {}", self.from.display());
                let why = format!("it has more than {FILES} files; these are through, the others are not");
                return Err(ApiError::new(ErrorCode::Limit, what, why, "import it in parts"));
            }
            files.push(self.take(mesh, found, &mut seen).await?);
            progress.step();
        }
        Ok(())
    }

    async fn take(&self, mesh: &Mesh, found: Found, seen: &mut BTreeSet<String>) -> Result<ImportedFile, ApiError> {
        let Found { path, executable, content } = found;
        let doc = match document_of(&path, self.strip, self.into.as_deref()) {
            Ok(doc) => doc,
            Err(why) => return Ok(ImportedFile::refused(path, None, why)),
        };
        let bytes = match content {
            Content::Bytes(bytes) => bytes,
            Content::Refused(why) => return Ok(ImportedFile::refused(path, Some(doc), why)),
        };
        if !seen.insert(doc.clone()) {
            return Ok(ImportedFile::refused(path, Some(doc), "another file of this name came before"));
        }
        match self.write(mesh, &doc, bytes, executable).await {
            Ok(result) => Ok(ImportedFile { path, doc: Some(doc), result, code: None, why: None }),
            Err(error) if ends_all(error.code) => Err(error),
            Err(error) => {
                Ok(ImportedFile { code: Some(error.code), ..ImportedFile::refused(path, Some(doc), error.why) })
            }
        }
    }

    /// Writes a file over what stood there when it was looked at.
    async fn write(&self, mesh: &Mesh, doc: &str, bytes: Vec<u8>, executable: bool) -> Result<Outcome, ApiError> {
        let address = match overlay_in(doc) {
            Some((file, overlay)) => format!("{}?{overlay}", document_address(file)),
            None => document_address(doc),
        };
        let present = match mesh.read_base(&address).await {
            Ok(file) => Some(file),
            Err(error) if error.code == ErrorCode::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_same = |file: &murmurate_client::types::File| file.bytes == bytes && file.executable == executable;
        if present.as_ref().is_some_and(is_same) {
            return Ok(Outcome::Same);
        }
        if present.as_ref().is_some_and(|file| file.heads.is_empty()) {
            let why = "it was written on too many hosts at once to name its state";
            return Err(ApiError::new(
                ErrorCode::Limit,
                format!("import {doc}"),
                why,
                "put any of its keys, then try again",
            ));
        }
        let outcome = if present.is_some() { Outcome::Changed } else { Outcome::Created };
        let at = Some(present.map(|file| file.heads).unwrap_or_default());
        let options = WriteOptions { at, executable: Some(executable), dry_run: self.dry_run };
        mesh.write_file_with(&address, bytes, &options).await?;
        Ok(outcome)
    }
}

/// Whether the other files would fail as this one did.
fn ends_all(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unreachable
            | ErrorCode::Interrupted
            | ErrorCode::Ending
            | ErrorCode::Timeout
            | ErrorCode::Store
            | ErrorCode::DiskFull
            | ErrorCode::BadAnswer
            | ErrorCode::Denied
    )
}

impl ImportedFile {
    fn refused(path: String, doc: Option<String>, why: impl Into<String>) -> Self {
        Self { path, doc, result: Outcome::Refused, code: None, why: Some(why.into()) }
    }
}

fn refused(imported: &Imported) -> Option<ApiError> {
    let count = imported.files.iter().filter(|file| file.result == Outcome::Refused).count();
    (count > 0).then(|| {
        let what = format!("import {count} of {} files", imported.files.len());
        let why = "each says why behind `refused`; the others are through";
        ApiError::new(
            ErrorCode::SomeRefused,
            what,
            why,
            "correct those, and import again: what is in the mesh is `same`",
        )
    })
}

fn render(imported: &Imported, view: &View) -> String {
    let mut table = Table::new(&["FILE", "DOCUMENT", "RESULT", "WHY"]);
    for ImportedFile { path, doc, result, why, .. } in &imported.files {
        let style = match result {
            Outcome::Refused => Style::Bad,
            Outcome::Same => Style::Dim,
            Outcome::Created | Outcome::Changed => Style::Good,
        };
        let why = printable(why.as_deref().unwrap_or_default());
        table.row([
            path.as_str().into(),
            doc.clone().unwrap_or_default().into(),
            Cell::new(result.name(), style),
            why.into(),
        ]);
    }
    view.list(imported, &imported.files, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure;
    use crate::cli::testing::sheet;

    #[test]
    fn import() {
        let file = |path: &str, result| ImportedFile {
            path: path.into(),
            doc: Some(format!("web/{path}")),
            result,
            code: None,
            why: None,
        };
        let broken = ImportedFile {
            code: Some(ErrorCode::BadEdit),
            ..ImportedFile::refused("b.toml".into(), Some("web/b.toml".into()), "line 1, column 5: a value is missing")
        };
        let files = vec![
            file("app.toml", Outcome::Created),
            file("flags.json", Outcome::Changed),
            file("run.sh", Outcome::Same),
            broken,
            ImportedFile::refused("../../etc/passwd".into(), None, "it leads out of the folder"),
        ];
        let imported = Imported { v: V1, dry_run: true, files };
        let error = failure::render(&refused(&imported).unwrap(), false, false);
        insta::assert_snapshot!([sheet(|view| render(&imported, view)), error].join("\n"));
    }
}
