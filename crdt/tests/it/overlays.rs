//! Values of one file that differ on some hosts: what is composed, and what an edit of it means (MERGE rule 18).

use std::sync::Arc;

use murmurate_crdt::document::Document;
use murmurate_crdt::edit::{EditError, Editor, PutType};
use murmurate_crdt::id::{ActorId, DocumentId, Lane};
use murmurate_crdt::key::{Found, Lookup, parse_key};
use murmurate_crdt::overlay::{self, Composed, Layer, Overlay};
use murmurate_crdt::render::Content;
use murmurate_crdt::value::Value;
use proptest::prelude::*;

/// One host's documents of one file.
struct Site {
    file: Document,
    overlays: Vec<(Overlay, Document)>,
    time_ms: u64,
}

impl Site {
    fn new(name: &str, text: &str, overlays: &[&str]) -> Self {
        let id = DocumentId::new(name).unwrap();
        let overlays = overlays.iter().map(|text| {
            let overlay: Overlay = text.parse().unwrap();
            let id = id.with_overlay(&overlay).unwrap();
            (overlay, Document::new(id))
        });
        let mut site = Self { overlays: overlays.collect(), file: Document::new(id), time_ms: 0 };
        let (empty, editor) = (site.file.render(), site.editor());
        site.file.take_file(&empty, text.as_bytes(), false, Lane::FILE, &editor).unwrap();
        site
    }

    fn editor(&mut self) -> Editor {
        self.time_ms += 1;
        Editor { actor: ActorId([1; 16]), time_ms: self.time_ms, user: String::new() }
    }

