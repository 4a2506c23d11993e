//! The smallest histories of what random ones found.

use murmurate_crdt::conflict::{Kind, Subject};
use murmurate_crdt::document::Document;
use murmurate_crdt::id::DocumentId;

use crate::replica::{Replica, exchange, replicas};

/// One replica saves a text over another: it must stand there as saved.
fn saved_over(name: &str, before: &str, after: &str) {
    let mut all = replicas(2, name, before);
    all[0].save(after.as_bytes()).unwrap();
    assert_eq!(all[0].text(), after);
    exchange(&mut all);
    assert_eq!(all[1].text(), after);
    assert!(all[1].conflicts().is_empty());
}

#[test]
fn a_header_goes_while_its_tables_stay() {
    saved_over("f/a.toml", "[ui]\n\n[ui.movement]\nedit = 1\n", "[ui.movement]\nedit = 1\n");
    saved_over("f/a.toml", "[ui]\nx = 1\n\n[ui.movement]\nedit = 1\n", "[ui.movement]\nedit = 1\n");
}

#[test]
fn a_value_becomes_a_list_with_the_spacing_it_was_saved_with() {
    saved_over("f/a.json", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "{\n  \"a\": [7],\n  \"b\": 2\n}\n");
}

#[test]
fn a_file_that_outlived_its_deletion_can_be_deleted_again() {
    let mut all = replicas(2, "f/a.toml", "a = 1\n");
    all[0].remove_file();
    all[1].edit("1", "2");
    exchange(&mut all);
    assert_eq!(all[0].text(), "a = 2\n");
    all[0].remove_file();
    exchange(&mut all);
    assert!(all[1].document.render().file().is_none());
    assert!(all[1].conflicts().is_empty());
}

#[test]
fn an_edit_of_a_content_that_was_replaced_meanwhile_is_a_conflict_of_the_whole_file() {
    for take in [0, 1] {
        let mut all = replicas(2, "f/motd", "one\ntwo\n");
        all[0].remove_file();
        all[0].save(b"new\n").unwrap();
        all[1].edit("two", "zwei");
        exchange(&mut all);
        assert_eq!(all[0].text(), "new\n");
        let conflicts = all[1].conflicts();
        assert_eq!((conflicts.len(), conflicts[0].subject, conflicts[0].kind), (1, Subject::File, Kind::Concurrent));
        let texts: Vec<_> = conflicts[0].values.iter().map(|value| value.text.clone().unwrap()).collect();
        assert_eq!(texts, ["new\n", "one\nzwei\n"]);
        all[1].resolve(take);
        exchange(&mut all);
        assert_eq!(all[0].text(), texts[take]);
        assert!(all[0].conflicts().is_empty());
    }
}

#[test]
fn what_hid_a_value_goes_and_the_value_does_not_come_back() {
    let mut all = replicas(2, "f/a.toml", "x = 1\n");
    all[0].save(b"x = 1\na = 5\n").unwrap();
    all[1].save(b"x = 1\n\n[a]\nb = 2\n").unwrap();
    exchange(&mut all);
    all[0].save(b"x = 1\n").unwrap();
    assert_eq!(all[0].text(), "x = 1\n");
    exchange(&mut all);
    assert!(all[1].conflicts().is_empty());
}

#[test]
fn one_value_that_two_wrote_over_a_table_stays_visible() {
    let mut all = replicas(3, "f/a.json", "{\"a\": {\"b\": 1}}\n");
    all[0].save(b"{\"a\": 5}\n").unwrap();
    all[1].save(b"{\"a\": 5}\n").unwrap();
    all[2].save(b"{\"a\": {\"b\": 1, \"c\": 2}}\n").unwrap();
    exchange(&mut all);
    let five = Some("5".to_string());
    let conflicts = all[0].conflicts();
    assert!(conflicts.iter().flat_map(|conflict| &conflict.values).any(|value| value.text == five), "{conflicts:#?}");
}

#[test]
fn line_ends_that_one_host_mixed_and_another_changed_stay_line_ends() {
    let mut all = replicas(2, "f/a.toml", "a = 1\nb = 2\n");
    all[0].save(b"a = 1\r\nb = 2\r\n").unwrap();
    all[1].save(b"a = 1\r\nb = 2\nc = 3\n").unwrap();
    exchange(&mut all);
    assert!(!all[0].text().contains("\r\r"), "{:?}", all[0].text());
    assert!(toml::from_str::<toml::Table>(&all[0].text()).is_ok());
}

/// What is indented by itself goes on with what comes to stand above it: the section that stood between can't go.
#[test]
fn a_choice_with_which_the_file_would_not_be_valid_is_refused() {
    let mut all = replicas(3, "f/.gitconfig", "a = 1\n[b]\n\tc = 2\n\t[d]\ne = 3\n");
    all[0].save(b"a = 1\n").unwrap();
    all[1].edit("\tc = 2\n", "\tc = 2\n\tn = 4\n");
    all[2].edit("e = 3", "e = 9");
    exchange(&mut all);
    let shown = all[0].text();
    assert_eq!(shown, "a = 1\n[b]\n\tn = 4\n\t[d]\ne = 9\n");
    let taken: Vec<bool> = (0..2).map(|value| all[0].resolve_at(0, 1 - value)).collect();
    assert_eq!(taken, [false, true], "{shown}");
    exchange(&mut all);
    assert_eq!((all[1].text(), all[1].conflicts().len()), (shown, 1));
}

/// Rule 14: the genesis isn't counted, and two hosts' are one.
#[test]
fn two_new_documents_are_the_same_and_empty() {
    let [one, other] = [1, 2].map(|_| Document::new(DocumentId::new("f/a.toml").unwrap()));
    assert!(one.version().is_empty() && one.heads().is_empty() && one.history().is_empty());
    assert_eq!(one.save().unwrap(), other.save().unwrap());
    let mut first = Replica::new(0, "f/a.toml");
    first.save(b"a = 1\n").unwrap();
    assert!(first.written[0].dependencies.is_empty());
}
