//! A test for each of the merge's rules that the formats so far touch.

use murmurate_crdt::conflict::{Kind, Subject};
use murmurate_crdt::edit::EditError;
use murmurate_crdt::limits;
use murmurate_crdt::tree::Format;
use murmurate_crdt::value::Value;

use crate::replica::{Replica, exchange, replicas};

const APP: &str = "# the app\nname = \"a\" # here\nport = 8080\n\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n";

/// Two replicas edit one text apart, then exchange.
fn apart(name: &str, text: &str, one: impl Fn(&mut Replica), other: impl Fn(&mut Replica)) -> Vec<Replica> {
    let mut all = replicas(3, name, text);
    one(&mut all[0]);
    other(&mut all[1]);
    exchange(&mut all);
    all
}

fn texts(replica: &Replica) -> Vec<Vec<Option<String>>> {
    replica
        .conflicts()
        .iter()
        .map(|conflict| conflict.values.iter().map(|value| value.text.clone()).collect())
        .collect()
}

#[test]
fn disjoint_edits_are_both_there_and_nothing_else_changes() {
    let all = apart("f/app.toml", APP, |a| a.edit("8080", "9090"), |b| b.edit("k.pem", "l.pem"));
    assert_eq!(all[2].text(), APP.replace("8080", "9090").replace("k.pem", "l.pem"));
    assert!(all[2].conflicts().is_empty());
}

#[test]
fn one_key_edited_twice_has_one_winner_and_keeps_the_loser_until_resolved() {
    let mut all = apart("f/app.toml", APP, |a| a.edit("8080", "9090"), |b| b.edit("8080", "8181"));
    let conflicts = all[2].conflicts();
    assert_eq!((conflicts.len(), conflicts[0].subject, conflicts[0].kind), (1, Subject::Value, Kind::Concurrent));
    let mut values = texts(&all[2]).remove(0);
    values.sort();
    assert_eq!(values, [Some("8181".into()), Some("9090".into())]);
    assert!(conflicts[0].values.iter().all(|value| value.dot.sequence > 0));
    all[2].resolve(1);
    exchange(&mut all);
    assert!(all.iter().all(|replica| replica.conflicts().is_empty()));
}

#[test]
fn a_put_or_an_edit_of_the_key_ends_a_conflict() {
    for by_put in [true, false] {
        let mut all = apart("f/app.toml", APP, |a| a.edit("8080", "9090"), |b| b.edit("8080", "8181"));
        if by_put {
            // Even of the value that is shown.
            let shown = all[0].conflicts()[0].values[0].text.clone().unwrap();
            all[0].put("port", &shown).unwrap();
        } else {
            let shown = all[0].conflicts()[0].values[0].text.clone().unwrap();
            all[0].edit(&shown, "7070");
        }
        exchange(&mut all);
        assert!(all[1].conflicts().is_empty(), "put: {by_put}");
    }
}

#[test]
fn an_edit_made_after_seeing_another_supersedes_it() {
    let mut all = replicas(2, "f/app.toml", APP);
    all[0].edit("8080", "9090");
    exchange(&mut all);
    all[1].edit("9090", "8181");
    exchange(&mut all);
    assert_eq!(all[0].text(), APP.replace("8080", "8181"));
    assert!(all[0].conflicts().is_empty());
}

#[test]
fn rule_1_placement_is_one_register() {
    let all = apart(
        "f/app.toml",
        "x = 1\n",
        |a| a.save(b"x = 1\na.b = 1\n").unwrap(),
        |b| b.save(b"x = 1\n[a]\nc = 2\n").unwrap(),
    );
    assert_eq!(all[0].text(), "x = 1\n[a]\nc = 2\nb = 1\n");
}

#[test]
fn rule_2_a_new_root_key_stays_before_the_first_header() {
    let all = apart(
        "f/app.toml",
        "[tls]\ncert = 1\n",
        |a| a.put("port", "8080").unwrap(),
        |b| b.save(b"[early]\nx = 1\n\n[tls]\ncert = 1\n").unwrap(),
    );
    let text = all[0].text();
    assert!(text.starts_with("port = 8080\n"), "{text}");
}