    fn composed(&self) -> Composed {
        let layers = self
            .overlays
            .iter()
            .map(|(overlay, document)| Layer { overlay: overlay.clone(), rendered: Arc::new(document.render()) });
        Composed::new(Arc::new(self.file.render()), layers.collect()).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.composed().content.bytes).unwrap()
    }

    fn file(&self) -> String {
        String::from_utf8(self.file.render().file().unwrap().bytes.clone()).unwrap()
    }

    fn overlay(&self, number: usize) -> String {
        let rendered = self.overlays[number].1.render();
        rendered.file().map_or_else(String::new, |file| String::from_utf8(file.bytes.clone()).unwrap())
    }

    fn put(&mut self, number: usize, key: &str, value: &str) -> Result<(), EditError> {
        let editor = self.editor();
        let (base, rendered) = (self.file.render(), self.overlays[number].1.render());
        let steps = parse_key(key).unwrap();
        let edit = overlay::put(base.file().unwrap(), rendered.file(), &steps, value, PutType::Automatic)?;
        self.overlays[number].1.take_overlay(&rendered, &edit, Lane::API, &editor)?;
        Ok(())
    }

    fn delete(&mut self, number: usize, key: &str) -> bool {
        let editor = self.editor();
        let (base, rendered) = (self.file.render(), self.overlays[number].1.render());
        let Some(overlay) = rendered.file() else { return false };
        let edit = overlay::remove(base.file().unwrap(), overlay, &parse_key(key).unwrap()).unwrap();
        let Some(edit) = edit else { return false };
        self.overlays[number].1.take_overlay(&rendered, &edit, Lane::API, &editor).unwrap();
        true
    }

    fn save(&mut self, text: &str) -> Result<(), EditError> {
        let editor = self.editor();
        let composed = self.composed();
        let split = composed.split(self.file.id().as_str(), text.as_bytes())?;
        for ((_, document), edit) in self.overlays.iter_mut().zip(&split.overlays) {
            if let Some(edit) = edit {
                let rendered = document.render();
                document.take_overlay(&rendered, edit, Lane::FILE, &editor)?;
            }
        }
        if let Some(bytes) = &split.base {
            let rendered = self.file.render();
            self.file.take_file(&rendered, bytes, false, Lane::FILE, &editor)?;
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<String> {
        value(&self.composed().content, key)
    }

    /// Whether the file has all that its overlays have.
    fn adds_nothing(&self) -> bool {
        let (composed, file) = (self.composed(), self.file.render());
        let tree = &file.file().unwrap().tree;
        let file = Lookup::new(tree);
        let mut all = true;
        composed.content.tree.root.walk(&mut |node| {
            all &= composed.source(&node.path).layer.is_none() || file.exists(&node.path);
        });
        all
    }

    /// How many keys are taken away.
    fn takes_away(&self) -> usize {
        self.composed().taken_away().count()
    }

    /// Which layer gives a key its value.
    fn source(&self, key: &str) -> Option<usize> {
        let composed = self.composed();
        match Lookup::new(&composed.content.tree).find(&parse_key(key).unwrap()) {
            Found::Here(path) => composed.source(&path).layer,
            other => panic!("{key}: {other:?}"),
        }
    }
}

fn value(content: &Content, key: &str) -> Option<String> {
    match Lookup::new(&content.tree).find(&parse_key(key).unwrap()) {
        Found::Here(path) => content.meaning_at(&path).map(|value| value.to_string()),
        _ => None,
    }
}

const APP: &str = "# the app\nname = \"a\" # here\nport = 8080 # of all\n\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n";
const JSON: &str =
    "{\n  // ports\n  \"port\": 8080,\n  \"hosts\": [\"a\", \"b\"],\n  \"tls\": {\"cert\": \"c\", \"key\": \"k\"}\n}\n";

#[test]
fn an_overlay_changes_a_value_and_nothing_around_it() {
    for (name, text) in [("f/app.toml", APP), ("f/app.json", JSON)] {
        let mut site = Site::new(name, text, &["host=a"]);
        assert_eq!(site.text(), text);
        site.put(0, "port", "9090").unwrap();
        assert_eq!(site.text(), text.replace("8080", "9090"));
        assert_eq!((site.file(), site.source("port"), site.source("tls.key")), (text.into(), Some(0), None));
        assert!(site.delete(0, "port") && !site.delete(0, "port"));
        assert_eq!(site.text(), text);
    }
}

#[test]
fn the_host_goes_before_its_roles_and_a_later_role_before_an_earlier_one() {
    let mut site = Site::new("f/app.toml", APP, &["role=db", "role=eu", "host=a"]);
    let expected = [(0, "1", "1"), (2, "3", "3"), (1, "2", "3")];
    for (layer, value, shown) in expected {
        site.put(layer, "port", value).unwrap();
        assert_eq!(site.value("port").as_deref(), Some(shown));
    }
    for (layer, shown) in [(2, "2"), (1, "1"), (0, "8080")] {
        assert!(site.delete(layer, "port"));
        assert_eq!(site.value("port").as_deref(), Some(shown));
    }
}

#[test]
fn what_the_file_lacks_is_added_where_a_put_would_have_put_it() {
    let mut site = Site::new("f/app.toml", APP, &["role=db", "host=a"]);
    site.put(0, "debug.level", "3").unwrap();
    site.put(0, "tls.ca", "ca.pem").unwrap();
    site.put(1, "debug.level", "5").unwrap();
    let expected = format!("{APP}ca = \"ca.pem\"\n\n[debug]\nlevel = 5\n");
    assert_eq!(site.text(), expected);
    assert_eq!((site.source("debug.level"), site.source("tls.ca")), (Some(1), Some(0)));
    let mut json = Site::new("f/app.json", "{}\n", &["host=a"]);
    json.put(0, "a.b", "[1, 2]").unwrap();
    assert_eq!((json.value("a.b").as_deref(), &*json.file()), (Some("[1,2]"), "{}\n"));
}

#[test]
fn an_edit_of_an_overlaid_key_changes_the_overlay_that_gave_it_and_no_other_document() {
    let mut site = Site::new("f/app.toml", APP, &["role=db", "host=a"]);
    site.put(0, "port", "9090").unwrap();
    site.put(0, "tls.key", "role.pem").unwrap();
    site.put(1, "port", "9999").unwrap();
    let saved = site.text().replace("9999", "7777").replace("role.pem", "new.pem");
    site.save(&saved).unwrap();
    assert_eq!((site.text(), &*site.file()), (saved, APP));
    assert_eq!((&*site.overlay(0), &*site.overlay(1)), ("port = 9090\n\n[tls]\nkey = \"new.pem\"\n", "port = 7777\n"));
}

#[test]
fn all_other_edits_change_the_file() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    site.put(0, "port", "9090").unwrap();
    let overlay = site.overlay(0);
    let edits = [
        ("\"a\" # here", "\"b\" # there"),
        ("# of all", "# of many"),
        ("c.pem\"\n", "c.pem\"\nnew = 1\n"),
        ("# the app", "# our app"),
    ];
    for (from, to) in edits {
        let saved = site.text().replace(from, to);
        let file = site.file().replace(from, to);
        site.save(&saved).unwrap();
        assert_eq!((site.text(), site.file(), site.overlay(0)), (saved, file, overlay.clone()), "{from}");
    }
}

