//! One host's copy of one document, with a signing key, as a test drives it.

use ed25519_dalek::SigningKey;
use murmurate_crdt::conflict::{self, Conflict};
use murmurate_crdt::document::{Document, Written};
use murmurate_crdt::edit::{EditError, Editor, PutOutcome, PutType};
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId};
use murmurate_crdt::key::parse_key;
use murmurate_crdt::register::Register;
use murmurate_crdt::render::Rendered;
use murmurate_crdt::shown::Shown;

pub(crate) const MESH: MeshId = MeshId([0x4d; 16]);

pub(crate) struct Replica {
    pub(crate) document: Document,
    key: SigningKey,
    actor: ActorId,
    /// What the file was last rendered as, or taken in from.
    pub(crate) base: Rendered,
    /// The render and the conflicts, kept in step.
    pub(crate) shown: Shown,
    /// All changes written here.
    pub(crate) written: Vec<SignedEnvelope>,
    /// All changes that are in, in the order in which they came.
    pub(crate) known: Vec<SignedEnvelope>,
    time_ms: u64,
    changes: u64,
}

impl Replica {
    pub(crate) fn new(number: u8, name: &str) -> Self {
        let document = Document::new(DocumentId::new(name).unwrap());
        let base = document.render();
        let key = SigningKey::from_bytes(&[number + 1; 32]);
        Self {
            document,
            key,
            actor: ActorId([number + 1; 16]),
            base,
            shown: Shown::default(),
            written: Vec::new(),
            known: Vec::new(),
            time_ms: 1_000,
            changes: 0,
        }
    }

    fn editor(&mut self) -> Editor {
        self.time_ms += 1;
        Editor { actor: self.actor, time_ms: self.time_ms, user: "tester".into() }
    }

    fn seal(&mut self, written: Option<Written>) {
        let Some(written) = written else { return };
        self.touched(written.registers.clone());
        let envelope = Envelope {
            level: MESH_LEVEL,
            document: self.document.id().clone(),
            generation: Generation::default(),
            set: None,
            author: NodeId::of_public_key(self.key.verifying_key().as_bytes()),
            dot: written.dot,
            time_ms: self.time_ms,
            dependencies: written.dependencies,
            user: "tester".into(),
            message: String::new(),
            change: written.change,
        };
        let signed = envelope.sign(MESH, &self.key);
        // What travels is what is read again, signature and all.
        let signed = SignedEnvelope::decode(signed.bytes().clone()).unwrap();
        signed.verify(MESH, &self.key.verifying_key()).unwrap();
        self.known.push(signed.clone());
        self.written.push(signed);
    }

    /// Saves the file, as someone who saw the last render.
    pub(crate) fn save(&mut self, bytes: &[u8]) -> Result<(), EditError> {
        let editor = self.editor();
        let base = self.base.clone();
        let written = self.document.take_file(&base, bytes, false, Lane::FILE, &editor)?;
        if let Some(written) = &written {
            self.base = self.document.render_at(&[written.hash]);
        }
        self.seal(written);
        Ok(())
    }

    /// Changes the text of the last render and saves it.
    pub(crate) fn edit(&mut self, from: &str, to: &str) {
        let text = String::from_utf8(self.base.file().unwrap().bytes.clone()).unwrap();
        assert!(text.contains(from), "{from:?} isn't in {text:?}");
        self.save(text.replacen(from, to, 1).as_bytes()).unwrap();
    }

    pub(crate) fn remove_file(&mut self) {
        let editor = self.editor();
        let base = self.base.clone();
        let written = self.document.delete_file(&base, Lane::FILE, &editor).unwrap();
        self.base = self.document.render_at(&[written.as_ref().unwrap().hash]);
        self.seal(written);
    }

    pub(crate) fn put(&mut self, key: &str, value: &str) -> Result<(), EditError> {
        let editor = self.editor();
        let rendered = self.document.render();
        let steps = parse_key(key).unwrap();
        match self.document.put(&rendered, &steps, value, PutType::Automatic, &editor)? {
            PutOutcome::Written(written) => self.seal(Some(written)),
            PutOutcome::Unchanged(_) => {}
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.try_delete(key).unwrap();
    }

    pub(crate) fn try_delete(&mut self, key: &str) -> Result<(), EditError> {
        let editor = self.editor();
        let rendered = self.document.render();
        let written = self.document.delete_key(&rendered, &parse_key(key).unwrap(), &editor)?;
        self.seal(written);
        Ok(())
    }

    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        conflict::conflicts(&self.document, &self.document.render())
    }

