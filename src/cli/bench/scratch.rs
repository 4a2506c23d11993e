//! The documents and folders that belong to one run, and their end.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use murmurate_client::Mesh;
use murmurate_client::types::{AddFolder, ApiError};
use tempfile::TempDir;

use super::super::failure;
use super::hosts::{Host, Hosts};

/// All documents of one run stand in one folder of the mesh; its name is the run's own.
pub(super) struct Scratch {
    dir: TempDir,
    folder: String,
}

impl Scratch {
    pub(super) fn new(parent: &Path) -> Result<Self, ApiError> {
        let dir = tempfile::Builder::new().prefix("murmurate-bench-").tempdir_in(parent);
        let dir = dir.map_err(|error| failure::io(&format!("make a directory in {}", parent.display()), &error))?;
        let folder = dir.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { dir, folder })
    }

    /// The name of a document of this run.
    pub(super) fn document(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Makes a host keep the run's folder, and gives its directory there.
    pub(super) async fn keep(&self, host: &Host) -> Result<PathBuf, ApiError> {
        let dir = self.dir.path().join(&host.name);
        std::fs::create_dir_all(&dir).map_err(|error| failure::io(&format!("make {}", dir.display()), &error))?;
        let folder = AddFolder { name: self.folder.clone(), dir: dir.display().to_string(), adopt: false };
        host.mesh.folder_add(&folder).await?;
        Ok(dir)
    }

    /// Lets the folders go and deletes the documents. What can't be deleted is named.
    pub(super) async fn tidy(&self, hosts: &Hosts) {
        for host in hosts.all() {
            // A host that doesn't keep it has nothing to let go.
            let _ = host.mesh.folder_remove(&self.folder).await;
        }
        if let Err(error) = self.delete_documents(&hosts.own.mesh).await {
            super::super::context::note(&format!("documents in {} stay behind: {}", self.folder, error.why));
        }
    }

    async fn delete_documents(&self, mesh: &Mesh) -> Result<(), ApiError> {
        for document in mesh.documents(&format!("{}/", self.folder)).await?.documents {
            mesh.delete(&document.doc).await?;
        }
        Ok(())
    }
}

/// A file with keys `k0`, `k1`, ... in TOML, 20 to a table, each with a value of this length.
pub(super) fn toml_file(keys: usize, value_bytes: usize) -> String {
    let mut text = String::new();
    for key in 0..keys {
        if key % 20 == 0 {
            // Writing to a String can't fail.
            let _ = writeln!(text, "\n[t{}]", key / 20);
        }
        let _ = writeln!(text, "k{key} = \"{}\"", value(0, value_bytes));
    }
    text
}

/// The address of a key of [`toml_file`].
pub(super) fn key_of(document: &str, key: usize) -> String {
    format!("{document}#t{}.k{key}", key / 20)
}

/// A text of this length that begins with a number.
pub(super) fn value(number: u64, bytes: usize) -> String {
    format!("{number:-<bytes$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_so_many_keys_and_values_their_length() {
        let text = toml_file(45, 16);
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table.len(), 3);
        assert_eq!(table["t2"]["k44"].as_str().unwrap(), "0---------------");
        assert_eq!(key_of("a/b.toml", 44), "a/b.toml#t2.k44");
        assert_eq!(value(123, 64).len(), 64);
    }
}
