//! Statements of the roster in the store's state.

use murmurate_protocol::{Fact, Statement};

use super::super::commits::StateEntry;
use super::tickets::hex;

/// The state's key for the mesh that the store belongs to.
pub(crate) const MESH_STATE: &str = "mesh";
/// The keys of statements begin so.
pub(crate) const STATEMENTS: &str = "statement/";

/// The state entry that keeps a statement. Of what replaces its former self, only the last is kept.
pub(crate) fn state_entry(statement: &Statement) -> (String, Option<Vec<u8>>) {
    let name = match statement.fact() {
        Some(Fact::Own(_)) => format!("own/{}", statement.node()),
        Some(Fact::Renew { .. }) => format!("renew/{}", statement.node()),
        _ => hex(&statement.digest()),
    };
    let entry: StateEntry = (format!("{STATEMENTS}{name}"), Some(statement.bytes().to_vec()));
    entry
}
