//! File systems that don't tell upper from lower case (vfat, ext4 with casefold, most of other systems' network shares):
//! there `App.toml` and `app.toml` are one file, but two documents. Only the one whose spelling is on the disk is read and
//! written; the other isn't lost, it is named with what to do.
//!
//! Which spelling a file has, only a listing of its directory tells.

use super::filesystem::Directory;
use super::folder::Folder;
use super::limits::FILES_PER_FOLDER;
use super::names::{self, OWN_DIRECTORY};

/// What is the same for such a file system.
fn fold(name: &[u8]) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;
    Some(std::str::from_utf8(name).ok()?.nfc().collect::<String>().to_lowercase())
}

/// Whether the folder's file system takes the daemon's own directory for the same under another spelling.
pub(super) fn folds_case(directory: &dyn Directory) -> bool {
    let inode = |path: &str| directory.look(path).map(|found| found.stamp.inode).ok();
    inode(OWN_DIRECTORY).is_some_and(|own| inode(&OWN_DIRECTORY.to_uppercase()) == Some(own))
}

impl Folder {
    /// The path on disk that stands in the way of this one, because it differs only in case.
    pub(super) fn other_spelling(&self, directory: &dyn Directory, disk_path: &str) -> Option<String> {
        if !self.folds_case {
            return None;
        }
        let mut parent = "";
        while parent.len() < disk_path.len() {
            let from = if parent.is_empty() { 0 } else { parent.len() + 1 };
            let end = disk_path[from..].find('/').map_or(disk_path.len(), |slash| from + slash);
            let name = &disk_path.as_bytes()[from..end];
            let entries = directory.list(parent, FILES_PER_FOLDER).ok()?;
            if !entries.iter().any(|entry| entry == name) {
                let folded = fold(name);
                let other = entries.iter().find(|entry| fold(entry) == folded)?;
                return Some(names::join(parent, &String::from_utf8_lossy(other)));
            }
            parent = &disk_path[..end];
        }
        None
    }
}
