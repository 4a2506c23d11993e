//! Statements of the roster in the store's state.

use data_encoding::HEXLOWER;
use murmurate_protocol::Statement;

use super::super::commits::StateEntry;

/// The state's key for the mesh that the store belongs to.
pub(crate) const MESH_STATE: &str = "mesh";
/// The keys of statements begin so.
pub(crate) const STATEMENTS: &str = "statement/";

/// The state's key for the statement with this digest.
pub(crate) fn statement_key(digest: &[u8; 32]) -> String {
    format!("{STATEMENTS}{}", HEXLOWER.encode(digest))
}

/// The state entry that keeps a statement.
pub(crate) fn statement_entry(statement: &Statement) -> StateEntry {
    (statement_key(&statement.digest()), Some(statement.bytes().to_vec()))
}
