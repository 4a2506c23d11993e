//! What must hold in every history.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::codec;
use murmurate_crdt::conflict::Conflict;
use murmurate_crdt::document::Document;
use murmurate_crdt::edit::EditError;
use murmurate_crdt::key::{Lookup, parse_key};
use murmurate_crdt::path::{Path, Segment};
use murmurate_crdt::render::{self, Rendered};
use murmurate_crdt::tree::{Content, Format, Tree};
use murmurate_crdt::value::Value;

use super::edits::{Edit, edited};
use crate::replica::{Replica, exchange_in_orders};

/// Numbers from here on are written by nobody but the edits, each once.
const FIRST_NUMBER: u64 = 7_000_000;
/// More resolutions than any of these histories has conflicts.
const RESOLUTIONS: usize = 400;

/// Every format that has keys or lines.
const FORMATS: [Format; 7] =
    [Format::Toml, Format::Json, Format::Yaml, Format::Env, Format::Ini, Format::Blocks, Format::Text];

/// What was written, and by which edits it went again.
pub(crate) struct Ledger {
    next: u64,
    /// Numbers that came into a document.
    saved: BTreeSet<u64>,
    /// Numbers that someone took away who saw them, or saw the conflict that they were in.
    removed: BTreeSet<u64>,
    /// All that was ever saved.
    texts: Vec<Vec<u8>>,
    /// All values at their paths that someone wrote.
    written: BTreeSet<(String, String)>,
}

impl Ledger {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut ledger = Self {
            next: FIRST_NUMBER,
            saved: BTreeSet::new(),
            removed: BTreeSet::new(),
            texts: Vec::new(),
            written: BTreeSet::new(),
        };
        ledger.texts.push(Vec::new());
        ledger.wrote(bytes);
        ledger
    }

    fn wrote(&mut self, bytes: &[u8]) {
        self.texts.push(bytes.to_vec());
        for format in FORMATS {
            if let Ok(tree) = codec::parse(format, bytes) {
                self.written.extend(values(&tree));
            }
        }
    }

    /// Does something to a replica, and notes which numbers that took away.
    fn watch(&mut self, replica: &mut Replica, act: impl FnOnce(&mut Replica)) {
        let before = visible(replica);
        let base = shown(&replica.base);
        act(replica);
        let after = visible(replica);
        self.saved.extend(after.difference(&before));
        self.removed.extend(before.difference(&after));
        // What the editor saw and took out, though it may live on by another's edit.
        let written = shown(&replica.base);
        self.removed.extend(base.difference(&written));
    }

    pub(crate) fn save(&mut self, replica: &mut Replica, edits: &[(Edit, usize)]) {
        let base = replica.base.file().map(|file| (file.format(), file.bytes.clone()));
        let (format, mut bytes) = base.unwrap_or((codec::detect(replica.document.id().path(), b""), Vec::new()));
        for (edit, at) in edits {
            self.next += 1;
            bytes = match edit {
                Edit::Undo => self.texts[at % self.texts.len()].clone(),
                _ => edited(format, &bytes, *edit, *at, self.next).unwrap_or(bytes),
            };
        }
        self.watch(replica, |replica| match replica.save(&bytes) {
            Ok(()) => check_saved(replica, &bytes),
            Err(EditError::Syntax(_)) => {}
            Err(error) => panic!("{error}"),
        });
        self.wrote(&bytes);
    }

    pub(super) fn put(&mut self, replica: &mut Replica, at: usize) {
        self.next += 1;
        let number = self.next;
        let rendered = replica.document.render();
        let Some(key) = any_key(&rendered, at) else { return };
        // An existing key, or a new one beside it.
        let key = match at % 3 {
            0 => format!("{key}.n{}", number % 5),
            1 => format!("n{}", number % 5),
            _ => key,
        };
        self.watch(replica, |replica| drop(replica.put(&key, &number.to_string())));
        let put = replica.document.render();
        self.wrote(put.file().map_or(&[], |file| &file.bytes));
    }

    pub(super) fn delete_key(&mut self, replica: &mut Replica, at: usize) {
        let Some(key) = any_key(&replica.document.render(), at) else { return };
        self.watch(replica, |replica| drop(replica.try_delete(&key)));
    }

    pub(super) fn remove_file(&mut self, replica: &mut Replica) {
        if replica.base.file().is_some() {
            self.watch(replica, Replica::remove_file);
            assert!(replica.base.file().is_none(), "a deleted file is gone");
        }
    }

    pub(super) fn resolve(&mut self, replica: &mut Replica, at: usize) {
        let count = replica.conflicts().len();
        if count > 0 {
            self.watch(replica, |replica| {
                replica.resolve_at(at % count, at / 7);
            });
        }
    }

    /// Everybody receives everything, each in its own order.
    pub(crate) fn check_exchanged(&mut self, all: &mut [Replica], order: u64) {
        assert_eq!(self.exchange(all, order), None);
    }

    /// The same; why the merged file isn't valid, if it isn't.
    pub(crate) fn exchange(&mut self, all: &mut [Replica], order: u64) -> Option<String> {
        exchange_in_orders(all, order);
        for replica in all.iter_mut() {
            check_applied_twice(replica);
            reload(replica);
        }
        let replica = &all[0];
        let rendered = replica.document.render();
        assert_eq!(rendered, all[1].document.render());
        if let Some(file) = rendered.file() {
            let invented: Vec<_> = values(&file.tree).difference(&self.written).cloned().collect();
            assert!(invented.is_empty(), "nobody wrote {invented:?} in\n{}", replica.text());
        }
        let visible = visible(replica);
        let lost: Vec<_> = self.saved.difference(&self.removed).filter(|number| !visible.contains(number)).collect();
        assert!(lost.is_empty(), "{lost:?} is lost from\n{}\n{:#?}", replica.text(), replica.conflicts());
        rendered.file().and_then(invalid)
    }

    /// Whoever resolves one conflict after the other comes to an end, and then all agree.
    pub(super) fn check_resolved(&mut self, all: &mut [Replica], order: u64) {
        let mut at = usize::try_from(order % 1_000_003).unwrap();
        for _ in 0..RESOLUTIONS {
            at = at.wrapping_mul(31).wrapping_add(7) % 1_000_003;
            let count = all.len();
            let replica = &mut all[at % count];
            let conflicts = replica.conflicts();
            if conflicts.is_empty() {
                break;
            }
            check_addresses(replica, &conflicts);
            check_choice(replica, &conflicts, at);
            exchange_in_orders(all, order);
        }
        let left = all[0].conflicts();
        assert!(left.is_empty(), "not to be resolved in\n{}\n{left:#?}", all[0].text());
        let rendered = all[0].document.render();
        assert!(rendered.excluded.is_empty());
        if let Some(file) = rendered.file() {
            assert_eq!(invalid(file), None);
            let bytes = file.bytes.clone();
            let before = all[0].written.len();
            all[0].save(&bytes).unwrap();
            assert_eq!(all[0].written.len(), before, "what is rendered, saved back, is no edit");
        }
    }
}

