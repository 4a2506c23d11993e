//! Names that differ only in case, on a file system that doesn't tell them apart.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::bench::Bench;
use crate::daemon::files::HostFileSystem;
use crate::daemon::files::filesystem::{Content, Directory, FileError, FileSystem, Found, Rename};
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, SaveKind, WriteFailure};
use crate::daemon::files::names;

/// The host's file system, with names looked up as vfat does.
#[derive(Debug)]
struct Folding;

impl FileSystem for Folding {
    fn open(&self, root: &Path) -> Result<Arc<dyn Directory>, FileError> {
        Ok(Arc::new(FoldingDirectory(HostFileSystem.open(root)?)))
    }
}

#[derive(Debug)]
struct FoldingDirectory(Arc<dyn Directory>);

impl FoldingDirectory {
    /// The path as it is spelt on the disk, as far as there is one.
    fn spelt(&self, path: &str) -> String {
        let mut spelt = String::new();
        for name in path.split('/') {
            let entries = self.0.list(&spelt, 1000).unwrap_or_default();
            let entries = entries.into_iter().filter_map(|entry| String::from_utf8(entry).ok());
            let there = entries.into_iter().find(|entry| entry.to_lowercase() == name.to_lowercase());
            spelt = names::join(&spelt, there.as_deref().unwrap_or(name));
        }
        spelt
    }
}

impl Directory for FoldingDirectory {
    fn is_at(&self, root: &Path) -> bool {
        self.0.is_at(root)
    }
    fn list(&self, directory: &str, at_most: usize) -> Result<Vec<Vec<u8>>, FileError> {
        self.0.list(&self.spelt(directory), at_most)
    }
    fn look(&self, path: &str) -> Result<Found, FileError> {
        self.0.look(&self.spelt(path))
    }
    fn look_through(&self, path: &str) -> Result<Found, FileError> {
        self.0.look_through(&self.spelt(path))
    }
    fn read(&self, path: &str, at_most: usize) -> Result<Content, FileError> {
        self.0.read(&self.spelt(path), at_most)
    }
    fn create(&self, path: &str, bytes: &[u8], executable: bool, like: Option<&str>) -> Result<(), FileError> {
        self.0.create(&self.spelt(path), bytes, executable, like.map(|like| self.spelt(like)).as_deref())
    }
    fn make_directory(&self, path: &str, private: bool) -> Result<(), FileError> {
        self.0.make_directory(&self.spelt(path), private)
    }
    fn link_symbolic(&self, target: &str, path: &str) -> Result<(), FileError> {
        self.0.link_symbolic(target, &self.spelt(path))
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        self.0.read_link(&self.spelt(path))
    }
    fn link_hard(&self, path: &str, new_path: &str) -> Result<(), FileError> {
        self.0.link_hard(&self.spelt(path), &self.spelt(new_path))
    }
    fn rename(&self, path: &str, new_path: &str, how: Rename) -> Result<(), FileError> {
        self.0.rename(&self.spelt(path), &self.spelt(new_path), how)
    }
    fn remove(&self, path: &str) -> Result<(), FileError> {
        self.0.remove(&self.spelt(path))
    }
    fn sync_directory(&self, directory: &str) -> Result<(), FileError> {
        self.0.sync_directory(&self.spelt(directory))
    }
}

fn folding() -> Bench {
    Bench::on(Arc::new(Folding), |_| {})
}

fn in_the_way(answer: Option<FileEvent>) -> String {
    match answer {
        Some(FileEvent::WriteFailed { why: WriteFailure::OtherCase(other), .. }) => other,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_documents_that_differ_in_case_one_is_written_and_the_other_named() {
    let mut bench = folding();
    bench.put("App.toml", "first");
    bench.put("conf.d/a", "a");
    assert_eq!(in_the_way(bench.write("app.toml", "second")), "App.toml");
    assert_eq!(in_the_way(bench.write("Conf.d/b", "b")), "conf.d");
    bench.put("conf.d/b", "b");
    bench.run_ms(60_000);
    assert_eq!(bench.take_saves(), [], "what is there is nobody's edit of the other document");
    assert_eq!(bench.content("App.toml"), "first");
    // The way is free once the other document is gone.
    assert!(matches!(bench.delete("App.toml"), Some(FileEvent::Removed { .. })));
    bench.put("app.toml", "second");
    assert_eq!(bench.names(), ["app.toml", "conf.d", "conf.d/a", "conf.d/b"].map(str::to_owned).into());
}

#[test]
fn a_file_whose_case_was_changed_was_renamed() {
    let mut bench = folding();
    bench.put("App.toml", "a = 1\n");
    bench.run_ms(20_000);
    fs::rename(bench.path("App.toml"), bench.path("app.toml")).unwrap();
    bench.step(vec![Input::Rescan]);
    bench.run_ms(20_000);
    let renamed = SaveKind::Renamed { from: "App.toml".into() };
    assert_eq!(bench.take_saves(), [("app.toml".into(), "a = 1\n".into(), renamed)]);
    bench.put("app.toml", "a = 2\n");
}

#[test]
fn where_case_is_told_apart_both_are_written() {
    let mut bench = Bench::new();
    bench.put("App.toml", "first");
    bench.put("app.toml", "second");
    assert_eq!((bench.content("App.toml").as_str(), bench.content("app.toml").as_str()), ("first", "second"));
}