    /// Chooses the value with this number of the first conflict.
    pub(crate) fn resolve(&mut self, take: usize) {
        assert!(self.resolve_at(0, take));
    }

    /// Chooses a value, by its number modulo how many there are, of one conflict. Tells whether it could be chosen.
    pub(crate) fn resolve_at(&mut self, index: usize, take: usize) -> bool {
        let editor = self.editor();
        let rendered = self.document.render();
        let conflict = self.conflicts().remove(index);
        let chosen = &conflict.values[take % conflict.values.len()];
        match self.document.resolve(chosen, &rendered, &editor) {
            Ok(written) => {
                self.seal(written);
                true
            }
            // A side that isn't valid alone.
            Err(EditError::NoPlace(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Takes in changes of others, each as soon as what it builds on is in.
    pub(crate) fn receive(&mut self, changes: &[SignedEnvelope]) {
        let mut waiting: Vec<&SignedEnvelope> = changes.iter().collect();
        while !waiting.is_empty() {
            let version = self.document.version();
            let ready = |envelope: &&SignedEnvelope| {
                version.includes(envelope.dot)
                    || (version.is_next(envelope.dot) && envelope.dependencies.iter().all(|dot| version.includes(*dot)))
            };
            let index = waiting.iter().position(ready).expect("some change can be applied");
            let envelope = waiting.remove(index);
            if !version.includes(envelope.dot) {
                self.known.push(envelope.clone());
            }
            let registers = self.document.apply(envelope).unwrap();
            if !registers.is_empty() {
                self.touched(registers);
            }
        }
    }

    /// The document took in a change: what is kept in step must be what comes out from scratch. Not after each change,
    /// so that several are taken over at once too.
    fn touched(&mut self, registers: Vec<Register>) {
        self.shown.touch(registers);
        self.changes += 1;
        if !self.changes.is_multiple_of(3) {
            let conflicts = self.shown.conflicts(&self.document);
            let rendered = self.document.render();
            assert_eq!(*conflicts, conflict::conflicts(&self.document, &rendered));
            assert_eq!(*self.shown.rendered(&self.document), rendered);
        }
    }

    /// The file is replaced by the current render.
    pub(crate) fn sync_file(&mut self) {
        self.base = self.document.render();
    }

    /// The text that the file should have now.
    pub(crate) fn text(&self) -> String {
        let rendered = self.document.render();
        String::from_utf8_lossy(&rendered.file().map(|file| file.bytes.clone()).unwrap_or_default()).into_owned()
    }
}

/// The changes that can be applied at a replica, in order.
pub(crate) fn deliverable(to: &Replica, changes: &[SignedEnvelope]) -> Vec<SignedEnvelope> {
    let mut version = to.document.version();
    let mut ready = Vec::new();
    loop {
        let next = changes
            .iter()
            .find(|change| version.is_next(change.dot) && change.dependencies.iter().all(|dot| version.includes(*dot)));
        let Some(next) = next else { return ready };
        version.include(next.dot);
        ready.push(next.clone());
    }
}

/// Everybody receives everything, and every file is replaced.
pub(crate) fn exchange(replicas: &mut [Replica]) {
    exchange_in_orders(replicas, 0);
}

/// The same, each replica in another order that `seed` gives.
pub(crate) fn exchange_in_orders(replicas: &mut [Replica], seed: u64) {
    let mut all: Vec<SignedEnvelope> = replicas.iter().flat_map(|replica| replica.written.clone()).collect();
    let mut state = seed;
    for replica in replicas.iter_mut() {
        if seed != 0 {
            shuffle(&mut all, &mut state);
        }
        replica.receive(&all);
        replica.sync_file();
    }
    let texts: Vec<String> = replicas.iter().map(Replica::text).collect();
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "replicas differ: {texts:#?}");
    let conflicts: Vec<_> = replicas.iter().map(Replica::conflicts).collect();
    assert!(conflicts.windows(2).all(|pair| pair[0] == pair[1]), "conflicts differ: {conflicts:#?}");
}

/// Fisher and Yates, with the numbers of a linear congruence (Knuth's MMIX).
pub(crate) fn shuffle<T>(items: &mut [T], state: &mut u64) {
    for index in (1..items.len()).rev() {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, usize::try_from(*state >> 33).unwrap() % (index + 1));
    }
}

/// `count` replicas that hold the same file.
pub(crate) fn replicas(count: u8, name: &str, text: &str) -> Vec<Replica> {
    let mut replicas: Vec<Replica> = (0..count).map(|number| Replica::new(number, name)).collect();
    replicas[0].save(text.as_bytes()).unwrap();
    exchange(&mut replicas);
    assert_eq!(replicas[0].text(), text);
    replicas
}