/// Each conflict has an address of its own, which people can write.
fn check_addresses(replica: &Replica, conflicts: &[Conflict]) {
    let rendered = replica.document.render();
    let Some(lookup) = rendered.content.as_ref().map(|content| Lookup::new(&content.tree)) else { return };
    let mut paths: BTreeMap<String, &Path> = BTreeMap::new();
    for conflict in conflicts.iter().filter(|conflict| !conflict.path.is_root()) {
        let address = lookup.format(&conflict.path);
        assert_eq!(parse_key(&address), Ok(lookup.steps(&conflict.path)));
        let other = paths.entry(address).or_insert(&conflict.path);
        assert_eq!(*other, &conflict.path, "two places have one address");
    }
}

/// Whatever is chosen, it ends what was open.
fn check_choice(replica: &mut Replica, conflicts: &[Conflict], at: usize) {
    let index = at / 3 % conflicts.len();
    if replica.resolve_at(index, at / 7) {
        let left = replica.conflicts();
        let chosen = at / 7 % conflicts[index].values.len();
        assert!(!left.contains(&conflicts[index]), "choosing {chosen} leaves it open: {:#?}", conflicts[index]);
    }
}

/// What was saved is what stands there by this change alone (P5).
fn check_saved(replica: &Replica, bytes: &[u8]) {
    let file = replica.base.file().expect("a saved file is there");
    if file.bytes != bytes {
        let tree = codec::parse(file.format(), bytes);
        panic!(
            "saved\n{}\nbut it became\n{}\nof\n{tree:#?}\n{:#?}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&file.bytes),
            file.tree
        );
    }
}

fn check_applied_twice(replica: &mut Replica) {
    let (heads, rendered) = (replica.document.heads(), replica.document.render());
    for change in &replica.known.clone() {
        assert_eq!(replica.document.apply(change), Ok(vec![]));
    }
    assert_eq!((heads, rendered), (replica.document.heads(), replica.document.render()));
}

