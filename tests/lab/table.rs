//! The table in `docs/FAULTS.md`: written from the rows that stand beside the tests, and compared with them here.

use std::fmt::Write;
use std::path::Path;

/// One fault, what is promised under it, and what shows it.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) extent: Extent,
    pub(crate) tests: &'static [Test],
}

/// How much of a promise this version keeps.
pub(crate) enum Extent {
    Holds,
    /// What is missing.
    Partly(&'static str),
}

/// A test, by its file from the repository's root and its name.
pub(crate) struct Test(pub(crate) &'static str, pub(crate) &'static str);

const FILE: &str = "docs/FAULTS.md";
const COMMAND: &str = "MURMURATE_WRITE_FAULTS=1 cargo test --test lab the_table_of_faults";

const HEAD: &str = "\
# What holds when things go wrong

Each row is a fault, what is promised under it, how much of that this version keeps, and the tests that show it with real daemons,
simulation or hand-made input. This file is written from the tests:

    ";

/// In the order of the table.
fn rows() -> Vec<Row> {
    use crate::*;
    vec![
        loss::ROW,
        delay::ROW,
        elsewhere::PARTITION,
        one_way::ROW,
        mtu::ROW,
        killed::ROW,
        rolling::ROW,
        stopped::ROW,
        memory::ROW,
        disk_full::ROW,
        sync_error::ROW,
        damage::ROW,
        clock::JUMP,
        clock::FIRST_BOOT,
        copied::TWICE,
        copied::BACKUP,
        meshes::ROW,
        elsewhere::MALFORMED,
        names::ROW,
        elsewhere::HALF_SAVED,
        elsewhere::CERTIFICATES,
        elsewhere::STOLEN,
        flood::ROW,
        local::MANY,
        local::OTHER_USER,
        local::WEB_PAGE,
    ]
}

fn table() -> String {
    let mut text = format!("{HEAD}{COMMAND}\n\n| fault | promise | state | shown by |\n|---|---|---|---|\n");
    for row in rows() {
        let state = match row.extent {
            Extent::Holds => "holds".to_owned(),
            Extent::Partly(missing) => format!("**partly**: {missing}"),
        };
        let tests: Vec<String> = row.tests.iter().map(|Test(file, name)| format!("[`{name}`](../{file})")).collect();
        writeln!(text, "| {} | {} | {state} | {} |", row.fault, row.promise, tests.join("<br>")).unwrap();
    }
    text
}

#[test]
fn the_table_of_faults_is_written_from_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for Test(file, name) in rows().iter().flat_map(|row| row.tests) {
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no test `{name}`");
    }
    let (path, table) = (root.join(FILE), table());
    if std::env::var_os("MURMURATE_WRITE_FAULTS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == table, "{FILE} isn't what the tests say; this writes it: {COMMAND}");
}
