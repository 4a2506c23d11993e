//! How people name documents and keys: `web/app.toml#servers[name=a].port`.
//!
//! Keys are bare (letters, digits, `_` and `-`) or quoted as TOML's basic strings. `[0]` is the item at an index,
//! `[name=a]` the item with that field. In a document's name `#`, `?` and `%` are percent-encoded; behind a `?` stands which
//! overlay of the file is meant: `web/app.toml?host=web-1#server.port`.

use std::fmt;

use crate::codec::{self, joined, subsection};
use crate::id::DocumentId;
use crate::limits;
use crate::overlay::Overlay;
use crate::path::{Path, Segment};
use crate::tree::{Content, Format, Node, Tree};

/// What stands before the id of a free-standing comment in an address: `tls[comment=1f2e3d4c5b6a#1]`.
const COMMENT: &str = "comment";

/// An address that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` isn't an address: {why}")]
pub struct AddressError {
    /// What was given.
    pub address: String,
    /// What is wrong with it.
    pub why: String,
}

/// One step of a key, as a person writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// The item at an index of a list, from 0.
    Index(usize),
    /// The item whose field has this value.
    Field(String, String),
}

/// A document, or a key in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The document.
    pub document: DocumentId,
    /// The key's steps; empty is the whole file.
    pub key: Vec<Step>,
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(address: &str) -> Result<Self, AddressError> {
        let failed = |why: String| AddressError { address: address.into(), why };
        let (name, key) = address.split_once('#').map_or((address, None), |(name, key)| (name, Some(key)));
        let document = parse_document(name).map_err(failed)?;
        let key = key.map_or(Ok(Vec::new()), parse_key).map_err(failed)?;
        Ok(Self { document, key })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.document)?;
        if self.key.is_empty() {
            return Ok(());
        }
        write!(f, "#{}", format_steps(&self.key))
    }
}

/// A document's name with `%`, `#` and `?` encoded.
#[must_use]
pub fn percent_encoded(name: &str) -> String {
    name.replace('%', "%25").replace('#', "%23").replace('?', "%3F")
}

/// Reads what stands before the `#`.
fn parse_document(text: &str) -> Result<DocumentId, String> {
    let (name, overlay) = text.split_once('?').map_or((text, None), |(name, overlay)| (name, Some(overlay)));
    let name = percent_decoded(name)?;
    // What separates them inside is no part of a file's name, however it is written.
    if name.contains("//") {
        return Err("empty parts aren't allowed".into());
    }
    let document = DocumentId::new(&name).map_err(|error| error.to_string())?;
    let Some(overlay) = overlay else { return Ok(document) };
    let overlay = overlay.parse::<Overlay>();
    let overlay = overlay.map_err(|error| format!("{error} (a `?` in a file's name is written %3F)"))?;
    document.with_overlay(&overlay).map_err(|error| error.to_string())
}

fn percent_decoded(name: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.ok_or("`%` must be followed by two hexadecimal digits (a `%` itself is %25)")?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8")
}

/// Reads a key.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_key(text: &str) -> Result<Vec<Step>, String> {
    if text.len() > limits::PATH_BYTES {
        return Err(format!("a key is at most {} bytes long", limits::PATH_BYTES));
    }
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if steps.len() == limits::DEPTH {
            return Err(format!("a key has at most {} steps", limits::DEPTH));
        }
        let (step, tail) = if let Some(inside) = rest.strip_prefix('[') {
            parse_item(inside)?
        } else {
            let rest = if steps.is_empty() { rest } else { rest.strip_prefix('.').ok_or("expected `.` or `[`")? };
            let (key, tail) = parse_name(rest)?;
            (Step::Key(key), tail)
        };
        steps.push(step);
        rest = tail;
    }
    if steps.is_empty() {
        return Err("the key behind `#` is empty".into());
    }
    Ok(steps)
}

