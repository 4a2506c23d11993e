//! The merge's rules in files of lines: keys that stand several times, sections, blocks.

use murmurate_crdt::conflict::Kind;
use murmurate_crdt::edit::EditError;
use murmurate_crdt::key::{Lookup, parse_key};
use murmurate_crdt::tree::Format;
use murmurate_crdt::value::Value;

use crate::replica::{Replica, exchange, replicas};

const ENV: &str = "# the app\nexport NAME=a # here\nPORT=8080\n\nPATHS='/a'\nPATHS='/b'\n";
const UNIT: &str =
    "[Unit]\nAfter=a.service\n\n[Service]\nEnvironment=A=1\nEnvironment=B=2\nExecStart=/bin/x \\\n  --y\n";
const NGINX: &str = "user www;\nhttp {\n    server {\n        listen 80;\n        location /a {\n            return 200;\n        }\n    }\n    \
                     server {\n        listen 81;\n    }\n    # end\n}\n";
const HAPROXY: &str =
    "global\n    maxconn 100\n\nfrontend web\n    bind *:80\n    bind *:81\n\nbackend app\n    server a 10.0.0.1:80\n";

fn apart(name: &str, text: &str, one: impl Fn(&mut Replica), other: impl Fn(&mut Replica)) -> Vec<Replica> {
    let all = apart_in(name, text, one, other);
    assert!(all[0].document.render().file().unwrap().format().is_structured(), "{name}");
    all
}

/// The same, whatever the format.
fn apart_in(name: &str, text: &str, one: impl Fn(&mut Replica), other: impl Fn(&mut Replica)) -> Vec<Replica> {
    let mut all = replicas(3, name, text);
    one(&mut all[0]);
    other(&mut all[1]);
    exchange(&mut all);
    all
}

/// Edits by replacing texts in the file, apart: both are there, and nothing is in conflict.
#[track_caller]
fn check_disjoint(name: &str, text: &str, one: (&str, &str), other: (&str, &str)) {
    let all = apart(name, text, |a| a.edit(one.0, one.1), |b| b.edit(other.0, other.1));
    assert_eq!(all[2].text(), text.replacen(one.0, one.1, 1).replacen(other.0, other.1, 1));
    assert_eq!(all[2].conflicts(), vec![]);
}

#[test]
fn disjoint_edits_are_both_there() {
    for (one, other) in [
        (("8080", "9090"), ("'/a'", "'/c'")),
        (("'/a'", "'/c'"), ("'/b'", "'/d'")),
        (("PATHS='/a'\n", ""), ("'/b'", "'/d'")),
        (("PORT=8080\n", "PORT=8080\nPORT=8081\n"), ("=8080", "=9090")),
        (("# here", "# there"), ("=a", "=b")),
        (("export NAME", "NAME"), ("# the app", "# an app")),
    ] {
        check_disjoint("f/.env", ENV, one, other);
    }
    for (one, other) in [
        (("A=1", "A=3"), ("B=2", "B=4")),
        (("Environment=A=1\n", ""), ("B=2", "B=4")),
        (("After=a.service\n", "After=a.service\nAfter=b.service\n"), ("a.service", "c.service")),
        (("--y", "--z"), ("[Unit]\n", "[Unit]\nBefore=x\n")),
        (("[Unit]\nAfter=a.service\n\n", ""), ("/bin/x", "/bin/z")),
    ] {
        check_disjoint("f/a.service", UNIT, one, other);
    }
    for (one, other) in [
        (("listen 80", "listen 82"), ("listen 81", "listen 83")),
        (("        listen 80;\n", "        listen 80;\n        server_name a;\n"), ("listen 81", "listen 83")),
        (("    # end\n", "    server {\n        listen 84;\n    }\n    # end\n"), ("listen 81", "listen 83")),
        (("    server {\n        listen 81;\n    }\n", ""), ("return 200", "return 404")),
        (("listen 80;", "listen 80; # c"), ("listen 80", "listen 82")),
    ] {
        check_disjoint("f/nginx.conf", NGINX, one, other);
    }
    for (one, other) in [
        (("*:80", "*:82"), ("*:81", "*:83")),
        (("maxconn 100", "maxconn 200"), ("backend app\n", "backend app\n    balance leastconn\n")),
        (("frontend web\n    bind *:80\n    bind *:81\n\n", ""), ("10.0.0.1", "10.0.0.2")),
    ] {
        check_disjoint("f/haproxy.cfg", HAPROXY, one, other);
    }
}

