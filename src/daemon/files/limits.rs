//! When to act on files, and how much to hold: every number with its reason.

use std::time::Duration;

/// Without a sign that the writer is done, a file is read after this long without a change: longer than the pauses
/// between the writes of one save.
pub const QUIET: Duration = Duration::from_millis(300);
/// Content that looks cut off (empty, or a prefix of what was there) is held this much longer: most truncated config
/// files still parse, and writing the rest takes a slow writer about a second.
pub const CUT_OFF_HOLD: Duration = Duration::from_secs(2);
/// What somebody wrote to and didn't close is read this long after the last write at the latest, unless it can be seen that
/// it is still open: who writes a file over without closing it (truncate(2), a database) must be heard at last. Longer
/// than a person's patience with a slow writer.
pub const OPEN_HOLD: Duration = Duration::from_secs(15);
/// How long it counts what was open for writing: looking costs some milliseconds.
pub const OPEN_FILES_AGE: Duration = Duration::from_millis(100);
/// A file that doesn't come to rest for this long is named as being written.
pub const BUSY_AFTER: Duration = Duration::from_secs(10);
/// A file must be away this long before it counts as deleted: editors that save by delete and create take less.
pub const ABSENCE: Duration = Duration::from_secs(2);
/// A second read after this long catches a write within the same tick of the file system's clock; the coarsest clocks
/// (FAT) tick every 2 s.
pub const CLOCK_TICK: Duration = Duration::from_secs(2);
/// The directory of a hint is listed again after this long: long enough to do it once for a burst of hints.
pub const DIRECTORY_AFTER_HINT: Duration = Duration::from_secs(1);
/// How often the whole folder is looked through: what no event told is noticed this late at most. 10,000 files take
/// about 30 ms.
pub const RESCAN: Duration = Duration::from_secs(15);
/// The same, where the kernel has no watches left for us.
pub const POLL: Duration = Duration::from_secs(1);
/// When a swapped-out file is looked at after the first look: soon, for writers that were at it, and late, for slow ones.
pub const LATER_LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];
/// What a swapped-out file holds while its editor is seen to have it open counts as whole when it was the same for this
/// long: longer than the pauses within a save.
pub const SWAPPED_OPEN_HOLD: Duration = Duration::from_secs(1);
/// Looks at a swapped-out file that somebody goes on writing to, 2 s apart: about a minute, then it is taken as it is.
pub const LOOKS: u32 = 30;

/// More deletes than this at once wait for a confirmation.
pub const DELETES: usize = 10;
/// From this many deletes on, the share of the folder counts too.
pub const DELETES_OF_SMALL_FOLDER: usize = 4;
/// The share of the folder, in percent, above which deletes wait for a confirmation.
pub const DELETES_PERCENT: usize = 30;
/// Deletes within this time of one another are judged together, so that a slow `rm` isn't let through piecemeal.
pub const DELETES_WINDOW: Duration = Duration::from_secs(10);

/// Files of one folder, skipped ones included. Config has hundreds; this bounds memory and the time of a rescan.
pub const FILES_PER_FOLDER: usize = 20_000;
/// Directories of one folder: each takes a kernel watch, of which a user has about 8,000 to 200,000.
pub const DIRECTORIES_PER_FOLDER: usize = 4_096;
/// Folders of one daemon.
pub const FOLDERS: usize = 256;
/// Last known bytes per folder, kept to recognise content that was cut off.
pub const CACHED_BYTES: usize = 16 << 20;
/// Bytes of writes per folder that wait until their file comes to rest.
pub const PARKED_BYTES: usize = 32 << 20;
/// Swapped-out files that are looked at or wait to be taken, per folder.
pub const STAGED_FILES: usize = 4_096;
/// Symlinks followed one after the other; the kernel follows 40, real configurations use 2.
pub const SYMLINK_HOPS: usize = 8;

/// Commands waiting, each with up to one file's bytes: the core keeps one write per file, so a short queue is enough.
pub const COMMANDS: usize = 64;
/// Commands of one step: a step works at one point in time, and a write waits for the disk.
pub const COMMANDS_PER_STEP: usize = 16;
/// Events waiting, each with up to one file's bytes.
pub const EVENTS: usize = 32;
/// Hints waiting; beyond, the folders are scanned.
pub const HINTS: usize = 8_192;
/// Work of one step, so that one folder doesn't keep the others waiting: entries walked,
pub const ENTRIES_PER_STEP: usize = 2_048;
/// files read,
pub const READS_PER_STEP: usize = 64;
/// and bytes read.
pub const BYTES_PER_STEP: usize = 8 << 20;