/// Reads what is behind a `[`.
fn parse_item(inside: &str) -> Result<(Step, &str), String> {
    let digits = inside.find(|character: char| !character.is_ascii_digit()).unwrap_or(inside.len());
    if let (1.., Some(tail)) = (digits, inside[digits..].strip_prefix(']')) {
        let index = inside[..digits].parse().map_err(|_| "the index is too large")?;
        return Ok((Step::Index(index), tail));
    }
    let (field, rest) = parse_name(inside)?;
    let rest = rest.strip_prefix('=').ok_or("expected an index or `field=value` between the brackets")?;
    if rest.starts_with('"') {
        let (value, rest) = parse_name(rest)?;
        let tail = rest.strip_prefix(']').ok_or("expected `]`")?;
        return Ok((Step::Field(field, value), tail));
    }
    let (value, tail) = rest.split_once(']').ok_or("expected `]`")?;
    Ok((Step::Field(field, value.into()), tail))
}

fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}

/// Reads a bare or quoted name.
fn parse_name(text: &str) -> Result<(String, &str), String> {
    if let Some(inside) = text.strip_prefix('"') {
        return parse_quoted(inside);
    }
    let end = text.find(|character: char| !is_bare(character)).unwrap_or(text.len());
    if end == 0 {
        return Err("expected a key (odd keys are quoted: \"a.b\")".into());
    }
    Ok((text[..end].into(), &text[end..]))
}

fn parse_quoted(inside: &str) -> Result<(String, &str), String> {
    let mut escaped = false;
    for (index, character) in inside.char_indices() {
        if character == '"' && !escaped {
            let literal = format!("\"{}\"", &inside[..index]);
            let name = serde_json::from_str(&literal).map_err(|_| format!("{literal} isn't a quoted key"))?;
            return Ok((name, &inside[index + 1..]));
        }
        escaped = character == '\\' && !escaped;
    }
    Err("a quote isn't closed".into())
}

fn format_name(name: &str) -> String {
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.into();
    }
    serde_json::Value::from(name).to_string()
}

fn format_steps(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&format_name(key));
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Field(field, value) => text.push_str(&format!("[{}={}]", format_name(field), format_name(value))),
        }
    }
    text
}

/// The nodes of a tree by logical path, with the items of each list in their order.
#[derive(Debug)]
pub struct Lookup<'a> {
    format: Format,
    nodes: std::collections::BTreeMap<&'a Path, &'a Node>,
    items: std::collections::BTreeMap<Path, Vec<Path>>,
    /// Of each item its index in its list.
    indexes: std::collections::BTreeMap<&'a Path, usize>,
}

/// Where an address leads in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// To a key, item or table.
    Here(Path),
    /// To a place where there is nothing yet; the path is what a put would write. Items have the id of their index.
    Absent(Path),
    /// Nowhere: an item that doesn't exist and can't be made by its address.
    NoSuchItem(String),
}

/// Follows the steps of an address in a tree: [`Lookup::find`] for one address, mostly without an index.
#[must_use]
pub fn find(tree: &Tree, steps: &[Step]) -> Found {
    let keys = steps.iter().map(|step| match step {
        Step::Key(key) => Some(Segment::Key(key.clone())),
        Step::Index(_) | Step::Field(..) => None,
    });
    match keys.collect::<Option<Vec<_>>>().map(Path) {
        Some(path) if tree.root.find(&path).is_some() => Found::Here(path),
        _ => Lookup::new(tree).find(steps),
    }
}

impl<'a> Lookup<'a> {
    /// Indexes a tree.
    #[must_use]
    pub fn new(tree: &'a Tree) -> Self {
        let mut nodes = std::collections::BTreeMap::new();
        let mut items: std::collections::BTreeMap<Path, Vec<Path>> = std::collections::BTreeMap::new();
        let mut indexes = std::collections::BTreeMap::new();
        tree.root.walk(&mut |node| {
            nodes.insert(&node.path, node);
            if let (Some(Segment::Item(_)), Some(list)) = (node.path.last(), node.path.parent()) {
                let items = items.entry(list).or_default();
                indexes.insert(&node.path, items.len());
                items.push(node.path.clone());
            }
        });
        Self { format: tree.format, nodes, items, indexes }
    }