#[test]
fn one_value_edited_twice_is_a_conflict_with_a_winner() {
    for (name, text, from) in [
        ("f/.env", ENV, "8080"),
        ("f/a.service", UNIT, "B=2"),
        ("f/nginx.conf", NGINX, "80"),
        ("f/haproxy.cfg", HAPROXY, "*:81"),
    ] {
        let mut all = apart(name, text, |a| a.edit(from, "x1"), |b| b.edit(from, "x2"));
        let shown = all[2].text();
        assert!([text.replacen(from, "x1", 1), text.replacen(from, "x2", 1)].contains(&shown), "{shown}");
        let kinds: Vec<_> = all[2].conflicts().iter().map(|conflict| conflict.kind).collect();
        assert_eq!(kinds, [Kind::Concurrent], "{shown}");
        while !all[2].conflicts().is_empty() {
            all[2].resolve(1);
        }
        exchange(&mut all);
        assert_eq!(all[0].conflicts(), vec![]);
    }
}

/// Rule 5: whoever adds a key that others add, too, means the same key.
#[test]
fn merges_make_no_duplicates() {
    for (name, text) in [("f/.env", ENV), ("f/a.ini", "[s]\nx = 1\n"), ("f/nginx.conf", "user www;\n")] {
        let (key, from) = match name {
            "f/a.ini" => ("s.workers", "workers"),
            _ => ("workers", "workers"),
        };
        let all = apart(name, text, |a| a.put(key, "4").unwrap(), |b| b.put(key, "8").unwrap());
        assert_eq!(all[0].text().matches(from).count(), 1, "{}", all[0].text());
        assert_eq!(all[0].conflicts().len(), 1);
        let equal = apart(name, text, |a| a.put(key, "4").unwrap(), |b| b.put(key, "4").unwrap());
        assert_eq!(equal[0].conflicts(), vec![]);
    }
    let all = apart("f/a.ini", "", |a| a.put("s.a", "1").unwrap(), |b| b.put("s.b", "2").unwrap());
    assert_eq!(all[0].text().matches("[s]").count(), 1, "{}", all[0].text());
}

#[test]
fn lists_take_what_both_add() {
    let all = apart(
        "f/a.service",
        UNIT,
        |a| a.edit("Environment=B=2\n", "Environment=B=2\nEnvironment=C=3\n"),
        |b| b.edit("Environment=A=1\n", "Environment=\nEnvironment=A=1\nEnvironment=D=4\n"),
    );
    let expected = UNIT.replace(
        "Environment=A=1\nEnvironment=B=2\n",
        "Environment=\nEnvironment=A=1\nEnvironment=D=4\nEnvironment=B=2\nEnvironment=C=3\n",
    );
    assert_eq!(all[0].text(), expected);
    assert_eq!(all[0].conflicts(), vec![]);
    let all = apart(
        "f/nginx.conf",
        "http {\n}\n",
        |a| a.edit("{\n", "{\n    include a;\n"),
        |b| b.edit("{\n", "{\n    include b;\n"),
    );
    let text = all[0].text();
    assert!(text.contains("    include a;\n") && text.contains("    include b;\n"), "{text}");
}

/// Of two lines that are alike, the one is new that stands where none stood: edits of the other one go to that.
#[test]
fn a_line_copied_to_a_place_above_it_is_still_the_lower_one() {
    for (name, before, line, end) in [
        ("f/.env", "", "K=", ""),
        ("f/a.ini", "[s]\n", "k = ", ""),
        ("f/nginx.conf", "", "k ", ";"),
        ("f/motd", "", "k ", ""),
    ] {
        let of = |values: &[&str]| -> String {
            let lines = values.iter().map(|value| match *value {
                "1" | "9" => format!("{line}{value}{end}\n"),
                other => format!("{}{end}\n", line.to_lowercase().replace('k', other)),
            });
            format!("{before}{}", lines.collect::<String>())
        };
        let text = of(&["a", "b", "1", "c"]);
        let (copied, edited) = (of(&["1", "a", "b", "1", "c"]), of(&["a", "b", "9", "c"]));
        let both = of(&["1", "a", "b", "9", "c"]);
        let save = |text: &str| {
            let text = text.to_owned();
            move |replica: &mut Replica| replica.save(text.as_bytes()).unwrap()
        };
        let all = apart_in(name, &text, save(&copied), save(&edited));
        assert_eq!((all[2].text(), all[2].conflicts()), (both.clone(), vec![]), "{name}");
        // And the upper one of two goes, not the lower one.
        let all = apart_in(name, &copied, save(&text), save(&both));
        assert_eq!((all[2].text(), all[2].conflicts()), (edited, vec![]), "{name}");
    }
}

