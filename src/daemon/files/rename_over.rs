//! The way to replace a file where the file system can't exchange two.

use murmurate_crdt::limits::FILE_BYTES;

use super::filesystem::{Directory, FileError, Rename};
use super::folder::Folder;
use super::message::ContentHash;
use super::names;
use super::staging::{discard, staged, write_note};
use super::writing::{Stopped, failed};

impl Folder {
    /// The way without exchange: the old file keeps a name in staging, so that writers that have it open lose nothing.
    pub(super) fn rename_over(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        target: &str,
        name: &str,
        (new, old): (ContentHash, ContentHash),
    ) -> Result<(), Stopped> {
        let kept = self.staging.name(Some(new), Some(old));
        write_note(directory, &kept, path).map_err(failed)?;
        let linked = directory.link_hard(target, &staged(&kept));
        let unchanged = linked.and_then(|()| {
            let content = directory.read(&staged(&kept), FILE_BYTES)?;
            let there = directory.look(target)?;
            Ok(ContentHash::of(&content.bytes) == old && there.stamp.inode == content.after.stamp.inode)
        });
        match unchanged {
            Ok(true) => {}
            Ok(false) | Err(FileError::NotFound) => {
                discard(directory, &kept);
                return Err(self.changed_meanwhile(directory, path));
            }
            Err(error) => {
                discard(directory, &kept);
                return Err(failed(error));
            }
        }
        if let Err(error) = directory.rename(&staged(name), target, Rename::Over) {
            discard(directory, &kept);
            return Err(failed(error));
        }
        discard(directory, name);
        self.keep_looking(kept, path);
        directory.sync_directory(names::split(target).0).map_err(failed)
    }
}