/// A restart changes nothing.
pub(super) fn reload(replica: &mut Replica) {
    let conflicts = replica.conflicts();
    let loaded = Document::load(replica.document.id().clone(), &replica.document.save().unwrap()).unwrap();
    assert_eq!(loaded.heads(), replica.document.heads());
    assert_eq!(loaded.version(), replica.document.version());
    assert_eq!(loaded.state(), replica.document.state());
    assert_eq!(loaded.render(), replica.document.render());
    assert_eq!(loaded.render_at(&loaded.heads()), replica.document.render_at(&loaded.heads()));
    replica.document = loaded;
    assert_eq!(replica.conflicts(), conflicts);
}

/// Why another parser doesn't read what the tree means; `None` if it does.
pub(crate) fn invalid(file: &render::Content) -> Option<String> {
    let text = String::from_utf8_lossy(&file.bytes);
    let text = text.trim_start_matches('\u{feff}');
    match reads_alike(file, text) {
        Ok(true) => None,
        Ok(false) => Some(format!("another parser reads something else in\n{text}")),
        Err(error) => Some(format!("{error} in\n{text}")),
    }
}

fn reads_alike(file: &render::Content, text: &str) -> Result<bool, String> {
    let meaning = file.meaning();
    // They compare with a second reader whatever they take.
    let codecs = || codec::parse(file.format(), &file.bytes).map(|_| true).map_err(|error| error.to_string());
    match file.format() {
        Format::Toml => {
            let read: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
            Ok(Some(plain(toml::Value::Table(read))) == meaning)
        }
        Format::Json => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(read) => Ok(Some(unsigned_zero(read)) == meaning.map(|value| unsigned_zero(value.to_json()))),
            Err(_) if text.contains("//") || text.contains("/*") || text.contains(',') => codecs(),
            Err(error) => Err(error.to_string()),
        },
        Format::Yaml | Format::Env | Format::Ini | Format::Blocks => codecs(),
        Format::Text | Format::Binary => Ok(true),
    }
}

/// `-0` is an integer for one parser, and a float for another.
fn unsigned_zero(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) if number.as_f64() == Some(0.0) => 0.into(),
        serde_json::Value::Array(items) => items.into_iter().map(unsigned_zero).collect(),
        serde_json::Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, unsigned_zero(value))).collect()
        }
        value => value,
    }
}

fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Integer(number.into()),
        toml::Value::Float(number) => Value::Float(number),
        toml::Value::Boolean(truth) => Value::Boolean(truth),
        toml::Value::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        toml::Value::Array(items) => Value::List(items.into_iter().map(plain).collect()),
        toml::Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, plain(value))).collect()),
    }
}

/// The scalars of a tree, each with its keys; items count as one.
fn values(tree: &Tree) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    tree.root.walk(&mut |node| {
        if let Content::Scalar(text) = &node.content {
            found.insert((keys(&node.path), text.clone()));
        }
    });
    found
}

fn keys(path: &Path) -> String {
    let names = path.0.iter().map(|segment| match segment {
        Segment::Key(name) => name.as_str(),
        Segment::Item(_) | Segment::Trivia(_) => "*",
    });
    names.collect::<Vec<_>>().join("/")
}

fn any_key(rendered: &Rendered, at: usize) -> Option<String> {
    let file = rendered.file()?;
    let mut paths = Vec::new();
    file.tree.root.walk(&mut |node| {
        if !node.path.is_root() && !node.path.is_trivia() {
            paths.push(node.path.clone());
        }
    });
    let path = paths.get(at.checked_rem(paths.len())?)?;
    Some(Lookup::new(&file.tree).format(path))
}

/// The numbers that stand in a render.
fn shown(rendered: &Rendered) -> BTreeSet<u64> {
    rendered.file().map(|file| numbers(&String::from_utf8_lossy(&file.bytes))).unwrap_or_default()
}

/// The numbers that stand in a replica's current render or in its conflicts.
fn visible(replica: &Replica) -> BTreeSet<u64> {
    let mut found = shown(&replica.document.render());
    replica.conflicts().iter().for_each(|conflict| found.extend(in_conflict(conflict)));
    found
}

fn in_conflict(conflict: &Conflict) -> BTreeSet<u64> {
    conflict.values.iter().filter_map(|value| value.text.as_deref()).flat_map(numbers).collect()
}

fn numbers(text: &str) -> BTreeSet<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .filter(|number| (FIRST_NUMBER..FIRST_NUMBER + 1_000_000).contains(number))
        .collect()
}