#[test]
fn one_save_may_change_the_file_and_overlays() {
    for (name, text) in [("f/app.toml", APP), ("f/app.json", JSON)] {
        let mut site = Site::new(name, text, &["host=a"]);
        site.put(0, "port", "9090").unwrap();
        site.put(0, "extra", "1").unwrap();
        let saved =
            site.text().replace("9090", "7070").replace("\"k", "\"x").replace(": 1", ": 2").replace("= 1\n", "= 2\n");
        site.save(&saved).unwrap();
        assert_eq!(site.text(), saved);
        assert_eq!(site.file(), text.replace("\"k", "\"x"));
        assert_eq!((site.source("extra"), site.value("extra").as_deref()), (Some(0), Some("2")));
    }
}

/// Who deletes a key in a file that an overlay has changed wants it gone on these hosts, not the file's value back.
#[test]
fn a_deleted_key_of_an_overlay_is_taken_away_here_and_stays_elsewhere() {
    for (name, text, line) in
        [("f/app.toml", APP, "port = 9090 # of all\n"), ("f/app.json", JSON, "  \"port\": 9090,\n")]
    {
        let mut site = Site::new(name, text, &["role=db", "host=a"]);
        site.put(0, "port", "9090").unwrap();
        let without = site.text().replace(line, "").replace("  // ports\n", "");
        site.save(&without).unwrap();
        assert_eq!((site.text(), &*site.file(), site.value("port")), (without.clone(), text, None));
        // The next edit leaves it so, and is the file's.
        let saved = without.replace("\"c", "\"d");
        site.save(&saved).unwrap();
        assert_eq!((site.text(), site.file()), (saved, text.replace("\"c", "\"d")));
        // Another overlay may still give it a value.
        site.put(1, "port", "1").unwrap();
        assert_eq!(site.value("port").as_deref(), Some("1"));
        assert!(site.delete(1, "port"));
        // What took it away is taken away like a value.
        assert!(site.delete(0, "port"));
        assert_eq!(site.text(), text.replace("\"c", "\"d"));
    }
}

#[test]
fn a_key_that_was_taken_away_and_is_written_again_is_the_overlays_own() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    site.put(0, "port", "9090").unwrap();
    let line = "port = 9090 # of all\n";
    let with = site.text();
    site.save(&with.replace(line, "")).unwrap();
    site.save(&with.replace("9090", "7070")).unwrap();
    assert_eq!((site.value("port").as_deref(), &*site.file(), site.source("port")), (Some("7070"), APP, Some(0)));
}

#[test]
fn what_only_an_overlay_has_is_its_own_with_all_that_is_put_into_it() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    site.put(0, "debug.level", "3").unwrap();
    let saved = site.text().replace("level = 3", "# loud\nlevel = 9 # so\ntrace = true");
    site.save(&saved).unwrap();
    assert_eq!((&*site.file(), site.text()), (APP, saved));
    assert_eq!(site.source("debug.trace"), Some(0));
    let saved = site.text().split("\n[debug]").next().unwrap().to_string();
    site.save(&saved).unwrap();
    assert_eq!((site.text(), &*site.file(), &*site.overlay(0)), (saved.clone(), &*saved, ""));
}

#[test]
fn items_are_matched_by_their_names_and_other_lists_are_one_value() {
    let text = "[[servers]]\nname = \"a\" # first\nport = 1\n\n[[servers]]\nname = \"b\"\nport = 2\n";
    let mut site = Site::new("f/app.toml", text, &["host=a"]);
    site.put(0, "servers[name=b].port", "20").unwrap();
    assert_eq!(site.text(), text.replace("port = 2", "port = 20"));
    site.put(0, "servers[name=c].port", "30").unwrap();
    assert_eq!(site.text(), text.replace("port = 2", "port = 20") + "\n[[servers]]\nname = \"c\"\nport = 30\n");
    let saved = site.text().replace("= 20", "= 21").replace("= 30", "= 31\nweight = 5").replace("= 1\n", "= 11\n");
    site.save(&saved).unwrap();
    assert_eq!((site.text(), site.file()), (saved, text.replace("= 1\n", "= 11\n")));
    assert!(site.put(0, "servers[0].port", "9").is_err());
    assert!(site.put(0, "servers[port=2].port", "9").is_err());
    let mut json = Site::new("f/app.json", JSON, &["host=a"]);
    json.put(0, "hosts", "[\"z\"]").unwrap();
    assert_eq!(json.text(), JSON.replace("[\"a\", \"b\"]", "[\"z\"]"));
    let saved = json.text().replace("[\"z\"]", "[\"z\", \"y\"]").replace("\"k\"}", "\"l\"}");
    json.save(&saved).unwrap();
    assert_eq!((json.text(), json.file()), (saved, JSON.replace("\"k\"}", "\"l\"}")));
}

