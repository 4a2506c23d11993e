//! A host with one document, as small as can be.

use std::sync::Arc;

use ed25519_dalek::SigningKey;

use crate::conflict;
use crate::document::{Document, Written};
use crate::edit::{EditError, Editor};
use crate::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use crate::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId};
use crate::render::Rendered;
use crate::shown::Shown;

pub(super) const MESH: MeshId = MeshId([0x4d; 16]);

pub(super) struct Host {
    pub(super) document: Document,
    shown: Shown,
    number: u8,
}

impl Host {
    pub(super) fn new(number: u8, name: &str) -> Self {
        Self { document: Document::new(DocumentId::new(name).unwrap()), shown: Shown::default(), number }
    }

    pub(super) fn editor(&self) -> Editor {
        Editor { actor: ActorId([self.number; 16]), time_ms: 1, user: "ann".into() }
    }

    pub(super) fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&[self.number; 32])
    }

    pub(super) fn author(key: &SigningKey) -> NodeId {
        NodeId::of_public_key(key.verifying_key().as_bytes())
    }

    /// Saves the file over `base`. What can't be taken in must be a syntax error of a structured file.
    pub(super) fn save(&mut self, base: &Rendered, bytes: &[u8]) -> Option<SignedEnvelope> {
        let editor = self.editor();
        match self.document.take_file(base, bytes, false, Lane::FILE, &editor) {
            Ok(written) => written.map(|written| self.wrote(written)),
            Err(EditError::Syntax(error)) => {
                assert!(error.line >= 1 && error.column >= 1, "{error}");
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                assert!(error.line <= lines, "{error} in {lines} lines");
                None
            }
            Err(error) => panic!("{error} (saving {} bytes)", bytes.len()),
        }
    }

    /// Signs what was just written here.
    pub(super) fn wrote(&mut self, written: Written) -> SignedEnvelope {
        self.shown.touch(written.registers.iter().cloned());
        self.sealed(written)
    }

    pub(super) fn sealed(&self, written: Written) -> SignedEnvelope {
        let envelope = Envelope {
            level: MESH_LEVEL,
            document: self.document.id().clone(),
            generation: Generation::default(),
            set: None,
            author: Self::author(&self.key()),
            dot: written.dot,
            time_ms: 1,
            dependencies: written.dependencies,
            user: "ann".into(),
            message: String::new(),
            change: written.change,
        };
        envelope.sign(MESH, &self.key())
    }

    /// Takes in changes as they came over the network.
    pub(super) fn receive(&mut self, changes: &[&SignedEnvelope]) {
        for change in changes {
            let change = SignedEnvelope::decode(change.bytes().clone()).unwrap();
            let registers = self.document.apply(&change).unwrap();
            if !registers.is_empty() {
                self.shown.touch(registers);
                self.check_shown();
            }
        }
    }

    /// What is kept in step with the document is what a render from scratch gives.
    fn check_shown(&mut self) -> Arc<Rendered> {
        let rendered = self.shown.rendered(&self.document);
        assert_eq!(*rendered, self.document.render(), "a shortcut gives another render");
        let conflicts = self.shown.conflicts(&self.document);
        assert_eq!(*conflicts, conflict::conflicts(&self.document, &rendered), "a shortcut gives other conflicts");
        rendered
    }

    /// What the file should be; an independent parser reads it, or it is in a format that has none.
    pub(super) fn file(&mut self) -> Vec<u8> {
        let rendered = self.check_shown();
        assert!(crate::render::is_good(&rendered));
        rendered.file().map(|file| file.bytes.clone()).unwrap_or_default()
    }
}
