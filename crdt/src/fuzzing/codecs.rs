//! Codecs: what is cut is printed again, two readers agree, a put touches nothing else, and what is saved is what others
//! see.

use super::host::Host;
use crate::codec::{self, ParseError, meaning};
use crate::edit::{EditError, PutOutcome, PutType};
use crate::key::{Lookup, parse_key};
use crate::limits;
use crate::path::Path;
use crate::tree::{self, Content, Format, Tree};

/// Larger inputs find nothing that smaller ones don't, and take longer.
const INPUT_BYTES: usize = 16 << 10;

/// Any bytes as a TOML file.
pub fn toml(data: &[u8]) {
    check(Format::Toml, "f/a.toml", data);
}

/// Any bytes as a JSON file, with or without comments.
pub fn json(data: &[u8]) {
    check(Format::Json, "f/a.json", data);
}

/// Any bytes as a YAML file.
pub fn yaml(data: &[u8]) {
    check(Format::Yaml, "f/a.yaml", data);
}

/// Any bytes as a file of variables.
pub fn env(data: &[u8]) {
    check(Format::Env, "f/.env", data);
}

/// Any bytes as a file of sections.
pub fn ini(data: &[u8]) {
    check(Format::Ini, "f/a.ini", data);
}

/// Any bytes as a file of blocks.
pub fn blocks(data: &[u8]) {
    check(Format::Blocks, "f/nginx.conf", data);
}

/// Any bytes as a file of another format.
pub fn text(data: &[u8]) {
    check(Format::Text, "f/a.txt", data);
}

fn check(format: Format, name: &str, data: &[u8]) {
    if data.len() > INPUT_BYTES {
        return;
    }
    std::str::from_utf8(data).map(codec::looks_like_template).unwrap_or_default();
    match codec::parse(format, data) {
        Ok(tree) => parsed(&tree, data),
        Err(ParseError::Syntax(error)) => {
            assert!(codec::read(format, data).is_err(), "a valid file would be held: {error}");
        }
        Err(ParseError::Untileable { .. }) => {}
    }
    saved(name, data);
}

fn parsed(tree: &Tree, data: &[u8]) {
    assert_eq!(codec::print(tree), data, "not what was cut");
    let meant = meaning::meaning(codec::of(tree.format), &tree.root);
    if let Ok(read) = codec::read(tree.format, data) {
        assert_eq!(Some(read), meant, "two readers differ");
    }
    tree.root.walk(&mut |node| {
        assert_eq!(Path::decode(&node.path.encode()).as_ref(), Some(&node.path));
        assert!(node.path.0.len() <= limits::DEPTH + 1, "{} is too deep", node.path.encode());
    });
}

/// Takes in the file as an editor saved it.
fn saved(name: &str, data: &[u8]) {
    let mut ours = Host::new(1, name);
    let mut theirs = Host::new(2, name);
    let nothing = ours.document.render();
    let Some(change) = ours.save(&nothing, data) else { return };
    assert_eq!(ours.file(), data, "what was saved isn't what is rendered");
    theirs.receive(&[&change]);
    assert_eq!(theirs.file(), data, "what was saved isn't what others see");
    let rendered = theirs.document.render();
    assert!(theirs.save(&rendered, data).is_none(), "what is rendered, saved back, is an edit");
    put(&mut theirs, data);
}

/// Puts a number at one of the keys; which one, the length of the file decides.
fn put(host: &mut Host, data: &[u8]) {
    let rendered = host.document.render();
    let Some(file) = rendered.file().filter(|file| file.tree.format.is_structured()) else { return };
    let mut scalars = Vec::new();
    file.tree.root.walk(&mut |node| {
        if let Content::Scalar(text) = &node.content {
            scalars.push((&node.path, text));
        }
    });
    let Some((path, old)) = data.len().checked_rem(scalars.len()).map(|index| scalars[index]) else { return };
    // YAML's further lines are indented in the file only, and a value where nothing was gets a blank before it.
    if file.tree.format == Format::Yaml && (old.is_empty() || old.contains('\n')) {
        return;
    }
    let lookup = Lookup::new(&file.tree);
    let key = lookup.format(path);
    // Long keys, and the root of a file that is one scalar, can't be addressed.
    let Ok(steps) = parse_key(&key) else { return };
    assert_eq!(lookup.find(&steps), crate::key::Found::Here(path.clone()), "{key} leads elsewhere");
    let editor = host.editor();
    // Where keys repeat, all values are texts, and what stands around one may be an odd place for another.
    let keys_repeat = codec::of(file.tree.format).keys_repeat();
    let put_type = if keys_repeat { PutType::Automatic } else { PutType::Literal("integer") };
    let outcome = match host.document.put(&rendered, &steps, "7331", put_type, &editor) {
        Err(EditError::NoPlace(_)) if keys_repeat => return,
        outcome => outcome.unwrap(),
    };
    let PutOutcome::Written(written) = outcome else { return };
    host.wrote(written);
    let is_bare = old.contains(tree::INDENT);
    let file = host.file();
    if is_bare {
        return;
    }
    let front = data.iter().zip(&file).take_while(|(a, b)| a == b).count();
    let back = data[front..].iter().rev().zip(file[front..].iter().rev()).take_while(|(a, b)| a == b).count();
    assert!(front + back + old.len() >= data.len(), "a put of {key} touched other bytes");
    assert_eq!(file.len() + old.len(), data.len() + "7331".len());
}
