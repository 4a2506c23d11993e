use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Time, V1};

/// The folders that this host keeps, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folders {
    /// The document's version.
    pub v: V1,
    /// One entry per folder.
    pub folders: Vec<Folder>,
}

/// A folder that this host keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its name in the mesh.
    pub name: String,
    /// Its directory on this host.
    pub dir: String,
    /// Whether it is looked after.
    pub state: FolderState,
    /// All files that the mesh or the directory has.
    pub files: u64,
    /// Files whose bytes are the mesh's.
    pub in_step: u64,
    /// Files with an edit that isn't taken in, because it doesn't parse or passes a limit.
    pub held: u64,
    /// Files that keep their last good content, because a check or a reload of this host failed on the mesh's.
    #[serde(default)]
    pub kept_back: u64,
    /// Files that are left alone: no regular files, names that aren't UTF-8, and so on.
    pub skipped: u64,
    /// Files with changes, here or in the mesh, that are on their way.
    pub waiting: u64,
    /// Deletes that wait for `folder confirm`.
    pub deletes_held: u64,
    /// Open conflicts in the folder's documents.
    pub conflicts: u64,
    /// What is wrong with the folder as a whole.
    pub problem: Option<String>,
}

/// Whether a folder is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderState {
    /// Watched, and scanned at least once.
    Ready,
    /// Its first scan is under way.
    Scanning,
    /// It can't be looked after; `problem` says why.
    Trouble,
    /// A state of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl FolderState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Scanning => "scanning",
            Self::Trouble => "trouble",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FolderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A folder was added here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderAdded {
    /// The document's version.
    pub v: V1,
    /// The folder, as it is now.
    pub folder: Folder,
}

/// A folder isn't kept here any more. Its files stay, here and on the other hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderRemoved {
    /// The document's version.
    pub v: V1,
    /// The folder's name.
    pub name: String,
    /// Its directory on this host.
    pub dir: String,
}

/// Held deletes were confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderConfirmed {
    /// The document's version.
    pub v: V1,
    /// The folder's name.
    pub name: String,
    /// The paths that are deleted now, below the folder.
    pub deleted: Vec<String>,
}

/// Folders, with each of their files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderStatus {
    /// The document's version.
    pub v: V1,
    /// The folders asked for, by name; on one page those that its files belong to, and those without files.
    pub folders: Vec<FolderFiles>,
    /// Where the next page begins; absent on the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A folder with each of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderFiles {
    /// The folder.
    #[serde(flatten)]
    pub folder: Folder,
    /// Its files, by path; those to be deleted included.
    pub entries: Vec<FileStatus>,
    /// Why deletes are held, when any is.
    pub deletes_held_why: Option<String>,
}

/// A file of a folder, on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// The folder's name.
    pub folder: String,
    /// The file's path below the folder.
    pub path: String,
    /// The document's name: `folder/path`.
    pub doc: String,
    /// How it is merged: `toml`, `json`, `lines`, `binary`, ...; absent when it isn't known.
    pub format: Option<String>,
    /// Why it isn't merged in the format that its name asks for, but by lines or as a whole.
    #[serde(default)]
    pub format_reason: Option<String>,
    /// How this host's file stands to the mesh.
    pub state: FileState,
    /// Where the trouble is, counted from 1.
    pub line: Option<u64>,
    /// Where in the line, in characters, counted from 1.
    pub column: Option<u64>,
    /// Why the file isn't in step.
    pub reason: Option<String>,
    /// Which kind of reason, of a file that is held or kept back.
    pub cause: Option<HeldReason>,
    /// What the command that failed printed, or every violation of the schema; shortened.
    pub output: Option<String>,
    /// Since when, by this host's clock.
    pub since: Option<Time>,
    /// The overlays that make this host's file another than the document alone, as `role=db` or `host=web-1`.
    #[serde(default)]
    pub overlays: Vec<String>,
    /// Open conflicts in it.
    #[serde(default)]
    pub conflicts: u64,
    /// When the mesh's document was last changed, by its author's clock.
    #[serde(default)]
    pub changed: Option<Time>,
    /// The host where it was.
    #[serde(default)]
    pub host: Option<String>,
    /// Who changed it.
    #[serde(default)]
    pub author: Option<String>,
    /// Which write that was, `actor.lane:sequence`.
    #[serde(default)]
    pub version: Option<String>,
}

/// Why a file is held or kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldReason {
    /// It doesn't parse.
    Syntax,
    /// It passes a limit.
    TooLarge,
    /// A command that checks it failed.
    Check,
    /// It isn't what its JSON Schema asks for.
    Schema,
    /// A reload failed with it.
    Reload,
    /// The document takes no changes, or can't be read.
    Document,
    /// A reason of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl HeldReason {
    /// The reason's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLarge => "too-large",
            Self::Check => "check",
            Self::Schema => "schema",
            Self::Reload => "reload",
            Self::Document => "document",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for HeldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a host's file stands to the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// Its bytes are the mesh's.
    InStep,
    /// An edit of it isn't taken in: it doesn't parse, passes a limit, or fails a check of this host.
    Held,
    /// It has its last good content, because a check or a reload of this host failed on the mesh's.
    KeptBack,
    /// It is left alone.
    Skipped,
    /// A change of it is on its way.
    Waiting,
    /// It is gone here, and its delete waits for `folder confirm`.
    DeleteHeld,
    /// It can't be written here.
    Failed,
    /// A state of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl FileState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InStep => "in-step",
            Self::Held => "held",
            Self::KeptBack => "kept-back",
            Self::Skipped => "skipped",
            Self::Waiting => "waiting",
            Self::DeleteHeld => "delete-held",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