#[test]
fn rule_3_concurrent_blocks_do_not_interleave() {
    let all = apart(
        "f/app.toml",
        "a = 0\nz = 0\n",
        |a| a.save(b"a = 0\nb1 = 1\nb2 = 1\nb3 = 1\nz = 0\n").unwrap(),
        |b| b.save(b"a = 0\nc1 = 1\nc2 = 1\nc3 = 1\nz = 0\n").unwrap(),
    );
    let text = all[0].text();
    assert!(text.contains("b1 = 1\nb2 = 1\nb3 = 1\n") && text.contains("c1 = 1\nc2 = 1\nc3 = 1\n"), "{text}");
}

#[test]
fn rule_4_commas_and_the_final_newline_are_derived() {
    let text = "{\n  \"a\": 1,\n  \"b\": 2\n}";
    let all = apart(
        "f/app.json",
        text,
        |a| a.save(b"{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}").unwrap(),
        |b| b.save(b"{\n  \"a\": 1\n}\n").unwrap(),
    );
    assert_eq!(all[0].text(), "{\n  \"a\": 1,\n  \"c\": 3\n}\n");
}

#[test]
fn rule_5_the_same_key_twice_in_json_is_kept_as_text() {
    let all = replicas(2, "f/app.json", "{\"a\": 1, \"a\": 2}\n");
    assert_eq!(all[1].document.render().file().unwrap().format(), Format::Text);
}

/// A list against a table: one shape is shown, and each item or key of the other is a conflict, which can be decided for
/// either.
#[test]
fn rule_6_a_hidden_shape_can_be_dropped_or_taken() {
    let one = ("{\"a\": [7, 8]}\n", "{\"a\": {\"x\": 1}}\n");
    for (list, table) in [one, ("{\"a\": [[7], {\"y\": 8}]}\n", "{\"a\": {\"x\": {\"z\": [1]}}}\n")] {
        for take in [0, 1] {
            let edit = |text: &'static str| move |replica: &mut Replica| replica.save(text.as_bytes()).unwrap();
            let mut all = apart("f/app.json", "{\"a\": 1}\n", edit(list), edit(table));
            let shown = all[0].text();
            assert!(shown == list || shown == table, "{shown}");
            let open = all[0].conflicts();
            assert!(open.iter().all(|conflict| conflict.kind == Kind::Shape) && !open.is_empty(), "{open:#?}");
            for _ in 0..open.len() {
                let at = all[0].conflicts().iter().position(|conflict| conflict.path.0.len() > 1);
                let Some(at) = at else { break };
                assert!(all[0].resolve_at(at, take));
            }
            while !all[0].conflicts().is_empty() {
                all[0].resolve(0);
            }
            exchange(&mut all);
            let other = if shown == list { table } else { list };
            assert_eq!(all[1].text(), if take == 0 { &shown } else { other });
        }
    }
}

#[test]
fn a_deleted_file_that_someone_edited_can_be_deleted_for_good() {
    for take in [0, 1] {
        let mut all = apart("f/app.toml", "x = 1\n", |a| a.edit("x = 1", "x = 2"), Replica::remove_file);
        assert_eq!((all[0].conflicts()[0].kind, all[0].text()), (Kind::Deleted, "x = 2\n".into()));
        all[0].resolve(take);
        exchange(&mut all);
        assert_eq!((all[1].conflicts(), all[1].text().as_str()), (vec![], ["x = 2\n", ""][take]));
    }
}

/// Somebody turns a value into a table; nobody else has touched it.
#[test]
fn rule_6_one_person_changes_a_shape_without_a_conflict() {
    let all = apart("f/app.toml", "x = 1\ny = 2\n", |a| a.edit("x = 1", "x.z = 1"), |b| b.edit("y = 2", "y = 3"));
    assert_eq!((all[0].text().as_str(), all[0].conflicts()), ("x.z = 1\ny = 3\n", vec![]));
}

