//! What people do to a file in an editor: from one text to the next.

use murmurate_crdt::codec;
use murmurate_crdt::path::Path;
use murmurate_crdt::tree::{Content, Decor, Format, Node, Shape, Tree};

/// An edit of a whole text. Numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    SetScalar,
    AddKey,
    AddDottedKey,
    AddSection,
    AddItem,
    Delete,
    Rename,
    Move,
    Reorder,
    CommentOn,
    CommentBlock,
    Spacing,
    Reindent,
    ScalarToTable,
    TableToScalar,
    CopyLine,
    ChangeLine,
    DeleteLines,
    MoveLines,
    LineEnds,
    FinalNewline,
    ByteOrderMark,
    /// Back to an earlier text.
    Undo,
    Empty,
}

pub(crate) const EDITS: [Edit; 24] = [
    Edit::SetScalar,
    Edit::AddKey,
    Edit::AddDottedKey,
    Edit::AddSection,
    Edit::AddItem,
    Edit::Delete,
    Edit::Rename,
    Edit::Move,
    Edit::Reorder,
    Edit::CommentOn,
    Edit::CommentBlock,
    Edit::Spacing,
    Edit::Reindent,
    Edit::ScalarToTable,
    Edit::TableToScalar,
    Edit::CopyLine,
    Edit::ChangeLine,
    Edit::DeleteLines,
    Edit::MoveLines,
    Edit::LineEnds,
    Edit::FinalNewline,
    Edit::ByteOrderMark,
    Edit::Undo,
    Edit::Empty,
];

/// The text after an edit at `at`, with `number` as what is new in it; `None` where it has no place.
pub(crate) fn edited(format: Format, bytes: &[u8], edit: Edit, at: usize, number: u64) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    match edit {
        Edit::CopyLine | Edit::ChangeLine | Edit::DeleteLines | Edit::MoveLines => {
            Some(edit_lines(text, edit, at, number).into_bytes())
        }
        Edit::LineEnds if end == "\n" => Some(text.replace('\n', "\r\n").into_bytes()),
        Edit::LineEnds => Some(text.replace("\r\n", "\n").into_bytes()),
        Edit::FinalNewline => Some(text.strip_suffix(end).map_or(format!("{text}{end}"), String::from).into_bytes()),
        Edit::ByteOrderMark => {
            Some(text.strip_prefix('\u{feff}').map_or(format!("\u{feff}{text}"), String::from).into_bytes())
        }
        Edit::Empty if format == Format::Json => Some(b"{}\n".to_vec()),
        Edit::Empty => Some(Vec::new()),
        _ => {
            let mut tree = codec::parse(format, bytes).ok().filter(|tree| tree.format.is_structured())?;
            edit_tree(&mut tree, edit, at, number)?;
            let bytes = codec::print(&tree);
            codec::parse(format, &bytes).is_ok().then_some(bytes)
        }
    }
}

fn edit_lines(text: &str, edit: Edit, at: usize, number: u64) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(String::from).collect();
    if lines.is_empty() {
        return format!("line {number}\n");
    }
    let index = at % lines.len();
    let count = (at / 7 % 4 + 1).min(lines.len() - index);
    let target = at / 3 % lines.len();
    match edit {
        Edit::CopyLine => lines.insert(target, lines[index].clone()),
        Edit::ChangeLine => {
            let line = lines[index].trim_end().to_string();
            let end = lines[index][line.len()..].to_string();
            // See `comment`.
            let is_comment = line.contains(['#', '/']) || line.trim_start().starts_with(';');
            let number = if is_comment { number % 1_000 } else { number };
            let stem = line.trim_end_matches(|c: char| c.is_ascii_digit());
            lines[index] = format!("{stem}{number}{end}");
        }
        Edit::DeleteLines => drop(lines.drain(index..index + count)),
        _ => {
            let block: Vec<String> = lines.drain(index..index + count).collect();
            let target = target.min(lines.len());
            lines.splice(target..target, block);
        }
    }
    lines.concat()
}