#[test]
fn a_block_moves_and_goes_as_a_whole() {
    let (first, second) = (
        &NGINX[17..NGINX.find("    server {\n        listen 81").unwrap()],
        "    server {\n        listen 81;\n    }\n",
    );
    let swapped = NGINX.replace(second, "").replace(first, &format!("{second}{first}"));
    let moved =
        apart("f/nginx.conf", NGINX, |a| a.save(swapped.as_bytes()).unwrap(), |b| b.edit("return 200", "return 404"));
    assert_eq!(moved[0].text(), swapped.replace("return 200", "return 404"));
    assert_eq!(moved[0].conflicts(), vec![]);
    // Deleted by one, edited by another: what was edited stays, in its block, flagged.
    let gone = NGINX.replace(first, "");
    let all =
        apart("f/nginx.conf", NGINX, |a| a.save(gone.as_bytes()).unwrap(), |b| b.edit("return 200", "return 404"));
    let text = all[0].text();
    assert!(
        text.contains("location /a {\n            return 404;\n        }\n") && !text.contains("listen 80"),
        "{text}"
    );
    assert_eq!(all[0].conflicts().iter().map(|conflict| conflict.kind).collect::<Vec<_>>(), [Kind::Deleted]);
}

#[test]
fn braces_that_do_not_match_are_held_and_a_new_file_of_them_is_text() {
    let mut all = replicas(2, "f/nginx.conf", NGINX);
    let broken = NGINX.replacen("}\n", "\n", 1);
    let error = all[0].save(broken.as_bytes()).unwrap_err();
    assert!(matches!(error, EditError::Syntax(_)), "{error}");
    assert_eq!(all[0].text(), NGINX);
    let all = replicas(2, "f/nginx.conf", &broken);
    assert_eq!(all[1].document.render().file().unwrap().format(), Format::Text);
    let mut held = replicas(1, "f/a.ini", "[a]\nb = 1\n");
    assert!(matches!(held[0].save(b"[a\nb = 1\n"), Err(EditError::Syntax(_))));
    let mut held = replicas(1, "f/.env", "A=1\n");
    assert!(matches!(held[0].save(b"A='1\n"), Err(EditError::Syntax(_))));
}

