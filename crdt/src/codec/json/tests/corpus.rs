use super::*;
use crate::codec::corpus::{files, variants};
use crate::codec::read;

#[test]
fn real_json_comes_back_and_both_readers_agree() {
    let mut count = 0;
    for (name, bytes) in files("json") {
        for bytes in variants(&bytes) {
            let tree = parse(Format::Json, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(print(&tree) == bytes, "{name}");
            assert_eq!(read(Format::Json, &bytes).as_ref(), Ok(&meaning(&tree.root)), "{name}");
            count += 1;
        }
    }
    println!("{count} variants of JSON files tiled");
    assert!(count > 100);
}

/// A key put into any table of a real file, and taken out again, leaves the file as it was.
#[test]
fn a_key_put_into_real_json_and_taken_out_leaves_no_trace() {
    for (name, bytes) in files("json") {
        let before = parse(Format::Json, &bytes).unwrap();
        let mut tables = Vec::new();
        before.root.walk(&mut |node| {
            tables.extend((node.content == Content::Container(Shape::Table)).then(|| node.path.clone()))
        });
        for table in tables.iter().step_by(tables.len() / 20 + 1) {
            let mut after = before.clone();
            let key = table.key("new \" key");
            Json.insert(&mut after.root, &key, "1").unwrap();
            let mut again = parse(Format::Json, &print(&after)).unwrap();
            assert_eq!(meaning(&again.root), meaning(&after.root), "{name} {table}");
            let container = at(&mut again.root, table);
            container.children.retain(|child| child.path != key);
            if container.children.is_empty() {
                continue;
            }
            assert_eq!(printed(&again), String::from_utf8(bytes.clone()).unwrap(), "{name} {table}");
        }
    }
}