fn count(node: &Node, wanted: &impl Fn(&Node) -> bool) -> usize {
    usize::from(wanted(node)) + node.children.iter().map(|child| count(child, wanted)).sum::<usize>()
}

/// The `index`-th node that is wanted.
fn nth<'a>(node: &'a mut Node, index: &mut usize, wanted: &impl Fn(&Node) -> bool) -> Option<&'a mut Node> {
    if wanted(node) {
        if *index == 0 {
            return Some(node);
        }
        *index -= 1;
    }
    node.children.iter_mut().find_map(|child| nth(child, index, wanted))
}

fn any(root: &mut Node, at: usize, wanted: impl Fn(&Node) -> bool) -> Option<&mut Node> {
    let count = count(root, &wanted);
    nth(root, &mut at.checked_rem(count)?, &wanted)
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_))
}

fn is_container(node: &Node) -> bool {
    matches!(node.content, Content::Container(_))
}

/// Takes out one node that isn't the root.
fn take(root: &mut Node, at: usize) -> Option<Node> {
    let parent = any(root, at, |node| !node.children.is_empty())?;
    Some(parent.children.remove(at / 5 % parent.children.len()))
}

fn quoted(format: Format, key: &str) -> String {
    if format == Format::Json { format!("{key:?}") } else { key.into() }
}

fn scalar(format: Format, label: &str, number: u64) -> Node {
    let (lead, separator, trail) = match format {
        Format::Json => ("\n\0", ": ", ""),
        Format::Yaml => ("", ": ", ""),
        Format::Blocks => ("\0", " ", ";\n"),
        _ => ("", " = ", ""),
    };
    let decor = Decor { separator: separator.into(), lead: lead.into(), trail: trail.into(), ..Decor::default() };
    Node::new(Path::ROOT, label, Content::Scalar(number.to_string()), decor)
}

/// The numbers in comments are short ones: a key that goes takes its comments with it, whoever edits them meanwhile.
fn comment(format: Format, number: u64) -> String {
    let number = number % 1_000;
    match format {
        Format::Json => format!("\n\0// c{number}"),
        _ => format!("\0# c{number}\n"),
    }
}