#[test]
fn flags_of_the_file_that_change_apart_all_change() {
    let text = "a = 1\nb = 2\n";
    let all = apart(
        "f/app.toml",
        text,
        |a| a.save("\u{feff}a = 1\nb = 2\n".as_bytes()).unwrap(),
        |b| b.save(b"a = 1\nb = 2").unwrap(),
    );
    assert_eq!((all[0].text().as_str(), all[0].conflicts()), ("\u{feff}a = 1\nb = 2", vec![]));
    let all =
        apart("f/app.toml", text, |a| a.save(b"a = 1\r\nb = 2\r\n").unwrap(), |b| b.save(b"a = 1\nb = 2").unwrap());
    assert_eq!((all[0].text().as_str(), all[0].conflicts()), ("a = 1\r\nb = 2", vec![]));
}

/// A comment keeps no table alive, but whoever wrote it is not passed over.
#[test]
fn a_comment_in_a_deleted_table_is_a_conflict() {
    let files = [
        ("f/app.toml", "a = 1\n\n[t]\nb = 1\n", "a = 1\n", "a = 1\n\n[t]\n# why\n\nb = 1\n", "a = 1\n\n[t]\n# why\n"),
        (
            "f/app.json",
            "{\n  \"a\": 1,\n  \"t\": {\n    \"b\": 1\n  }\n}\n",
            "{\n  \"a\": 1\n}\n",
            "{\n  \"a\": 1,\n  \"t\": {\n    // why\n\n    \"b\": 1\n  }\n}\n",
            "{\n  \"a\": 1,\n  \"t\": {\n    // why\n\n  }\n}\n",
        ),
    ];
    for (name, base, without, commented, restored) in files {
        for take in [0, 1] {
            let edit = |text: &'static str| move |replica: &mut Replica| replica.save(text.as_bytes()).unwrap();
            let mut all = apart(name, base, edit(without), edit(commented));
            assert_eq!(all[0].text(), without);
            let conflict = all[0].conflicts().remove(0);
            assert_eq!((conflict.subject, conflict.kind), (Subject::Comment, Kind::Deleted));
            all[0].resolve(take);
            exchange(&mut all);
            assert_eq!((all[1].text().as_str(), all[1].conflicts()), ([without, restored][take], vec![]));
        }
    }
}

#[test]
fn rule_6_a_value_against_a_table_shows_the_table_and_keeps_the_value() {
    let mut all = apart(
        "f/app.toml",
        "x = 1\n",
        |a| a.save(b"x = 1\na = 5\n").unwrap(),
        |b| b.save(b"x = 1\n\n[a]\nb = 2\n").unwrap(),
    );
    assert_eq!(all[0].text(), "x = 1\n\n[a]\nb = 2\n");
    assert!(texts(&all[0]).concat().contains(&Some("5".into())), "{:?}", texts(&all[0]));
    all[0].resolve(0);
    exchange(&mut all);
    assert!(all[1].conflicts().is_empty(), "{:?}", all[1].conflicts());
    assert_eq!(all[1].text(), "x = 1\n\n[a]\nb = 2\n");
}

#[test]
fn rule_6_an_array_of_tables_against_a_table() {
    let all = apart(
        "f/app.toml",
        "x = 1\n",
        |a| a.save(b"x = 1\n\n[[a]]\nb = 1\n").unwrap(),
        |b| b.save(b"x = 1\n\n[a]\nb = 2\n").unwrap(),
    );
    let text = all[0].text();
    let shown = [text.contains("b = 1"), text.contains("b = 2")];
    assert_ne!(shown[0], shown[1], "{text}");
    let lost = if shown[0] { "2" } else { "1" };
    assert!(texts(&all[0]).concat().contains(&Some(lost.into())), "{:?}", texts(&all[0]));
}