#[test]
fn what_cant_be_shown_is_left_out_and_said() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    for (key, value) in [("tls", "5"), ("name.first", "x"), ("port", "[1]")] {
        match (site.put(0, key, value), key) {
            (Ok(()), "port") => {}
            (result, _) => assert!(matches!(result, Err(EditError::NoPlace(_))), "{key}"),
        }
    }
    site.put(0, "tls.key", "x.pem").unwrap();
    // The file changes its shape afterwards.
    let text = "# the app\nname = \"a\"\ntls = 5\n";
    let (rendered, editor) = (site.file.render(), site.editor());
    site.file.take_file(&rendered, text.as_bytes(), false, Lane::FILE, &editor).unwrap();
    let composed = site.composed();
    assert_eq!(
        String::from_utf8(composed.content.bytes.clone()).unwrap(),
        "# the app\nname = \"a\"\ntls = 5\nport = [1]\n"
    );
    let left: Vec<_> =
        composed.left_out().map(|(overlay, left)| (overlay.to_string(), left.path.to_string())).collect();
    assert_eq!(left, [("host=a".to_string(), ".tls.key".to_string())]);
}

#[test]
fn yaml_has_overlays_like_the_others() {
    let text = "# the app\nport: 8080 # of all\ntls:\n  cert: c.pem\nhosts:\n  - a\n  - b\nservers:\n  - name: x\n    port: 1\n  - name: y\n    port: 2\n";
    let mut site = Site::new("f/app.yaml", text, &["role=db", "host=a"]);
    site.put(0, "port", "9090").unwrap();
    site.put(1, "tls.cert", "d.pem").unwrap();
    site.put(1, "servers[name=y].port", "20").unwrap();
    let shown = text.replace("8080", "9090").replace("c.pem", "d.pem").replace("port: 2", "port: 20");
    assert_eq!((site.text(), &*site.file()), (shown.clone(), text));
    let saved = shown.replace("9090", "9191").replace("port: 20", "port: 21").replace("- a", "- aa");
    site.save(&saved).unwrap();
    assert_eq!((site.text(), site.file()), (saved.clone(), text.replace("- a", "- aa")));
    let without = saved.replace("port: 9191 # of all\n", "");
    site.save(&without).unwrap();
    assert_eq!((site.value("port"), site.file()), (None, text.replace("- a", "- aa")), "{}", site.text());
}

/// Of one format: a file, a key that stands once in it, its text there, and another one.
struct Lines {
    name: &'static str,
    text: &'static str,
    key: &'static str,
    own: &'static str,
    other: (&'static str, &'static str),
}

const LINES: [Lines; 5] = [
    Lines {
        name: "f/.env",
        text: "# the app\nexport NAME=a # here\nPORT=8080 # of all\n\nPATHS='/a'\nPATHS='/b'\n",
        key: "PORT",
        own: "PORT=8080 # of all\n",
        other: ("NAME=a", "NAME=b"),
    },
    Lines {
        name: "f/app.ini",
        text: "; the app\n[server]\nport = 8080\nname = a\n\n[limits]\nrps = 200\n",
        key: "server.port",
        own: "port = 8080\n",
        other: ("rps = 200", "rps = 300"),
    },
    Lines {
        name: "f/a.service",
        text: "[Service]\nEnvironment=A=1\nEnvironment=B=2\nNice=8080\nUser=a\n",
        key: "Service.Nice",
        own: "Nice=8080\n",
        other: ("User=a", "User=b"),
    },
    Lines {
        name: "f/nginx.conf",
        text: "user www;\nhttp {\n    keepalive 8080; # of all\n    server {\n        listen 80;\n    }\n}\n",
        key: "http.keepalive",
        own: "    keepalive 8080; # of all\n",
        other: ("listen 80", "listen 81"),
    },
    Lines {
        name: "f/haproxy.cfg",
        text: "global\n    maxconn 8080\n    nbthread 2\n\nbackend app\n    server a 10.0.0.1:80\n",
        key: "global.maxconn",
        own: "    maxconn 8080\n",
        other: ("nbthread 2", "nbthread 4"),
    },
];

#[test]
fn files_of_lines_and_blocks_have_overlays_like_the_others() {
    for Lines { name, text, key, own, other } in LINES {
        let mut site = Site::new(name, text, &["role=db", "host=a"]);
        site.put(0, key, "9090").unwrap();
        assert_eq!((site.text(), &*site.file()), (text.replace("8080", "9090"), text), "{name}");
        // Put again, and over it.
        site.put(0, key, "9091").unwrap();
        assert_eq!(site.text(), text.replace("8080", "9091"), "{name}");
        site.put(1, key, "9192").unwrap();
        assert_eq!(site.text(), text.replace("8080", "9192"), "{name}");
        // Edited where it is shown, with another edit beside it.
        let saved = text.replace("8080", "9193").replace(other.0, other.1);
        site.save(&saved).unwrap();
        let file = text.replace(other.0, other.1);
        assert_eq!((site.text(), site.file()), (saved.clone(), file.clone()), "{name}");
        // Deleted there: gone here only.
        let without = saved.replace(&own.replace("8080", "9193"), "");
        site.save(&without).unwrap();
        assert_eq!((site.text(), site.file()), (without, file.clone()), "{name}");
        // And written again: here only.
        site.save(&saved).unwrap();
        assert_eq!((site.value(key), site.file()), (Some("9193".into()), file.clone()), "{name}\n{}", site.text());
        assert!(site.delete(1, key) && site.delete(0, key), "{name}");
        assert_eq!((site.text(), site.file()), (file.clone(), file), "{name}");
    }
}

