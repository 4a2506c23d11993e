//! The engine in virtual time: one script per rule.

use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn file(content: &str) -> KnownFile {
    KnownFile { hash: ContentHash::of(content.as_bytes()), executable: false }
}

/// A state of a file that differs from all states at other times.
fn stamp(time: u64) -> Stamp {
    Stamp { inode: (1, 1), size_bytes: 1, modified_ns: time.into(), changed_ns: time.into() }
}

#[derive(Debug, Clone, Copy)]
enum Does {
    /// An event names the file.
    Hint(Hint),
    /// A listing sees the file as it was written at that time, at rest or not.
    Sees(u64, bool),
    /// The file is read now: (written at, content, what is expected).
    Reads(u64, &'static str, Decision),
    /// The same, while it changes.
    ReadsMoving(u64, Decision),
    /// The same, cut off.
    ReadsCut(u64, &'static str, Decision),
    /// Nothing is to be read.
    Nothing,
}

use Does::{Hint as Hints, Nothing, Reads, ReadsCut, ReadsMoving, Sees};

const SAVED: Decision = Decision::Saved { joining: false, is_new: false };

/// Runs a script of (time in ms, what happens) for one file that is known to hold "old", written at time 0.
fn check(script: &[(u64, Does)]) {
    let mut engine = Engine::new(BTreeMap::from([("a".to_owned(), file("old"))]));
    let sighting = |at, at_rest| Sighting { stamp: stamp(at), at_rest, joining: false, generation: 1 };
    engine.sighted(Duration::ZERO, "a", "a", sighting(0, true));
    let read = |at, content, stable, cut_off| Read {
        stamp: stamp(at),
        file: file(content),
        stable,
        cut_off,
        grown: false,
        open: false,
        old: true,
    };
    assert_eq!(engine.read(Duration::ZERO, "a", read(0, "old", true, false)), Decision::Known);
    for (index, (at, does)) in script.iter().enumerate() {
        let now = ms(*at);
        let due = engine.due(now, 9) == ["a"];
        let mut reads = |read, expected| {
            assert!(due, "step {index} of {script:?}");
            assert_eq!(engine.read(now, "a", read), expected, "step {index} of {script:?}");
        };
        match *does {
            Hints(hint) => assert!(engine.hint(now, "a", "a", hint, None)),
            Sees(at, at_rest) => assert!(engine.sighted(now, "a", "a", sighting(at, at_rest))),
            Reads(at, content, expected) => reads(read(at, content, true, false), expected),
            ReadsMoving(at, expected) => reads(read(at, "half", false, false), expected),
            ReadsCut(at, content, expected) => reads(read(at, content, true, true), expected),
            Nothing => assert!(!due, "step {index} of {script:?}"),
        }
    }
}

#[test]
fn a_file_is_read_when_its_writer_is_done() {
    let (done, changed, touched) = (Hints(Hint::Done), Hints(Hint::Changed), Hints(Hint::Touched));
    // Closed: at once.
    check(&[(10, done), (10, Reads(10, "new", SAVED)), (400, Nothing)]);
    // Written to, and closed.
    check(&[(10, changed), (200, done), (200, Reads(200, "new", SAVED))]);
    check(&[(10, done), (10, changed), (309, Nothing), (310, Reads(10, "new", Decision::Later)), (400, Nothing)]);
    // Maybe written to: after 300 ms of quiet.
    check(&[(10, touched), (309, Nothing), (310, Reads(10, "new", SAVED))]);
    // A change of mode doesn't delay what is planned.
    check(&[(10, done), (10, touched), (10, Reads(10, "new", SAVED))]);
    check(&[(10, touched), (309, Nothing), (310, Reads(10, "old", Decision::Known))]);
    // Found by a listing.
    check(&[(10, Sees(0, true)), (10, Nothing)]);
    check(&[(10, Sees(5, true)), (10, Reads(5, "new", SAVED))]);
    check(&[(10, Sees(5, false)), (309, Nothing), (310, Reads(5, "new", SAVED))]);
}

/// The word of the daemon's own move may come when somebody is already in the middle of writing to what it put there, or to
/// a file in its place.
#[test]
fn what_the_daemon_put_there_is_not_whole_because_it_was_moved() {
    for (inode, words, expected) in
        [(1, 1, Decision::Later), (2, 1, Decision::Later), (1, 2, Decision::Later), (2, 2, SAVED)]
    {
        let mut engine = Engine::new(BTreeMap::from([("a".to_owned(), file("old"))]));
        engine.wrote("a", "a", file("ours"), Some((1, inode)));
        (0..words).for_each(|_| assert!(engine.hint(ms(10), "a", "a", Hint::Moved, None)));
        assert_eq!(engine.due(ms(10), 9), ["a"]);
        let (cut_off, grown, open) = (false, false, false);
        let read = Read { stamp: stamp(5), file: file("half"), stable: true, cut_off, grown, open, old: false };
        assert_eq!(engine.read(ms(10), "a", read), expected, "{inode} {words}");
        if expected == SAVED {
            continue;
        }
        assert_eq!((engine.due(ms(309), 9), engine.due(ms(310), 9)), (vec![], vec!["a".to_owned()]));
        assert!(engine.may_be_open("a"), "it is looked who has it open");
        assert_eq!(engine.read(ms(310), "a", Read { open: true, ..read }), Decision::Later);
        engine.hint(ms(900), "a", "a", Hint::Done, None);
        assert_eq!(engine.read(ms(900), "a", Read { file: file("whole"), ..read }), SAVED);
    }
}

#[test]
fn a_file_that_was_written_to_and_not_closed_is_waited_for() {
    let changed = Hints(Hint::Changed);
    let mut script = vec![(10, changed)];
    for at in (310..15_000).step_by(2000) {
        let decision = if at == 10_310 { Decision::Busy } else { Decision::Later };
        script.extend([(at - 1, Nothing), (at, Reads(10, "new", decision))]);
    }
    let closed = [(14_500, Hints(Hint::Done)), (14_500, Reads(10, "new", SAVED))];
    let never_closed = [(15_009, Nothing), (15_010, Reads(10, "new", SAVED))];
    check(&[&script[..], &closed].concat());
    check(&[&script[..], &never_closed].concat());
    // With each write it begins anew.
    check(&[
        (10, changed),
        (310, Reads(10, "half", Decision::Later)),
        (2000, changed),
        (2300, Reads(2000, "more", Decision::Later)),
        (4300, Reads(2000, "more", Decision::Later)),
        (4300, Hints(Hint::Done)),
        (4300, Reads(2000, "more", SAVED)),
    ]);
}

#[test]
fn a_file_that_is_seen_to_be_open_is_waited_for_without_end_unless_it_only_grew() {
    let mut engine = Engine::new(BTreeMap::from([("a".to_owned(), file("old"))]));
    let read =
        Read { stamp: stamp(1), file: file("new"), stable: true, cut_off: false, grown: false, open: true, old: true };
    engine.hint(ms(0), "a", "a", Hint::Touched, None);
    for round in 0..100 {
        let now = ms(300 + 2000 * round);
        assert_eq!(engine.due(now, 9), ["a"], "{round}");
        let decision = if round == 5 { Decision::Busy } else { Decision::Later };
        assert_eq!(engine.read(now, "a", read), decision, "{round}");
    }
    assert_eq!(engine.read(ms(300_000), "a", Read { grown: true, ..read }), SAVED);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    check(&[
        (10, Hints(Hint::Done)),
        (10, ReadsMoving(10, Decision::Later)),
        (309, Nothing),
        (310, Reads(10, "new", SAVED)),
    ]);
    // Stable over the read isn't quiet since the last look.
    check(&[
        (10, Sees(5, false)),
        (310, Reads(300, "half", Decision::Later)),
        (609, Nothing),
        (610, Reads(300, "new", SAVED)),
    ]);
}

#[test]
fn a_file_that_never_rests_is_named_once() {
    let mut script = vec![(0, Hints(Hint::Changed))];
    for at in (300..=12_000).step_by(300) {
        let decision = if at == 10_200 { Decision::Busy } else { Decision::Later };
        script.push((at, ReadsMoving(at, decision)));
    }
    check(&script);
}

#[test]
fn content_that_looks_cut_off_is_held_for_two_seconds() {
    let done = Hints(Hint::Done);
    check(&[(10, done), (10, ReadsCut(10, "", Decision::Later)), (2009, Nothing), (2010, ReadsCut(10, "", SAVED))]);
    // The rest comes: no need to wait.
    check(&[(10, done), (10, ReadsCut(10, "", Decision::Later)), (500, done), (500, Reads(500, "new", SAVED))]);
    // More comes, but not all: the time starts again.
    check(&[
        (10, done),
        (10, ReadsCut(10, "", Decision::Later)),
        (1500, done),
        (1500, ReadsCut(1500, "o", Decision::Later)),
        (2010, Nothing),
        (3500, ReadsCut(1500, "o", SAVED)),
    ]);
    // A hint without a change doesn't start it again.
    check(&[
        (10, done),
        (10, ReadsCut(10, "", Decision::Later)),
        (1000, done),
        (1000, ReadsCut(10, "", Decision::Later)),
        (2010, ReadsCut(10, "", SAVED)),
    ]);
    // More came without a word of it: its writer may be in the middle of it.
    check(&[
        (10, done),
        (10, ReadsCut(10, "", Decision::Later)),
        (2010, Reads(2000, "half", Decision::Later)),
        (2309, Nothing),
        (2310, Reads(2000, "half", SAVED)),
    ]);
    // What was there comes back: nothing happened.
    check(&[
        (10, done),
        (10, ReadsCut(10, "", Decision::Later)),
        (500, done),
        (500, Reads(500, "old", Decision::Known)),
    ]);
}

#[test]
fn own_writes_are_known_by_their_hash_and_edits_by_theirs() {
    let mut engine = Engine::default();
    let read = |content: &str| Read {
        stamp: stamp(1),
        file: file(content),
        stable: true,
        cut_off: false,
        grown: false,
        open: false,
        old: true,
    };
    engine.wrote("a", "a", file("ours"), None);
    for (content, expected) in
        [("ours", Decision::Known), ("theirs", SAVED), ("theirs", Decision::Known), ("ours", SAVED)]
    {
        engine.hint(ms(1), "a", "a", Hint::Done, None);
        assert_eq!(engine.read(ms(1), "a", read(content)), expected, "{content}");
    }
    engine.hint(ms(1), "a", "a", Hint::Done, None);
    let executable = Read { file: KnownFile { executable: true, ..file("ours") }, ..read("ours") };
    assert_eq!(engine.read(ms(1), "a", executable), SAVED);
}

#[test]
fn a_fresh_stamp_is_checked_once_more() {
    let mut engine = Engine::default();
    let fresh = Read {
        stamp: stamp(1),
        file: file("new"),
        stable: true,
        cut_off: false,
        grown: false,
        open: false,
        old: false,
    };
    engine.hint(ms(0), "a", "a", Hint::Done, None);
    assert_eq!(engine.read(ms(0), "a", fresh), Decision::Saved { joining: false, is_new: true });
    assert_eq!((engine.rest("a"), engine.next_timer()), (Rest::Resting, Some(ms(2000))));
    assert_eq!(engine.due(ms(2000), 9), ["a"]);
    assert_eq!(engine.read(ms(2000), "a", Read { file: file("same tick"), ..fresh }), SAVED);
    assert_eq!(engine.next_timer(), None);
}

#[test]
fn only_files_that_were_there_at_joining_are_reported_so() {
    let mut engine = Engine::new(BTreeMap::from([("known".to_owned(), file("old"))]));
    let read =
        Read { stamp: stamp(1), file: file("new"), stable: true, cut_off: false, grown: false, open: false, old: true };
    for path in ["known", "found"] {
        let sighting = Sighting { stamp: stamp(1), at_rest: true, joining: true, generation: 1 };
        engine.sighted(ms(0), path, path, sighting);
    }
    engine.hint(ms(0), "made later", "made later", Hint::Done, None);
    for (path, joining) in [("known", false), ("found", true), ("made later", false)] {
        assert_eq!(engine.read(ms(0), path, read), Decision::Saved { joining, is_new: path != "known" }, "{path}");
    }
}

/// A folder of `known` files (named 000, 001, ...) of which the first `gone` go at time 0, in a directory that is gone
/// or not. What counts as deleted after 2 s, and what is held.
fn delete(known: usize, gone: usize, directory_gone: bool) -> (Engine, Judgement) {
    let names: Vec<String> = (0..known).map(|index| format!("{index:03}")).collect();
    let mut engine = Engine::new(names.iter().map(|name| (name.clone(), file("old"))).collect());
    for name in &names[..gone] {
        engine.absent(ms(0), name);
    }
    assert!(engine.overdue(ms(1999)).is_empty());
    let overdue = engine.overdue(ms(2000));
    assert_eq!(overdue, names[..gone]);
    for path in overdue {
        engine.still_absent(&path, directory_gone);
    }
    let judgement = engine.judge_deletes(ms(2000));
    (engine, judgement)
}

#[test]
fn few_deletes_count_and_many_are_held() {
    for (known, gone, held) in [
        (100, 1, false),
        (1, 1, false),
        (3, 3, false),
        (10, 4, true),
        (20, 6, false),
        (100, 10, false),
        (100, 11, true),
    ] {
        let (engine, judgement) = delete(known, gone, false);
        let names: Vec<String> = (0..gone).map(|index| format!("{index:03}")).collect();
        let expected = if held {
            Judgement { deleted: vec![], held: Some((names, HeldReason::Many)) }
        } else {
            Judgement { deleted: names, held: None }
        };
        assert_eq!(judgement, expected, "{gone} of {known}");
        assert_eq!(engine.len(), if held { known } else { known - gone });
    }
}

#[test]
fn a_directory_that_goes_with_its_files_is_held() {
    let (_, judgement) = delete(100, 1, true);
    assert_eq!(judgement.held, Some((vec!["000".to_owned()], HeldReason::DirectoryGone)));
}

#[test]
fn held_deletes_count_when_confirmed() {
    let (mut engine, judgement) = delete(100, 11, false);
    assert_eq!(engine.rest("000"), Rest::DeleteHeld);
    let confirmed = engine.confirm();
    assert_eq!(Some(confirmed.deleted), judgement.held.map(|(paths, _)| paths));
    assert_eq!(confirmed.held, Some((vec![], HeldReason::Many)));
    assert_eq!(engine.len(), 89);
}

#[test]
fn held_deletes_end_when_the_files_come_back() {
    let (mut engine, _) = delete(100, 11, false);
    for index in 0..11 {
        let path = format!("{index:03}");
        engine.hint(ms(3000), &path, &path, Hint::Done, None);
    }
    assert_eq!(engine.judge_deletes(ms(3000)), Judgement { deleted: vec![], held: Some((vec![], HeldReason::Many)) });
    let read =
        Read { stamp: stamp(1), file: file("old"), stable: true, cut_off: false, grown: false, open: false, old: true };
    assert_eq!(engine.read(ms(3000), "000", read), Decision::Known);
}

#[test]
fn a_file_that_is_back_within_two_seconds_was_never_away() {
    let mut engine = Engine::new(BTreeMap::from([("a".to_owned(), file("old"))]));
    engine.absent(ms(0), "a");
    assert_eq!(engine.rest("a"), Rest::Moving);
    engine.hint(ms(1000), "a", "a", Hint::Done, None);
    assert!(engine.overdue(ms(9000)).is_empty());
    assert_eq!(engine.due(ms(1000), 9), ["a"]);
}

#[test]
fn absences_start_again_after_the_root_was_away() {
    let mut engine = Engine::new(BTreeMap::from([("a".to_owned(), file("old"))]));
    engine.absent(ms(0), "a");
    engine.recovered(ms(60_000));
    assert!(engine.overdue(ms(61_999)).is_empty());
    assert_eq!(engine.overdue(ms(62_000)), ["a"]);
}

#[test]
fn a_file_that_the_core_never_knew_isnt_missed() {
    let mut engine = Engine::default();
    engine.hint(ms(0), "a", "a", Hint::Changed, None);
    engine.absent(ms(1), "a");
    assert_eq!((engine.len(), engine.next_timer()), (0, None));
}

#[test]
fn a_folder_takes_a_limited_number_of_files() {
    let known = (0..FILES_PER_FOLDER).map(|index| (index.to_string(), file("old"))).collect();
    let mut engine = Engine::new(known);
    assert!(!engine.hint(ms(0), "one more", "one more", Hint::Done, None));
    assert!(engine.hint(ms(0), "0", "0", Hint::Done, None));
}

#[test]
fn what_a_listing_missed_is_told_by_directory() {
    let names = ["a", "conf.d-x", "conf.d/a", "conf.d/sub/b"];
    let mut engine = Engine::new(names.map(|name| (name.to_owned(), file("old"))).into());
    let sighting = Sighting { stamp: stamp(1), at_rest: true, joining: false, generation: 7 };
    engine.sighted(ms(0), "conf.d/a", "conf.d/a", sighting);
    assert_eq!(engine.unseen("conf.d", false, 7), ["conf.d/sub/b"]);
    assert_eq!(engine.unseen("conf.d", false, 8), ["conf.d/a", "conf.d/sub/b"]);
    assert_eq!(engine.unseen("", true, 7), ["a", "conf.d-x"]);
    assert_eq!(engine.unseen("", false, 7), ["a", "conf.d-x", "conf.d/sub/b"]);
}
