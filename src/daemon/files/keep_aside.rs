//! Keeps a file's bytes outside the watched folder, before the mesh's content takes their place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ContentHash;

/// Stores `bytes` under `DATA/kept/FOLDER/PATH.TIMESTAMP-HASH`, readable by the daemon's user only, and returns that
/// path. On disk when it returns; keeping the same bytes at the same time again changes nothing. Blocks.
///
/// `path` must be a document's path (never `..`), `wall_ms` is the time of day, for the person who looks for it.
///
/// # Errors
/// When the file can't be made or synced: then nothing may be written over the original.
pub fn keep_aside(data_dir: &Path, folder: &str, path: &str, bytes: &[u8], wall_ms: u64) -> io::Result<PathBuf> {
    let hash = ContentHash::of(bytes).to_string();
    let directory_and_name = Path::new("kept").join(folder).join(path);
    let Some((directory, name)) = directory_and_name.parent().zip(directory_and_name.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    make_directories(data_dir, directory)?;
    let directory = data_dir.join(directory);
    let suffix = format!(".{wall_ms}-{}", &hash[..16]);
    let mut kept_name = name.to_os_string();
    // A name has at most 255 bytes.
    if kept_name.len() + suffix.len() > 255 {
        kept_name = format!("long-name-{}", &hash[16..32]).into();
    }
    kept_name.push(suffix);
    let kept = directory.join(kept_name);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kept) {
        Ok(mut file) => {
            file.write_all(bytes)?;
            file.sync_all()?;
        }
        // Its name has the hash; only a crash while it was written can have left less.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::read(&kept)? == bytes => {}
        Err(error) => return Err(error),
    }
    File::open(&directory)?.sync_all()?;
    Ok(kept)
}

/// Makes `relative` below `base`, each new directory synced into its parent.
fn make_directories(base: &Path, relative: &Path) -> io::Result<()> {
    let mut directory = base.to_path_buf();
    for part in relative {
        let parent = directory.clone();
        directory.push(part);
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => File::open(&parent)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_under_their_name_time_and_hash_and_twice_is_once() {
        let data = tempfile::tempdir().unwrap();
        let kept = keep_aside(data.path(), "web", "conf.d/app.toml", b"a = 1\n", 17).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"a = 1\n");
        assert!(kept.starts_with(data.path().join("kept/web/conf.d")));
        assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("app.toml.17-"));
        assert_eq!(keep_aside(data.path(), "web", "conf.d/app.toml", b"a = 1\n", 17).unwrap(), kept);
        assert_ne!(keep_aside(data.path(), "web", "conf.d/app.toml", b"a = 2\n", 17).unwrap(), kept);
    }

    #[test]
    fn a_longest_name_is_kept_too() {
        let data = tempfile::tempdir().unwrap();
        let kept = keep_aside(data.path(), "web", &"x".repeat(255), b"a", 17).unwrap();
        assert_eq!(fs::read(kept).unwrap(), b"a");
    }
}