#[test]
fn rule_7_items_with_one_name_merge_and_keep_their_id_when_it_changes() {
    let base = "[[s]]\nname = \"a\"\nport = 1\n\n[[s]]\nname = \"b\"\nport = 2\n";
    let all = apart("f/app.toml", base, |a| a.edit("\"a\"", "\"renamed\""), |b| b.edit("port = 1", "port = 9"));
    assert_eq!(all[0].text(), base.replace("\"a\"", "\"renamed\"").replace("port = 1", "port = 9"));
    let both = apart(
        "f/app.toml",
        base,
        |a| a.save(format!("{base}\n[[s]]\nname = \"c\"\nport = 3\n").as_bytes()).unwrap(),
        |b| b.save(format!("{base}\n[[s]]\nname = \"c\"\nport = 4\n").as_bytes()).unwrap(),
    );
    assert_eq!(both[0].text().matches("\"c\"").count(), 1, "{}", both[0].text());
    assert_eq!(both[0].conflicts().len(), 1);
}

#[test]
fn rule_8_a_move_against_an_edit_keeps_both() {
    let base = "[\n  \"a\",\n  {\"name\": \"x\", \"v\": 1},\n  \"b\"\n]\n";
    let all = apart(
        "f/app.json",
        base,
        |a| a.save(b"[\n  {\"name\": \"x\", \"v\": 1},\n  \"a\",\n  \"b\"\n]\n").unwrap(),
        |b| b.edit("\"v\": 1", "\"v\": 2"),
    );
    assert_eq!(all[0].text(), "[\n  {\"name\": \"x\", \"v\": 2},\n  \"a\",\n  \"b\"\n]\n");
}

#[test]
fn rule_8_a_comment_above_a_key_goes_with_it_and_a_detached_one_stays() {
    let base = "# detached\n\n# about a\na = 1\nb = 2\n";
    let mut all = replicas(2, "f/app.toml", base);
    all[0].delete("a");
    exchange(&mut all);
    assert_eq!(all[1].text(), "# detached\nb = 2\n");
}

#[test]
fn rule_9_a_renamed_section_comes_back_for_a_concurrent_edit_of_it() {
    let base = "[old]\na = 1\nb = 2\n";
    let all = apart("f/app.toml", base, |a| a.edit("[old]", "[new]"), |b| b.edit("a = 1", "a = 9"));
    let text = all[0].text();
    assert!(text.contains("[new]\na = 1\nb = 2\n") && text.contains("[old]\na = 9\n"), "{text}");
    assert_eq!(all[0].conflicts().iter().filter(|conflict| conflict.kind == Kind::Deleted).count(), 1);
}

#[test]
fn rule_11_edit_beats_delete_flagged_and_a_table_lives_with_its_keys() {
    let edited = apart("f/app.toml", APP, |a| a.delete("port"), |b| b.edit("8080", "9090"));
    assert_eq!(edited[0].text(), APP.replace("8080", "9090"));
    assert_eq!(edited[0].conflicts()[0].kind, Kind::Deleted);
    let added = apart("f/app.toml", APP, |a| a.delete("tls"), |b| b.put("tls.ciphers", "3").unwrap());
    assert!(added[0].text().ends_with("\n[tls]\nciphers = 3\n"), "{}", added[0].text());
    assert_eq!(added[0].conflicts().len(), 1, "{:?}", added[0].conflicts());
}

