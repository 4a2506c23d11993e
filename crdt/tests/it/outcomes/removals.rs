//! Edits that are apart by their lines, but not by what they mean: one renames a section, or puts the header of another above
//! its keys, which removes them there and adds them elsewhere (MERGE rule 9), and another edits or deletes a key in it.

use std::collections::BTreeSet;

use murmurate_crdt::path::Path;
use murmurate_crdt::state::{FragmentState, State};

/// Whether someone wrote to what another took away, or to something in it, or took it away too.
pub(super) fn one_touches_what_another_removes(before: &State, after: &[&State]) -> bool {
    let removed: Vec<BTreeSet<&Path>> = after.iter().map(|state| removed(before, state)).collect();
    let edited: Vec<BTreeSet<&Path>> = after.iter().map(|state| edited(before, state)).collect();
    let is_within = |path: &Path, removed: &BTreeSet<&Path>| removed.iter().any(|above| path.starts_with(above));
    (0..after.len()).any(|one| {
        let mut others = (0..after.len()).filter(|other| *other != one);
        others.any(|other| edited[other].union(&removed[other]).any(|path| is_within(path, &removed[one])))
    })
}

/// The fragments of the content that is shown.
fn fragments(state: &State) -> impl Iterator<Item = (&Path, &FragmentState)> {
    let shown = state.shown_epoch().and_then(|(id, _)| state.epoch(id));
    shown.into_iter().flat_map(|epoch| &epoch.fragments)
}

fn find<'a>(state: &'a State, path: &Path) -> Option<&'a FragmentState> {
    state.shown_epoch().and_then(|(id, _)| state.epoch(id))?.fragments.get(path)
}

fn removed<'a>(before: &'a State, after: &State) -> BTreeSet<&'a Path> {
    let lived = fragments(before).filter(|(path, fragment)| !path.is_root() && fragment.is_live());
    let is_gone = |path: &Path| find(after, path).is_none_or(|fragment| !fragment.is_live());
    lived.filter(|(path, _)| is_gone(path)).map(|(path, _)| path).collect()
}

fn edited<'a>(before: &State, after: &'a State) -> BTreeSet<&'a Path> {
    let changed = fragments(after).filter(|(path, fragment)| find(before, path) != Some(fragment));
    changed.filter(|(_, fragment)| fragment.is_live()).map(|(path, _)| path).collect()
}
