//! Mounts of a test, which go with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::run;

/// Something mounted at a place, gone when dropped.
#[derive(Debug)]
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// A disk in memory of this many MiB.
    pub(crate) fn disk(at: &Path, mebibytes: u32) -> Result<Self, String> {
        let options = format!("size={mebibytes}m,mode=700");
        Self::mount(at, &["-t", "tmpfs", "-o", &options, "lab"].map(OsStr::new))
    }

    /// A file or directory, seen at another place too.
    pub(crate) fn bound(what: &Path, at: &Path) -> Result<Self, String> {
        Self::mount(at, &[OsStr::new("--bind"), what.as_os_str()])
    }

    fn mount(at: &Path, arguments: &[&OsStr]) -> Result<Self, String> {
        let mut command = Command::new("mount");
        command.args(arguments).arg(at);
        let output = run(command);
        if output.status.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(format!("nothing can be mounted: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a daemon may still have it open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
