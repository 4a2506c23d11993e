//! People who save files, in all the ways in which editors do it.

use std::time::Duration;

use rand_core::Rng;

use crate::simulated::file_system::{Open, SimulatedFileSystem};

/// Longest pause within a save whose parts are whole files themselves.
const PAUSE_MS: u32 = 250;
/// Longest pause within a save that shows part of a file. The daemon looks at a file that it swapped out again after
/// 50 ms, and takes what stayed the same for whole.
const FRAGILE_PAUSE_MS: u32 = 40;

/// How an editor saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// A new file takes the old one's place.
    RenameOver,
    /// Line after line over the old bytes.
    InPlace,
    /// The file is emptied, then written.
    TruncateAndWrite,
    /// The old file is moved away, then a new one is written.
    BackupAndCreate,
}

impl Pattern {
    const ALL: [Self; 4] = [Self::RenameOver, Self::InPlace, Self::TruncateAndWrite, Self::BackupAndCreate];

    /// One of them.
    pub(crate) fn draw(random: &mut impl Rng) -> Self {
        Self::ALL[random.next_u32() as usize % Self::ALL.len()]
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RenameOver => "a save by rename",
            Self::InPlace => "a save in place",
            Self::TruncateAndWrite => "a save by truncating",
            Self::BackupAndCreate => "a save after moving away",
        }
    }
}

/// A save that is under way.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) machine: usize,
    /// The file's path in the folder.
    pub(crate) path: &'static str,
    /// The values that it writes.
    pub(crate) values: Vec<u64>,
    pub(crate) pattern: Pattern,
    full_path: String,
    content: Vec<u8>,
    open: Option<Open>,
    written: usize,
    next_at: Duration,
}

impl Save {
    /// Begins to save. What the file holds now is what its editor saw.
    pub(crate) fn begin(
        (machine, path): (usize, &'static str),
        root: &str,
        content: Vec<u8>,
        values: Vec<u64>,
        pattern: Pattern,
        now: Duration,
    ) -> Self {
        let full_path = format!("{root}/{path}");
        Self { machine, path, values, pattern, full_path, content, open: None, written: 0, next_at: now }
    }

    /// Whether a power cut now would leave part of a file.
    pub(crate) fn is_fragile(&self) -> bool {
        matches!(self.pattern, Pattern::TruncateAndWrite | Pattern::BackupAndCreate)
    }

    /// Goes on, if it is time. Returns true when the save is complete.
    pub(crate) fn advance(&mut self, files: &SimulatedFileSystem, now: Duration, random: &mut impl Rng) -> bool {
        if now < self.next_at {
            return false;
        }
        let longest_ms = if self.is_fragile() { FRAGILE_PAUSE_MS } else { PAUSE_MS };
        self.next_at = now + Duration::from_millis(u64::from(random.next_u32() % longest_ms));
        if self.pattern == Pattern::RenameOver {
            rename_over(files, &self.full_path, &self.content);
            return true;
        }
        let Some(open) = self.open else {
            self.open = Some(self.open(files));
            return false;
        };
        if self.written < self.content.len() {
            let end = self.end_of_part(random);
            files.write_at(open, self.written, &self.content[self.written..end]);
            self.written = end;
            return false;
        }
        files.close(open);
        files.sync_names();
        true
    }

    fn open(&self, files: &SimulatedFileSystem) -> Open {
        if self.pattern == Pattern::BackupAndCreate {
            files.rename_over(&self.full_path, &format!("{}~", self.full_path));
        }
        let open = files.open_or_make(&self.full_path);
        if self.pattern == Pattern::TruncateAndWrite {
            files.truncate(open);
        }
        open
    }

    /// Where the next part ends: at the end of some line.
    fn end_of_part(&self, random: &mut impl Rng) -> usize {
        let rest = &self.content[self.written..];
        let ends: Vec<usize> =
            rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        let lines = 1 + random.next_u32() as usize % 4;
        self.written + ends.get(lines - 1).copied().unwrap_or(rest.len())
    }
}

/// Saves at once, by renaming a new file over the old one.
pub(crate) fn rename_over(files: &SimulatedFileSystem, path: &str, content: &[u8]) {
    let (directory, name) = path.rsplit_once('/').unwrap();
    let temporary = format!("{directory}/.goutputstream-{name}");
    let open = files.open_or_make(&temporary);
    files.truncate(open);
    files.write_at(open, 0, content);
    files.close(open);
    files.rename_over(&temporary, path);
    files.sync_names();
}
