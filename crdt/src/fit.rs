//! Whether others will take a change: the limits that receivers check, checked before it is written.
//!
//! A file within its limits can make a change past them: 10,000 keys in a table with a name of 1,000 bytes are 100 kB, but
//! the registers carry that name with each key.

use crate::limits;
use crate::position::STEPS;
use crate::register::{Cell, Register};
use crate::state::State;

/// What an operation takes in a change besides its register's name and its value: lengths, ids and columns.
const OPERATION_BYTES: usize = 32;
/// What each further value takes that an operation supersedes.
const SUPERSEDED_BYTES: usize = 8;
#[allow(clippy::cast_possible_truncation, reason = "a hundred thousand")]
const OPERATIONS: usize = limits::CHANGE_OPERATIONS as usize;

/// Why others would refuse a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) what: &'static str,
    pub(crate) found: usize,
    pub(crate) limit: usize,
}

/// Checks a change of these cells, written where the registers are `state`.
pub(crate) fn check(state: &State, cells: &[(Register, Cell)]) -> Result<(), Unfit> {
    let (mut operations, mut bytes) = (0, 0);
    for (register, cell) in cells {
        let superseded = state.get(register).map_or(0, |candidates| candidates.0.len()).max(1);
        operations += superseded;
        bytes += register.name().len() + cell.encode().len() + OPERATION_BYTES + SUPERSEDED_BYTES * superseded;
        if let Cell::Placement(placement) = cell {
            within("the depth of a line put between lines put between others", placement.position.steps(), STEPS)?;
        }
    }
    within("the number of changed parts of the file", operations, OPERATIONS)?;
    within("the change, which names each key by its whole path,", bytes, limits::CHANGE_BYTES)
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Unfit> {
    if found > limit { Err(Unfit { what, found, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Dot;
    use crate::id::{ActorId, Lane, Writer};
    use crate::path::Path;
    use crate::position::Position;
    use crate::register::{EpochId, Part, Placement};
    use crate::tree::{Content, Format};

    fn scalars(count: usize, key: &str) -> Vec<(Register, Cell)> {
        let epoch = EpochId::first(Format::Json);
        let register = |index: usize| Path::ROOT.key(key).key(&index.to_string());
        let register = |index| Register::Fragment { epoch: epoch.clone(), path: register(index), part: Part::Content };
        (0..count).map(|index| (register(index), Cell::Content(Content::Scalar("1".into())))).collect()
    }

    #[test]
    fn what_passes_a_limit_of_one_change_is_named() {
        let state = State::default();
        assert_eq!(check(&state, &scalars(30_000, "a")), Ok(()));
        let rows = [(100_001, "a", OPERATIONS), (15_000, &"x".repeat(900)[..], limits::CHANGE_BYTES)];
        for (count, key, limit) in rows {
            let unfit = check(&state, &scalars(count, key)).unwrap_err();
            assert_eq!(unfit.limit, limit);
            assert!(unfit.found > limit, "{unfit:?}");
        }
    }

    #[test]
    fn a_position_that_others_could_not_read_is_not_written() {
        let mut positions = (Position::imported(0), Position::imported(1));
        let writer = Writer { actor: ActorId([1; 16]), lane: Lane::API };
        let epoch = EpochId::first(Format::Text);
        for sequence in 1.. {
            let dot = Dot { writer, sequence };
            let between = Position::run_between(Some(&positions.0), Some(&positions.1), dot, 1).remove(0);
            let placement = Placement { container_depth: 0, position: between.clone(), label: String::new() };
            let register =
                Register::Fragment { epoch: epoch.clone(), path: Path::ROOT.key("a"), part: Part::Placement };
            let cell = Cell::Placement(placement);
            let is_read = Cell::decode(&cell.encode()).is_ok();
            assert_eq!(check(&State::default(), &[(register, cell)]).is_ok(), is_read);
            if !is_read {
                return;
            }
            // Always between the two latest ones.
            if sequence % 2 == 0 { positions.0 = between } else { positions.1 = between }
        }
    }
}