#[test]
fn rule_11_a_table_that_lost_its_header_gets_none_back_by_a_later_child() {
    let mut all = replicas(2, "f/app.toml", "[a]\nx = 1\n");
    all[0].save(b"y = 1\n").unwrap();
    exchange(&mut all);
    all[1].save(b"y = 1\n[a.b]\nz = 1\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[0].text(), "y = 1\n[a.b]\nz = 1\n");
    assert!(all[0].conflicts().is_empty());
}

#[test]
fn rule_11_an_empty_file_is_not_a_deleted_one() {
    let mut all = replicas(2, "f/app.toml", APP);
    all[0].save(b"").unwrap();
    exchange(&mut all);
    assert!(all[1].document.render().file().is_some_and(|file| file.bytes.is_empty()));
    all[1].remove_file();
    exchange(&mut all);
    assert!(all[0].document.render().file().is_none());
}

#[test]
fn rule_12_two_texts_created_apart_are_a_whole_file_conflict() {
    let mut all: Vec<Replica> = (0..2).map(|number| Replica::new(number, "f/motd")).collect();
    all[0].save(b"one\nsame\n").unwrap();
    all[1].save(b"two\nsame\n").unwrap();
    exchange(&mut all);
    let text = all[0].text();
    assert!(["one\nsame\n", "two\nsame\n"].contains(&text.as_str()), "{text}");
    let conflicts = all[0].conflicts();
    assert_eq!((conflicts.len(), conflicts[0].subject), (1, Subject::File));
    all[0].resolve(1);
    exchange(&mut all);
    assert_ne!(all[1].text(), text);
    assert!(all[1].conflicts().is_empty());
}

/// What loses is told by its hash, and nothing of it is lost.
#[test]
fn rule_12_two_binary_contents_are_told_apart_by_their_hashes() {
    use sha2::{Digest, Sha256};
    let contents = [b"\0one\xff".to_vec(), b"\0two\xff".to_vec()];
    for take in 0..2 {
        let mut all = replicas(2, "f/a.bin", "");
        all[0].save(b"\0").unwrap();
        exchange(&mut all);
        for (replica, content) in all.iter_mut().zip(&contents) {
            replica.save(content).unwrap();
        }
        exchange(&mut all);
        let open = all[0].conflicts();
        assert_eq!((open.len(), open[0].subject), (1, Subject::File));
        let text = |content: &[u8]| {
            let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{} bytes, SHA-256 {hash}", content.len()))
        };
        let shown = all[0].document.render().file().unwrap().bytes.clone();
        let other = contents.iter().find(|content| **content != shown).unwrap();
        assert_eq!(texts(&all[0]), [[text(&shown), text(other)]]);
        all[0].resolve(take);
        exchange(&mut all);
        assert_eq!(all[1].document.render().file().unwrap().bytes, [&shown, other][take].clone());
        assert_eq!(all[1].conflicts(), vec![]);
    }
    let mut created: Vec<Replica> = (0..2).map(|number| Replica::new(number, "f/a.bin")).collect();
    created.iter_mut().zip(&contents).for_each(|(replica, content)| replica.save(content).unwrap());
    exchange(&mut created);
    assert!(texts(&created[0]).concat().iter().flatten().all(|text| text.starts_with("5 bytes, SHA-256 ")));
    created[0].resolve(1);
    exchange(&mut created);
    assert_eq!(created[1].conflicts(), vec![]);
}

/// Past the limits of what is merged a file is one value, like a binary one: edits of two places in it are a conflict.
#[test]
fn rule_12_a_file_of_too_many_keys_or_lines_or_bytes_is_one_value() {
    let lines = |count: usize, comment: &str| {
        (0..count).map(|number| format!("key_{number} = 0 # {comment}\n")).collect::<String>()
    };
    let long = "x".repeat(limits::MERGED_FILE_BYTES / 9_500);
    let rows = [
        ("f/a.toml", lines(limits::KEYS_PER_FILE + 1, "")),
        ("f/motd", lines(2 * limits::KEYS_PER_FILE, "")),
        ("f/a.toml", lines(9_500, &long)),
    ];
    for (name, text) in rows {
        let mut all = replicas(2, name, &text);
        assert_eq!(all[1].document.render().file().unwrap().format(), Format::Binary, "{name}");
        all[0].edit("key_1 = 0", "key_1 = 1");
        all[1].edit("key_9000 = 0", "key_9000 = 1");
        exchange(&mut all);
        let open = all[0].conflicts();
        assert_eq!((open.len(), open[0].subject, open[0].kind), (1, Subject::File, Kind::Concurrent), "{name}");
        let size = format!("{} bytes, SHA-256 ", text.len());
        let told = texts(&all[0]).concat();
        assert!(told.len() == 2 && told.iter().flatten().all(|text| text.starts_with(&size)), "{told:?}");
        let shown = all[0].text();
        all[0].resolve(1);
        exchange(&mut all);
        assert_eq!((all[1].text() != shown, all[1].conflicts()), (true, vec![]), "{name}");
        // With fewer keys it is merged by them again.
        all[1].save(b"key_1 = 0\n").unwrap();
        assert_ne!(all[1].document.render().file().unwrap().format(), Format::Binary, "{name}");
    }
}

#[test]
fn rule_12_two_structured_files_created_apart_merge_key_by_key() {
    let mut all: Vec<Replica> = (0..2).map(|number| Replica::new(number, "f/app.toml")).collect();
    all[0].save(b"a = 1\nsame = 0\n").unwrap();
    all[1].save(b"b = 2\nsame = 0\n").unwrap();
    exchange(&mut all);
    let text = all[0].text();
    assert!(["a = 1", "b = 2", "same = 0"].iter().all(|key| text.matches(key).count() == 1), "{text}");
    assert!(all[0].conflicts().is_empty(), "{:?}", all[0].conflicts());
}

#[test]
fn rule_12_a_mode_switch_is_a_new_content() {
    let mut all = replicas(2, "f/app.json", "{\"a\": 1}\n");
    all[0].save(b"{\"a\": 1, \"a\": 2}\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[1].text(), "{\"a\": 1, \"a\": 2}\n");
    all[1].save(b"{\"a\": 3}\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[0].document.render().file().unwrap().format(), Format::Json);
    assert_eq!(all[0].text(), "{\"a\": 3}\n");
}

#[test]
fn rule_13_what_can_not_be_written_together_is_a_conflict() {
    // Alone each is valid; together `a.b` would be a table twice.
    let all = apart(
        "f/app.toml",
        "x = 1\n",
        |a| a.save(b"x = 1\n[a.b.c]\nz = 9\n").unwrap(),
        |b| b.save(b"x = 1\n[a]\nb.c.t = 1\n").unwrap(),
    );
    let text = all[0].text();
    assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
    let everything = format!("{text}{:?}", texts(&all[0]));
    assert!(everything.contains('9') && everything.contains("t = 1"), "{everything}");
}

#[test]
fn rule_15_equal_values_written_apart_are_no_conflict() {
    let all = apart("f/app.toml", APP, |a| a.edit("8080", "1_000"), |b| b.edit("8080", "1000"));
    assert!(all[0].conflicts().is_empty());
    assert!(all[0].text().contains("port = 1"));
    let mut one = replicas(1, "f/app.toml", APP);
    let before = one[0].written.len();
    one[0].put("port", "8080").unwrap();
    assert_eq!(one[0].written.len(), before);
}

#[test]
fn rule_16_a_put_keeps_the_type_if_it_reads_so() {
    let mut all = replicas(1, "f/app.toml", "text = \"1\"\nnumber = 1\nflag = true\n");
    all[0].put("text", "2").unwrap();
    all[0].put("number", "2").unwrap();
    all[0].put("flag", "off").unwrap();
    all[0].put("new", "2.5").unwrap();
    all[0].put("word", "hello").unwrap();
    let expected = "text = \"2\"\nnumber = 2\nflag = \"off\"\nnew = 2.5\nword = \"hello\"\n";
    assert_eq!(all[0].text(), expected);
}

#[test]
fn rule_17_a_recreated_path_goes_on_with_its_document() {
    for (name, first, second) in [("f/app.toml", "a = 1\nb = 2\n", "b = 3\nc = 4\n"), ("f/motd", "a\nb\n", "b\nc\n")] {
        let mut all = replicas(2, name, first);
        all[0].remove_file();
        exchange(&mut all);
        assert!(all[1].document.render().file().is_none());
        all[1].save(second.as_bytes()).unwrap();
        exchange(&mut all);
        assert_eq!(all[0].text(), second);
        assert!(all[0].conflicts().is_empty());
    }
}

#[test]
fn a_deleted_file_that_was_edited_meanwhile_lives_flagged() {
    let mut all = apart("f/app.toml", APP, Replica::remove_file, |b| b.edit("8080", "9090"));
    assert_eq!(all[0].text(), APP.replace("8080", "9090"));
    let conflicts = all[0].conflicts();
    assert_eq!((conflicts[0].subject, conflicts[0].kind), (Subject::File, Kind::Deleted));
    // An edit of another key doesn't decide it.
    all[1].edit("c.pem", "d.pem");
    exchange(&mut all);
    assert_eq!(all[0].conflicts().len(), 1);
    all[0].resolve(0);
    exchange(&mut all);
    assert!(all[1].conflicts().is_empty());
    assert!(all[1].document.render().file().is_some());
}

#[test]
fn an_edit_that_does_not_parse_is_refused_with_its_place() {
    let mut all = replicas(1, "f/app.toml", APP);
    let error = all[0].save(b"port = 1\nname = \"open\nx = 2\n").unwrap_err();
    let EditError::Syntax(error) = error else { panic!("{error:?}") };
    assert_eq!(error.line, 2);
    assert_eq!(all[0].text(), APP);
}

#[test]
fn concurrent_comments_are_kept_like_values() {
    let all = apart("f/app.toml", APP, |a| a.edit("# here", "# one"), |b| b.edit("# here", "# two"));
    let conflicts = all[0].conflicts();
    assert_eq!((conflicts.len(), conflicts[0].subject), (1, Subject::Comment));
}

#[test]
fn a_line_of_text_edited_twice_is_a_conflict_and_never_both_lines() {
    let all = apart("f/motd", "one\ntwo\nthree\n", |a| a.edit("two", "zwei"), |b| b.edit("two", "deux"));
    let text = all[0].text();
    assert!(["one\nzwei\nthree\n", "one\ndeux\nthree\n"].contains(&text.as_str()), "{text}");
    assert_eq!(all[0].conflicts().len(), 1);
}

#[test]
fn equal_lines_added_apart_both_stay() {
    let base = "a {\n}\n";
    let all =
        apart("f/nginx.conf", base, |a| a.save(b"a {\n}\nb {\n}\n").unwrap(), |b| b.save(b"a {\n}\nc {\n}\n").unwrap());
    let text = all[0].text();
    assert!(text.contains("b {\n}\n") && text.contains("c {\n}\n"), "{text}");
}

#[test]
fn values_keep_their_type() {
    let all = replicas(1, "f/app.json", "{\"a\": null, \"b\": [1, {\"c\": 1.5}], \"d\": \"x\"}\n");
    let rendered = all[0].document.render();
    let meaning = rendered.file().unwrap().meaning().unwrap();
    let Value::Table(table) = meaning else { panic!("{meaning:?}") };
    assert_eq!(table["a"], Value::Null);
    assert_eq!(table["d"], Value::String("x".into()));
    assert!(matches!(&table["b"], Value::List(items) if items[0] == Value::Integer(1)));
}

#[test]
fn a_snapshot_is_the_document() {
    let mut all = apart("f/app.toml", APP, |a| a.edit("8080", "9090"), |b| b.edit("8080", "8181"));
    let loaded =
        murmurate_crdt::document::Document::load(all[0].document.id().clone(), &all[0].document.save().unwrap())
            .unwrap();
    assert_eq!(loaded.version(), all[0].document.version());
    assert_eq!(loaded.render(), all[0].document.render());
    all[0].document = loaded;
    assert_eq!(all[0].conflicts(), all[1].conflicts());
    all[0].resolve(0);
    exchange(&mut all);
}
