//! Values of one file that differ on some hosts: overlays, documents of their own that are never files (MERGE rule 18).
//!
//! ```text
//!  compose:  file ─▶ role=db ─▶ role=eu ─▶ host=web-1 ─▶ what stands on the disk of web-1
//!  split:    file ◀─ role=db ◀─ role=eu ◀─ host=web-1 ◀─ what was saved there
//! ```
//! An overlay is a document in the file's format that holds only the keys it has something to say about. It gives the
//! file's key another value (its comments and spacing stay the file's), adds what the file lacks, or takes a key away. An
//! edit of what an overlay shows changes the overlay; all other edits go through to the file. What can't be shown as a
//! valid file (P6) is left out, and what the file has stands.

mod atoms;
mod compose;
mod edit;
mod graft;
mod selector;
mod split;

pub use compose::LeftOut;
pub use edit::{OverlayEdit, put, remove, replace_all};
pub use selector::{Overlay, OverlayKind};
pub use split::Split;

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use self::compose::{Applied, apply};
use crate::codec;
use crate::path::Path;
use crate::render::{Content, Rendered};

/// An overlay at some heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Which.
    pub overlay: Overlay,
    /// What it holds.
    pub rendered: Arc<Rendered>,
}

/// A file with overlays over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// What is shown.
    pub content: Content,
    base: Arc<Rendered>,
    layers: Vec<(Layer, Applied)>,
}

/// Where something that is shown comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The number of the layer, from 0; `None` is the file itself.
    pub layer: Option<usize>,
    /// Its path there.
    pub path: Path,
}

impl Composed {
    /// The file with overlays over it, the last one uppermost; `None` where there is no file. Without anything to say they
    /// leave it byte for byte as it is.
    #[must_use]
    pub fn new(base: Arc<Rendered>, layers: Vec<Layer>) -> Option<Self> {
        let file = base.file()?;
        let mut tree = file.tree.clone();
        let mut all = Vec::with_capacity(layers.len());
        for layer in layers {
            let applied = match layer.rendered.file() {
                Some(overlay) => apply(&tree, overlay),
                None => Applied::nothing(&tree),
            };
            tree.clone_from(&applied.tree);
            all.push((layer, applied));
        }
        let mut content = Content { hides: BTreeSet::new(), ..file.clone() };
        if all.iter().any(|(_, applied)| !applied.grafts.is_empty()) {
            content.bytes = codec::print(&tree);
            content.hash = Sha256::digest(&content.bytes).into();
            content.tree = tree;
        }
        Some(Self { content, base, layers: all })
    }

    /// The file itself.
    #[must_use]
    pub fn base(&self) -> &Arc<Rendered> {
        &self.base
    }

    /// The overlays, the uppermost last.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &Layer> {
        self.layers.iter().map(|(layer, _)| layer)
    }

    /// The overlays of which something is shown, or taken away.
    pub fn shown(&self) -> impl Iterator<Item = &Overlay> {
        self.layers.iter().filter(|(_, applied)| !applied.grafts.is_empty()).map(|(layer, _)| &layer.overlay)
    }

    /// What overlays say and the file can't show.
    pub fn left_out(&self) -> impl Iterator<Item = (&Overlay, &LeftOut)> {
        self.layers.iter().flat_map(|(layer, applied)| applied.left_out.iter().map(|left| (&layer.overlay, left)))
    }

    /// Where what is shown at a path comes from.
    #[must_use]
    pub fn source(&self, path: &Path) -> Source {
        let sources = self.layers.iter().enumerate().rev();
        let found = sources.filter_map(|(number, (_, applied))| {
            let (place, graft) = applied.graft_over(path)?;
            Some(Source { layer: Some(number), path: graft::moved(path, place, &graft.own) })
        });
        found.into_iter().next().unwrap_or_else(|| Source { layer: None, path: path.clone() })
    }

    /// The keys of the file and of lower overlays that are taken away, each with the number of the layer that does it.
    pub fn taken_away(&self) -> impl Iterator<Item = (usize, &Path)> {
        self.layers
            .iter()
            .enumerate()
            .flat_map(|(number, (_, applied))| applied.hidden().map(move |path| (number, path)))
    }

    /// What a layer says at a path of the file: whether it is put over what lies below, or taken away from it.
    #[must_use]
    pub fn path_in(&self, layer: usize, path: &Path) -> Option<Path> {
        let (_, applied) = self.layers.get(layer)?;
        let (place, graft) = applied.graft_over(path)?;
        Some(graft::moved(path, place, &graft.own))
    }
}