#[test]
fn text_has_no_overlays() {
    let mut site = Site::new("f/notes.txt", "a line\n", &["host=a"]);
    let error = site.put(0, "a", "1").unwrap_err();
    assert!(error.to_string().contains("kept as text"), "{error}");
    assert_eq!(site.text(), "a line\n");
}

#[test]
fn a_save_that_does_not_parse_is_held_and_another_kind_of_file_is_the_files() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    site.put(0, "port", "9090").unwrap();
    assert!(matches!(site.save("port = = 1\n"), Err(EditError::Syntax(_))));
    let without_table = "name = \"a\"\nport = 9090\ntls = 5\n";
    site.save(without_table).unwrap();
    assert_eq!((site.text(), site.file()), (without_table.into(), without_table.replace("9090", "8080")));
}

/// Who deletes a key's line and leaves the comment above it brings that comment to no other key.
#[test]
fn the_comment_above_a_key_that_is_taken_away_stays_with_it() {
    for (name, text, line) in [
        ("f/a.toml", "# head\nport = 1\nname = 2\n", "port = 9\n"),
        ("f/a.toml", "a = 1\n# head\nport = 1\n", "port = 9\n"),
        ("f/a.toml", "[x]\n# head\nport = 1\n\n# of y\n[y]\nb = 1\n", "port = 9\n"),
        ("f/a.yaml", "# head\nport: 1\n# name\nname: 2\n", "port: 9\n"),
        ("f/a.json", "{\n  // head\n  \"port\": 1,\n  \"name\": 2\n}\n", "  \"port\": 9,\n"),
        ("f/.env", "# head\nport=1\nname=2\n", "port=9\n"),
        ("f/a.ini", "[x]\n; head\nport = 1\nname = 2\n", "port = 9\n"),
    ] {
        let key = if text.contains("[x]") { "x.port" } else { "port" };
        let mut site = Site::new(name, text, &["host=a"]);
        site.put(0, key, "9").unwrap();
        let saved = site.text().replace(line, "");
        assert_ne!(saved, site.text());
        site.save(&saved).unwrap();
        assert_eq!((site.file(), site.value(key)), (text.into(), None), "{name}\n{}", site.text());
        assert!(site.delete(0, key));
        assert_eq!(site.text(), text);
    }
}

/// Which of them would be the overlay's, nobody can tell.
#[test]
fn a_key_of_an_overlay_isnt_written_a_second_time() {
    let mut site = Site::new("f/.env", "PORT=8080\nNAME=a\n", &["host=a"]);
    site.put(0, "PORT", "9090").unwrap();
    let error = site.save("PORT=9090\nPORT=1\nNAME=a\n").unwrap_err();
    assert!(error.to_string().contains("several times"), "{error}");
    // Where the file has one several times, the overlay has all its values.
    let mut site = Site::new("f/a.service", "[Service]\nEnvironment=A=1\nEnvironment=B=2\nNice=1\n", &["host=a"]);
    site.put(0, "Service.Environment", "C=3").unwrap();
    assert_eq!(site.text(), "[Service]\nEnvironment=C=3\nNice=1\n");
    let saved = "[Service]\nEnvironment=C=4\nNice=2\n";
    site.save(saved).unwrap();
    assert_eq!((&*site.text(), &*site.file()), (saved, "[Service]\nEnvironment=A=1\nEnvironment=B=2\nNice=2\n"));
    // Of several sections with one name it can't be told which is meant.
    let mut site = Site::new("f/a.conf", "[peer]\nport = 1\n[peer]\nport = 2\n", &["host=a"]);
    assert!(site.put(0, "peer.port", "3").is_err());
    assert!(site.put(0, "other.port", "3").is_ok());
    assert_eq!(site.value("other.port").as_deref(), Some("3"), "{}", site.text());
}