/// The union of two servers is one that nobody wrote.
#[test]
fn two_files_of_blocks_created_apart_are_a_whole_file_conflict() {
    let mut all: Vec<Replica> = (0..2).map(|number| Replica::new(number, "f/nginx.conf")).collect();
    all[0].save(b"worker_processes 4;\n").unwrap();
    all[1].save(b"worker_processes 8;\nuser www;\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[0].conflicts().len(), 1);
    assert_eq!(all[0].text().matches("worker_processes").count(), 1);
    let mut equal: Vec<Replica> = (0..2).map(|number| Replica::new(number, "f/nginx.conf")).collect();
    equal.iter_mut().for_each(|replica| replica.save(NGINX.as_bytes()).unwrap());
    equal[0].edit("listen 80", "listen 82");
    exchange(&mut equal);
    assert_eq!(equal[1].text(), NGINX.replace("listen 80", "listen 82"));
}

#[test]
fn keys_are_addressed_as_people_write_them() {
    let git = "[core]\n\tbare = true\n[remote \"origin\"]\n\turl = x\n[remote \"a.b\"]\n\turl = y\n\turl = z\n";
    for (name, text, key, value) in [
        ("f/.env", ENV, "PORT", "8080"),
        ("f/.env", ENV, "PATHS[1]", "/b"),
        ("f/.env", ENV, "PORT[0]", "8080"),
        ("f/a.service", UNIT, "Service.Environment[0]", "A=1"),
        ("f/a.service", UNIT, "Service.ExecStart", "/bin/x --y"),
        ("f/.gitconfig", git, "core.bare", "true"),
        ("f/.gitconfig", git, "remote.origin.url", "x"),
        ("f/.gitconfig", git, "remote.\"a.b\".url[1]", "z"),
        ("f/nginx.conf", NGINX, "http.server[0].\"location /a\".return", "200"),
        ("f/nginx.conf", NGINX, "http.server[listen=81].listen", "81"),
        ("f/haproxy.cfg", HAPROXY, "\"frontend web\".bind[1]", "*:81"),
    ] {
        let mut all = replicas(1, name, text);
        let rendered = all[0].document.render();
        let file = rendered.file().unwrap();
        let lookup = Lookup::new(&file.tree);
        let murmurate_crdt::key::Found::Here(path) = lookup.find(&parse_key(key).unwrap()) else { panic!("{key}") };
        assert_eq!(file.meaning_at(&path), Some(Value::String(value.into())), "{key}");
        let plain = key.replace("PORT[0]", "PORT").replace("[listen=81]", "[1]");
        assert_eq!(lookup.format(&path), plain);
        all[0].put(key, "new").unwrap();
        let changed = all[0].document.render();
        assert_eq!(changed.file().unwrap().meaning_at(&path), Some(Value::String("new".into())), "{key}");
    }
}

#[test]
fn a_key_that_stands_several_times_must_be_told_apart() {
    let mut all = replicas(1, "f/.env", ENV);
    assert!(matches!(all[0].put("PATHS", "x"), Err(EditError::NoPlace(_))));
    all[0].put("PATHS[2]", "/c").unwrap();
    assert!(all[0].text().ends_with("PATHS='/b'\nPATHS=/c\n"), "{}", all[0].text());
    all[0].delete("PATHS");
    assert!(!all[0].text().contains("PATHS"), "{}", all[0].text());
    let mut server = replicas(1, "f/nginx.conf", NGINX);
    let Err(EditError::NotFound(why)) = server[0].put("http.server.listen", "82") else { panic!() };
    assert!(why.contains("http.server[0]"), "{why}");
}

#[test]
fn a_put_writes_what_its_format_needs() {
    let mut env = replicas(1, "f/.env", "A=1\nB\n");
    env[0].put("A", "two words").unwrap();
    env[0].put("B", "'as is'").unwrap();
    env[0].put("C", "$x").unwrap();
    assert_eq!(env[0].text(), "A=\"two words\"\nB='as is'\nC='$x'\n");
    let mut ini = replicas(1, "f/a.ini", "[s]\nlist =\n    a\nflag\n");
    ini[0].put("s.list", "b\nc").unwrap();
    ini[0].put("s.flag", "on").unwrap();
    ini[0].put("r.o.url", "x").unwrap();
    assert_eq!(ini[0].text(), "[s]\nlist =\n    b\n    c\nflag = on\n\n[r \"o\"]\nurl = x\n");
    // What is indented below a key without a value would go on with one.
    let mut flag = replicas(1, "f/a.ini", "flag\n  b = 1\n");
    assert!(flag[0].put("flag", "on").is_err());
    // On a line of its own this would be a comment.
    assert!(ini[0].put("s.list", "# b").is_err());
    let mut nginx = replicas(1, "f/nginx.conf", NGINX);
    assert!(nginx[0].put("user", "a; b").is_err());
    nginx[0].put("http.gzip", "on").unwrap();
    assert!(nginx[0].text().contains("    gzip on;\n"), "{}", nginx[0].text());
}

#[test]
fn a_file_in_doubt_stays_what_it_was() {
    let mut all = replicas(2, "f/a.conf", "[s]\na = 1\n");
    all[0].save(b"# nothing left\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[1].document.render().file().unwrap().format(), Format::Ini);
    all[1].save(b"Port 22\n").unwrap();
    exchange(&mut all);
    assert_eq!(all[0].document.render().file().unwrap().format(), Format::Text);
}