fn edit_tree(tree: &mut Tree, edit: Edit, at: usize, number: u64) -> Option<()> {
    let format = tree.format;
    // Few names, so that hosts meet.
    let name = format!("n{}", number % 5);
    if is_lines(format) && edit_lines_tree(tree, edit, at, number, &name).is_some() {
        return Some(());
    }
    let root = &mut tree.root;
    match edit {
        Edit::SetScalar => {
            any(root, at, is_scalar)?.content = Content::Scalar(match at % 3 {
                0 => format!("\"v{number}\""),
                1 if format == Format::Toml => format!("[{number}, {number}]"),
                _ => number.to_string(),
            });
        }
        Edit::AddKey | Edit::AddItem if format != Format::Toml => {
            let shape = if edit == Edit::AddKey { Shape::Table } else { Shape::List };
            let container = any(root, at, |node| node.content == Content::Container(shape))?;
            let label = if edit == Edit::AddKey { quoted(format, &name) } else { String::new() };
            let index = at / 3 % (container.children.len() + 1);
            container.children.insert(index, scalar(format, &label, number));
            if edit == Edit::AddItem && format == Format::Json {
                container.children[index].decor.separator.clear();
            }
        }
        Edit::AddKey | Edit::AddDottedKey if format == Format::Toml => {
            let container = any(root, at, is_container)?;
            let label = if edit == Edit::AddKey { name } else { format!("d{}.{name}", number % 2) };
            let entries = container.children.iter().filter(|child| !is_container(child)).count();
            container.children.insert(at / 3 % (entries + 1), scalar(format, &label, number));
        }
        Edit::AddSection | Edit::AddItem if format == Format::Toml => {
            let text = String::from_utf8(codec::print(tree)).ok()?;
            let header = match (edit, at % 3) {
                (Edit::AddItem, _) => format!("[[l{}]]\nname = \"i{}\"", number % 2, number % 3),
                (_, 0) => format!("[n{}]", number % 5),
                _ => format!("[d{}.s{}]", number % 2, number % 3),
            };
            let longer = format!("{text}\n{header}\nk{} = {number}\n", number % 3);
            *tree = codec::parse(format, longer.as_bytes()).ok()?;
        }
        Edit::AddSection if format == Format::Yaml => {
            let text = String::from_utf8(codec::print(tree)).ok()?;
            let section = match at % 3 {
                0 => format!("n{}:\n  k{}: {number}", number % 5, number % 3),
                1 => format!("l{}:\n- name: i{}\n  k: {number}", number % 2, number % 3),
                _ => format!("d{}:\n    s{}: |\n      {number}\n\n      x", number % 2, number % 3),
            };
            let longer = format!("{text}\n{section}\n");
            *tree = codec::parse(format, longer.as_bytes()).ok()?;
        }
        Edit::Delete => drop(take(root, at)?),
        Edit::Rename => any(root, at, |node| !node.label.is_empty())?.label = quoted(format, &name),
        Edit::Move => {
            let node = take(root, at)?;
            let container = any(root, at / 11, is_container)?;
            let index = at / 13 % (container.children.len() + 1);
            container.children.insert(index, node);
        }
        Edit::Reorder => {
            let container = any(root, at, |node| node.children.len() > 1)?;
            let count = container.children.len();
            container.children.rotate_left(at / 3 % count);
            container.children.swap(0, at / 5 % count);
        }
        Edit::CommentOn if at.is_multiple_of(2) => {
            any(root, at / 2, is_scalar)?.decor.lead.push_str(&comment(format, number))
        }
        Edit::CommentOn if format != Format::Json => {
            any(root, at, is_scalar)?.decor.trail = format!(" # c{}", number % 1_000)
        }
        Edit::CommentOn => any(root, at, is_scalar)?.decor.after_comma = format!(" // c{}", number % 1_000),
        Edit::CommentBlock => {
            let container = any(root, at, is_container)?;
            let index = at / 3 % (container.children.len() + 1);
            let text = match format {
                Format::Json => format!("\n\0// block {}\n", number % 1_000),
                _ => format!("# block {}\n", number % 1_000),
            };
            if let Some(next) = container.children.get_mut(index) {
                next.decor.lead.insert(0, '\n');
            }
            container.children.insert(index, Node::new(Path::ROOT, "", Content::Trivia(text), Decor::default()));
        }
        Edit::Spacing => {
            let separators = match format {
                Format::Json | Format::Yaml => [": ", ":", " : "],
                Format::Blocks => [" ", "  ", "\t"],
                _ => [" = ", "=", "  =  "],
            };
            let separator = separators[at % 3];
            any(root, at, |node| is_scalar(node) && !node.label.is_empty())?.decor.separator = separator.into();
        }
        Edit::Reindent => {
            let indent = ["", "  ", "    ", "\t"][at / 3 % 4];
            any(root, at, |node| is_container(node) && !node.children.is_empty())?.decor.indent = indent.into();
        }
        Edit::ScalarToTable if format != Format::Toml => {
            let node = any(root, at, is_scalar)?;
            let list = at.is_multiple_of(3);
            node.content = Content::Container(if list { Shape::List } else { Shape::Table });
            let label = if list { String::new() } else { quoted(format, &name) };
            let mut child = scalar(format, &label, number);
            if list && format == Format::Json {
                child.decor.separator.clear();
            }
            child.decor.lead.clear();
            node.children.push(child);
        }
        Edit::ScalarToTable if format == Format::Toml => {
            let node = any(root, at, |node| is_scalar(node) && !node.label.is_empty())?;
            node.label.push_str(&format!(".{name}"));
            node.content = Content::Scalar(number.to_string());
        }
        Edit::TableToScalar if format != Format::Toml => {
            let node = any(root, at, |node| is_container(node) && !node.path.is_root())?;
            node.children.clear();
            node.content = Content::Scalar(number.to_string());
        }
        Edit::TableToScalar => {
            let headers = root.children.iter().position(is_container)?;
            let header = root.children.remove(headers + at % (root.children.len() - headers));
            root.children.insert(0, scalar(format, header.label.trim(), number));
        }
        _ => return None,
    }
    Some(())
}