/// An item is the file's, whatever of it is an overlay's: its name and its end are for all.
#[test]
fn an_item_that_is_renamed_or_deleted_is_so_everywhere() {
    let text = "[[peers]]\nname = \"x\"\nw = 1\n\n[[peers]]\nname = \"y\"\nw = 2\nv = 3\n";
    let mut site = Site::new("f/app.toml", text, &["role=db", "host=a"]);
    site.put(0, "peers[name=y].w", "20").unwrap();
    site.put(1, "peers[name=y].v", "30").unwrap();
    let shown = text.replace("w = 2", "w = 20").replace("v = 3", "v = 30");
    assert_eq!((site.text(), site.source("peers[name=y].name")), (shown.clone(), None));
    let renamed = shown.replace("\"y\"", "\"z\"");
    site.save(&renamed).unwrap();
    assert_eq!((site.text(), site.file()), (renamed.clone(), text.replace("\"y\"", "\"z\"")));
    assert!(site.save(&renamed.replace("name = \"z\"\n", "")).is_err());
    let without = &text[..text.rfind("\n[[peers]]").unwrap()];
    site.save(without).unwrap();
    assert_eq!((&*site.text(), &*site.file(), &*site.overlay(0), &*site.overlay(1)), (without, without, "", ""));
}

/// A file that isn't kept by keys any more has none of its overlays' values, and is edited as it is.
#[test]
fn a_file_that_becomes_text_or_bytes_has_no_overlays_until_it_has_keys_again() {
    for other in [&b"{\"a\": 1, \"a\": 2}\n"[..], b"\0\x01\xff"] {
        let text = "{\"a\": 1, \"b\": 2}\n";
        let mut site = Site::new("f/a.json", text, &["role=db", "host=a"]);
        site.put(1, "a", "9").unwrap();
        let (rendered, editor) = (site.file.render(), site.editor());
        let written = site.file.take_file(&rendered, other, false, Lane::FILE, &editor);
        if written.is_err() {
            continue;
        }
        let composed = site.composed();
        assert_eq!((composed.content.bytes.as_slice(), composed.left_out().count()), (other, 1));
        let split = composed.split("f/a.json", text.as_bytes()).unwrap();
        assert_eq!((split.base.as_deref(), split.overlays), (Some(text.as_bytes()), vec![None, None]));
        site.save(text).unwrap();
        assert_eq!((site.text(), &*site.file()), (text.replace('1', "9"), text));
    }
}

/// What an overlay has below a key that it takes away goes before that.
#[test]
fn a_value_goes_before_that_what_it_stands_in_is_taken_away() {
    let mut site = Site::new("f/app.toml", "tls = 1\nport = 2\n", &["host=a"]);
    site.put(0, "tls", "3").unwrap();
    site.save("port = 2\n").unwrap();
    assert_eq!(site.value("tls"), None);
    let (rendered, editor) = (site.file.render(), site.editor());
    let text = "port = 2\n\n[tls]\ncert = 1\nkey = 2\n";
    site.file.take_file(&rendered, text.as_bytes(), false, Lane::FILE, &editor).unwrap();
    assert_eq!(site.text(), "port = 2\n", "{}", site.file());
    site.put(0, "tls.cert", "7").unwrap();
    assert_eq!(site.text(), text.replace("cert = 1", "cert = 7"));
}

/// A renamed file's overlays hold the same under the new name, what they take away included.
#[test]
fn a_copy_of_an_overlay_is_like_it() {
    for (name, text, key) in [("f/a.toml", "a = 1\nb = 2\n", "a"), ("f/nginx.conf", "user www;\nworkers 2;\n", "user")]
    {
        let mut site = Site::new(name, text, &["host=a"]);
        site.put(0, key, "9").unwrap();
        let shown = site.text();
        let line = shown.lines().next().unwrap().to_owned() + "\n";
        site.save(&shown.replace(&line, "")).unwrap();
        let mut copy = Site::new(&name.replace("a.toml", "c.toml"), text, &["host=a"]);
        let own = site.overlays[0].1.render();
        let edit = overlay::OverlayEdit::copy_of(own.file().unwrap(), None);
        let (rendered, editor) = (copy.overlays[0].1.render(), copy.editor());
        copy.overlays[0].1.take_overlay(&rendered, &edit, Lane::FILE, &editor).unwrap();
        assert_eq!((copy.text(), copy.file()), (site.text(), site.file()), "{name}");
        assert_eq!(copy.value(key), None);
    }
}

