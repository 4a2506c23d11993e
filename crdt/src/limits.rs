//! The one table of limits, the same on every host: what one host accepts, all accept.
//!
//! They are checked at the author, before anything is acknowledged, and again at every receiver, before anything is
//! applied. Raising one needs a new mesh level.

/// A file. What is larger is data that other tools carry, and would not fit into one change with room to spare.
pub const FILE_BYTES: usize = 8 << 20;
/// A file that is merged key by key, or line by line. Config is small; past this a file is one value.
pub const MERGED_FILE_BYTES: usize = 4 << 20;
/// One value, with the text it is written as.
pub const VALUE_BYTES: usize = 1 << 20;
/// Keys (or lines) of one file: what merges within a few milliseconds.
pub const KEYS_PER_FILE: usize = 10_000;
/// Tables within tables: far above any real file, far below a parser's stack.
pub const DEPTH: usize = 64;
/// A document's name, `folder/path`, and likewise a key's path within its file.
pub const PATH_BYTES: usize = 1_024;
/// Operations of one change: three registers for each of [`KEYS_PER_FILE`] keys, set and cleared at once.
pub const CHANGE_OPERATIONS: u64 = 100_000;
/// One change, as automerge writes it, uncompressed: the largest file with its keys' paths.
pub const CHANGE_BYTES: usize = 12 << 20;
/// An envelope: a change and what is said about it.
pub const ENVELOPE_BYTES: usize = CHANGE_BYTES + 64 * 1024;
/// A frame between two hosts: one envelope of the largest size, and the frame's own fields.
pub const FRAME_BYTES: usize = ENVELOPE_BYTES + 64 * 1024;
/// Changes that one change directly depends on: more heads than any mesh of hundreds makes at once.
pub const DEPENDENCIES: usize = 4_096;
/// Writers of one document: memory grows with writers times changes.
pub const WRITERS_PER_DOCUMENT: usize = 16_384;
/// A user's name and a message in a change.
pub const NOTE_BYTES: usize = 1_024;
/// Changes of one document after which `status` warns: automerge never forgets.
pub const CHANGES_PER_DOCUMENT_ALARM: u64 = 100_000;
/// Received changes that wait for what they depend on, per peer.
pub const WAITING_BYTES_PER_PEER: usize = 32 << 20;