    /// The node at a path.
    #[must_use]
    pub fn node(&self, path: &Path) -> Option<&'a Node> {
        self.nodes.get(path).copied()
    }

    /// Whether there is a value, a table or a list at a path, with bytes of its own or implied.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        use std::ops::Bound;
        let mut from = self.nodes.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        from.next().is_some_and(|(found, _)| found.starts_with(path))
    }

    /// All nodes, in the order of their paths.
    pub fn nodes(&self) -> impl Iterator<Item = &'a Node> + '_ {
        self.nodes.values().copied()
    }

    /// Follows the steps of an address. Where keys may stand several times, the only occurrence of a key is meant by it.
    #[must_use]
    pub fn find(&self, steps: &[Step]) -> Found {
        match self.follow(steps) {
            Ok(path) if self.exists(&path) => Found::Here(path),
            Ok(path) => Found::Absent(path),
            Err(why) => Found::NoSuchItem(why),
        }
    }

    fn follow(&self, steps: &[Step]) -> Result<Path, String> {
        let (mut path, mut rest) = (Path::ROOT, steps);
        if let [Step::Key(section), Step::Key(inner), behind @ ..] = steps
            && let Some(subsection) = self.subsection(section, inner)
        {
            (path, rest) = (Path::ROOT.key(&subsection), behind);
        }
        for step in rest {
            path = match step {
                Step::Key(key) => self.only_occurrence(path)?.key(key),
                Step::Index(index) => self.item(&path, *index)?,
                Step::Field(field, value) => {
                    let mut items = self.items_of(&path).iter();
                    let item = items.find(|item| self.has_field(item, field, value)).cloned();
                    let found = item.or_else(|| self.comment(&path, field, value));
                    found.ok_or_else(|| format!("no item has {field} = {value}"))?
                }
            };
        }
        Ok(if self.items_of(&path).len() == 1 { self.only_occurrence(path)? } else { path })
    }

    fn items_of(&self, list: &Path) -> &[Path] {
        self.items.get(list).map_or(&[][..], Vec::as_slice)
    }

    fn item(&self, list: &Path, index: usize) -> Result<Path, String> {
        let items = self.items_of(list);
        match items.get(index) {
            Some(item) => Ok(item.clone()),
            None if index == items.len() => Ok(list.child(Segment::Item(index.to_string()))),
            None => Err(format!("the list has {} items", items.len())),
        }
    }

    /// Where keys may stand several times, the only place of one.
    fn only_occurrence(&self, key: Path) -> Result<Path, String> {
        match self.items_of(&key) {
            _ if !self.keys_repeat() || !matches!(key.last(), Some(Segment::Key(_))) => Ok(key),
            [] => Ok(key),
            [only] => Ok(only.clone()),
            all => Err(format!("{0} stands {1} times; say which: {0}[0]", self.format(&key), all.len())),
        }
    }

    fn keys_repeat(&self) -> bool {
        codec::of(self.format).keys_repeat()
    }

    /// The name of one of git's subsections: `remote.origin` is `[remote "origin"]`, unless `[remote]` has such a key.
    fn subsection(&self, section: &str, inner: &str) -> Option<String> {
        let name = joined(section, inner);
        let has_key = |section: &Path| self.exists(&section.key(inner));
        let is_there = self.format == Format::Ini && self.exists(&Path::ROOT.key(&name));
        (is_there && !self.items_of(&Path::ROOT.key(section)).iter().any(has_key)).then_some(name)
    }

    /// The free-standing comment that [`Self::steps`] names so.
    fn comment(&self, container: &Path, field: &str, id: &str) -> Option<Path> {
        let path = (field == COMMENT).then(|| container.child(Segment::Trivia(id.into())))?;
        self.nodes.contains_key(&path).then_some(path)
    }

    fn has_field(&self, item: &Path, field: &str, value: &str) -> bool {
        let Ok(field) = self.only_occurrence(item.key(field)) else { return false };
        let Some(Content::Scalar(text)) = self.node(&field).map(|node| &node.content) else { return false };
        codec::of(self.format).scalar(text).is_some_and(|found| found.to_string() == value)
    }

    /// The address of a path: its [`Self::steps`] as text.
    #[must_use]
    pub fn format(&self, path: &Path) -> String {
        format_steps(&self.steps(path))
    }

    /// The steps to a path, as [`Self::find`] follows them: items by their identity field if they have one, else by
    /// index, comments by their ids. What isn't in the tree, as what another shape hides, is named by its ids, and found
    /// by nothing but the comparison of its steps. No two paths have the same steps.
    #[must_use]
    pub fn steps(&self, path: &Path) -> Vec<Step> {
        let (mut steps, mut depth) = (Vec::new(), 0);
        if let Some((section, inner)) = self.subsection_of(path) {
            steps.extend([Step::Key(section), Step::Key(inner)]);
            depth = 1;
        }
        while depth < path.0.len() {
            if !self.is_only_occurrence(path, depth) {
                steps.push(self.step(path, depth));
            }
            depth += 1;
        }
        steps
    }

    /// The two parts of the subsection that a path goes through.
    fn subsection_of(&self, path: &Path) -> Option<(String, String)> {
        let Some(Segment::Key(name)) = path.0.first() else { return None };
        let (section, inner) = subsection(name)?;
        (self.subsection(&section, &inner).as_ref() == Some(name)).then_some((section, inner))
    }

    /// Whether the step at a depth goes to the only occurrence of a key, which the key alone means.
    fn is_only_occurrence(&self, path: &Path, depth: usize) -> bool {
        let (list, item) = (&path.0[..depth], &path.0[..=depth]);
        let only = self.items.get(list).map(Vec::as_slice);
        self.keys_repeat() && matches!(only, Some([only]) if only.0 == item)
    }

    fn step(&self, path: &Path, depth: usize) -> Step {
        let here = Path(path.0[..=depth].to_vec());
        match &path.0[depth] {
            Segment::Key(key) => Step::Key(key.clone()),
            Segment::Trivia(id) => Step::Field(COMMENT.into(), id.clone()),
            Segment::Item(id) => {
                if let Some((field, value)) = id.split_once('=')
                    && self.has_field(&here, field, value)
                {
                    return Step::Field(field.into(), value.into());
                }
                let index = self.indexes.get(&here);
                index.map_or_else(|| Step::Field("id".into(), id.clone()), |index| Step::Index(*index))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read() {
        let address: Address = "web/app.toml#servers[name=a].\"odd.key\"[0]".parse().unwrap();
        assert_eq!(address.document.as_str(), "web/app.toml");
        let field = Step::Field("name".into(), "a".into());
        let expected = [Step::Key("servers".into()), field, Step::Key("odd.key".into()), Step::Index(0)];
        assert_eq!(address.key, expected);
        let odd: Address = "web/a%23b%3F%25.toml".parse().unwrap();
        assert_eq!(odd.document.as_str(), "web/a#b?%.toml");
        assert_eq!(odd.to_string(), "web/a%23b%3F%25.toml");
        let overlay: Address = "web/a%3F.toml?role=db#port".parse().unwrap();
        assert_eq!((overlay.document.path(), overlay.document.is_overlay()), ("a?.toml", true));
        assert_eq!(overlay.to_string(), "web/a%3F.toml?role=db#port");
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for address in [
            "x",
            "a/b#",
            "a/b#.c",
            "a/b#c..d",
            "a/b#c[",
            "a/b#c[1",
            "a/b#\"c",
            "a/../b#c",
            "a/b%zz",
            "a/b?c",
            "a/b?host=",
            "a/b//host=c",
        ] {
            assert!(address.parse::<Address>().is_err(), "{address}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn what_is_written_is_read_back(keys in proptest::collection::vec(any::<String>(), 1..4), index in 0usize..99) {
            let mut steps: Vec<Step> = keys.into_iter().map(Step::Key).collect();
            steps.push(Step::Index(index));
            let text = format_steps(&steps);
            prop_assume!(text.len() <= limits::PATH_BYTES);
            prop_assert_eq!(parse_key(&text), Ok(steps));
        }

        #[test]
        fn random_text_never_panics(text: String) {
            let _ = text.parse::<Address>();
        }
    }
}