/// Concurrent edits of one overlay merge as those of a file do.
#[test]
fn a_value_beside_a_deletion_in_an_overlay_is_a_conflict_and_stays() {
    let mut site = Site::new("f/app.toml", APP, &["host=a"]);
    site.put(0, "port", "9090").unwrap();
    let base = site.overlays[0].1.render();
    site.save(&site.text().replace("port = 9090 # of all\n", "")).unwrap();
    let edit = overlay::replace_all(site.file.render().file().unwrap(), b"port = 7070\n").unwrap();
    let editor = Editor { actor: ActorId([2; 16]), time_ms: 9, user: String::new() };
    let document = &mut site.overlays[0].1;
    document.take_overlay(&base, &edit, Lane::API, &editor).unwrap();
    let conflicts = murmurate_crdt::conflict::conflicts(document, &document.render());
    assert_eq!(conflicts.len(), 1);
    assert_eq!(site.value("port").as_deref(), Some("7070"));
}

// Random histories.

#[derive(Debug, Clone)]
enum Step {
    Overlay { layer: usize, key: usize },
    Unlay { layer: usize, key: usize },
    Put { key: usize },
    Set { line: usize },
    DeleteLine { line: usize },
    AddKey { line: usize },
    Comment { line: usize, behind: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..3, 0usize..12).prop_map(|(layer, key)| Step::Overlay { layer, key }),
        1 => (0usize..3, 0usize..12).prop_map(|(layer, key)| Step::Unlay { layer, key }),
        1 => (0usize..12).prop_map(|key| Step::Put { key }),
        4 => (0usize..30).prop_map(|line| Step::Set { line }),
        2 => (0usize..30).prop_map(|line| Step::DeleteLine { line }),
        2 => (0usize..30).prop_map(|line| Step::AddKey { line }),
        2 => (0usize..30, any::<bool>()).prop_map(|(line, behind)| Step::Comment { line, behind }),
    ];
    proptest::collection::vec(step, 1..16)
}

const KEYS: [&str; 12] = [
    "k0",
    "k1",
    "t0.k3",
    "t0.k4",
    "t1.k5",
    "list[name=a].v",
    "list[name=b].v",
    "new0",
    "t0.new1",
    "t9.deep.new2",
    "list[name=z].v",
    "arr",
];
const RANDOM_TOML: &str = "# head\nk0 = 0\nk1 = 1 # one\narr = [1, 2]\n\n# free\n\n[t0]\n  k3 = 3\n  k4 = 4 # note\n\n[t1]\nk5 = 5\n\n[[list]]\nname = \"a\"\nv = 1\n\n# second\n[[list]]\nname = \"b\"\nv = 2\n";
const RANDOM_JSON: &str = "{\n  // head\n  \"k0\": 0,\n  \"k1\": 1, // one\n  \"arr\": [1, 2],\n  \"t0\": {\n    \"k3\": 3,\n    \"k4\": 4 // note\n  },\n  \"t1\": {\n    \"k5\": 5\n  },\n  \"list\": [\n    {\n      \"name\": \"a\",\n      \"v\": 1\n    },\n    {\n      \"name\": \"b\",\n      \"v\": 2\n    }\n  ]\n}\n";

fn is_value(line: &str, is_json: bool) -> bool {
    let (_, value) = line.split_once(if is_json { ": " } else { "= " }).unwrap_or(("", "x"));
    value.starts_with(|character: char| character.is_ascii_digit())
}

/// An edit of a text, by its lines; `None` where there is no such line.
fn edited(text: &str, step: &Step, next: i64, is_json: bool) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let of_values: Vec<usize> = (0..lines.len()).filter(|&at| is_value(&lines[at], is_json)).collect();
    let at = |line: usize| of_values.get(line % of_values.len().max(1)).copied();
    let between = if is_json { ": " } else { "= " };
    match *step {
        Step::Set { line } => {
            let at = at(line)?;
            let (key, value) = lines[at].split_once(between)?;
            let rest = value.trim_start_matches(|character: char| character.is_ascii_digit());
            lines[at] = format!("{key}{between}{next}{rest}");
        }
        Step::DeleteLine { line } => {
            lines.remove(at(line)?);
        }
        Step::AddKey { line } => {
            let at = at(line)?;
            let indent: String = lines[at].chars().take_while(|character| *character == ' ').collect();
            let line =
                if is_json { format!("{indent}\"n{next}\": {next},") } else { format!("{indent}n{next} = {next}") };
            lines.insert(at, line);
        }
        Step::Comment { line, behind: true } => {
            let at = at(line)?;
            if lines[at].contains(if is_json { "//" } else { "#" }) {
                return None;
            }
            lines[at].push_str(&format!(" {} {next}", if is_json { "//" } else { "#" }));
        }
        Step::Comment { line, behind: false } if line % 3 == 0 => {
            // Free-standing, or of a table.
            let at = line % lines.len();
            lines.insert(at, format!("{} {next}", if is_json { "//" } else { "#" }));
        }
        Step::Comment { line, behind: false } => {
            let at = at(line)?;
            let indent: String = lines[at].chars().take_while(|character| *character == ' ').collect();
            lines.insert(at, format!("{indent}{} {next}", if is_json { "//" } else { "#" }));
        }
        _ => return None,
    }
    Some(lines.join("\n") + "\n")
}