fn is_lines(format: Format) -> bool {
    matches!(format, Format::Env | Format::Ini | Format::Blocks)
}

/// What files of lines have in their own way: keys that stand several times, sections, blocks.
fn edit_lines_tree(tree: &mut Tree, edit: Edit, at: usize, number: u64, name: &str) -> Option<()> {
    let format = tree.format;
    let root = &mut tree.root;
    match edit {
        Edit::AddKey => {
            let container = any(root, at, is_container)?;
            let mut new = scalar(format, name, number);
            // HAProxy's lines have no semicolon.
            if let Some(sibling) = container.children.iter().find(|child| is_scalar(child) && child.decor.trail == "\n")
            {
                new.decor = Decor { lead: new.decor.lead, ..sibling.decor.clone() };
            }
            let index = at / 3 % (container.children.len() + 1);
            container.children.insert(index, new);
        }
        // The same key once more.
        Edit::AddItem | Edit::AddDottedKey => {
            let container = any(root, at, |node| node.children.iter().any(is_scalar))?;
            let scalars: Vec<usize> =
                (0..container.children.len()).filter(|&index| is_scalar(&container.children[index])).collect();
            let index = scalars[at / 3 % scalars.len()];
            let mut new = container.children[index].clone();
            new.content = Content::Scalar(number.to_string());
            container.children.insert(index + at % 2, new);
        }
        Edit::AddSection => {
            let text = String::from_utf8(codec::print(tree)).ok()?;
            let haproxy = tree.root.children.iter().any(|child| is_container(child) && child.decor.close.is_empty());
            let section = match format {
                Format::Blocks if haproxy => format!("backend {name}\n  k{} {number}\n", number % 3),
                Format::Blocks => format!("{} {{\n  k{} {number};\n}}\n", ["server", name][at % 2], number % 3),
                Format::Ini => format!("[{name}]\nk{} = {number}\n", number % 3),
                _ => return None,
            };
            *tree = codec::parse(format, format!("{text}\n{section}").as_bytes()).ok()?;
        }
        Edit::CommentOn if at % 2 == 1 && format == Format::Env => {
            any(root, at, is_scalar)?.decor.trail = format!(" # c{}", number % 1_000);
        }
        Edit::CommentOn if at % 2 == 1 && format == Format::Blocks => {
            let trail = &mut any(root, at, is_scalar)?.decor.trail;
            *trail = format!("{} # c{}\n", trail.trim_end(), number % 1_000);
        }
        Edit::ScalarToTable if format == Format::Blocks => {
            let node = any(root, at, is_scalar)?;
            node.content = Content::Container(Shape::Table);
            node.decor = Decor {
                lead: node.decor.lead.clone(),
                separator: " {\n".into(),
                close: "\0}\n".into(),
                ..Decor::default()
            };
            node.children.push(scalar(format, name, number));
        }
        Edit::TableToScalar if format == Format::Blocks => {
            let node = any(root, at, |node| is_container(node) && !node.path.is_root())?;
            *node = Node {
                decor: Decor { trail: ";\n".into(), separator: " ".into(), ..node.decor.clone() },
                ..node.clone()
            };
            node.children.clear();
            node.content = Content::Scalar(number.to_string());
        }
        _ => return None,
    }
    Some(())
}