fn meaning(text: &str, is_json: bool) -> Option<Value> {
    let name = if is_json { "f/a.json" } else { "f/a.toml" };
    let mut document = Document::new(DocumentId::new(name).unwrap());
    let editor = Editor { actor: ActorId([7; 16]), time_ms: 1, user: String::new() };
    let empty = document.render();
    document.take_file(&empty, text.as_bytes(), false, Lane::FILE, &editor).ok()?;
    let content = document.render().content?;
    content.format().is_structured().then(|| content.meaning())?
}

/// The lines of a text in any order, without the commas that follow from it.
fn lines(text: &str) -> Vec<String> {
    let plain = |line: &str| line.replacen(", //", " //", 1).trim_end_matches(',').trim_start().to_string();
    let mut lines: Vec<String> = text.lines().map(plain).collect();
    lines.sort();
    lines
}

/// Whatever is overlaid and saved: the file is composed again to what was saved, and no value moves by itself.
fn run(is_json: bool, all: &[Step]) -> Result<(), TestCaseError> {
    let (name, text) = if is_json { ("f/app.json", RANDOM_JSON) } else { ("f/app.toml", RANDOM_TOML) };
    let mut site = Site::new(name, text, &["role=db", "role=eu", "host=a"]);
    let mut next = 100;
    for step in all {
        next += 1;
        let (before, hidden) = ((site.file(), site.text()), site.takes_away());
        match *step {
            Step::Overlay { layer, key } => {
                let value = if KEYS[key] == "arr" { format!("[{next}]") } else { next.to_string() };
                let put = site.put(layer, KEYS[key], &value);
                prop_assert_eq!(site.file(), before.0);
                let is_uppermost = put.is_ok() && (layer + 1..3).all(|upper| !site.delete(upper, KEYS[key]));
                if is_uppermost && site.composed().left_out().count() == 0 {
                    prop_assert_eq!(site.value(KEYS[key]), Some(value.clone()), "{}", site.text());
                }
            }
            Step::Unlay { layer, key } => {
                site.delete(layer, KEYS[key]);
                prop_assert_eq!(site.file(), before.0);
            }
            Step::Put { key } => {
                let (rendered, editor) = (site.file.render(), site.editor());
                let steps = parse_key(KEYS[key]).unwrap();
                let _ = site.file.put(&rendered, &steps, &next.to_string(), PutType::Automatic, &editor);
            }
            _ => {
                let Some(saved) = edited(&before.1, step, next, is_json) else { continue };
                let Some(meant) = meaning(&saved, is_json) else { continue };
                match site.save(&saved) {
                    Err(EditError::NoPlace(why)) if why.contains("keeps its name") => continue,
                    taken => taken.unwrap(),
                }
                prop_assert_eq!(meaning(&site.text(), is_json), Some(meant), "{}\nsaved\n{}", site.text(), saved);
                if site.takes_away() > hidden {
                    // With its line goes the comment above it, on this host.
                    prop_assert_eq!(site.file(), before.0, "\nsaved\n{}", saved);
                } else if site.adds_nothing() && !(is_json && site.takes_away() > 0) {
                    prop_assert_eq!(site.text(), saved, "\nbefore\n{}", before.1);
                } else {
                    // What only an overlay has stands where a put would have put it. And whether a comma stands behind a last
                    // key is said where the key is that follows in the document, but is taken away here.
                    prop_assert_eq!(lines(&site.text()), lines(&saved), "\nbefore\n{}", before.1);
                }
            }
        }
        let composed = site.composed();
        prop_assert_eq!(meaning(&site.text(), is_json), composed.content.meaning());
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    #[test]
    fn what_was_saved_is_what_is_composed_again_toml(all in steps()) {
        run(false, &all)?;
    }

    #[test]
    fn what_was_saved_is_what_is_composed_again_json(all in steps()) {
        run(true, &all)?;
    }

    #[test]
    fn overlays_without_values_change_nothing(is_json: bool, text in "[ -~\n]{0,60}") {
        let text = if is_json { format!("{{\"a\": 1, // {}\n \"b\": [2]}}", text.replace('\n', " ")) } else { text };
        let site = Site::new(if is_json { "f/a.json" } else { "f/a.conf" }, &text, &["role=db", "host=a"]);
        prop_assert_eq!(site.text(), text);
    }
}
