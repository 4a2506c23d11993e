//! Values of one file that differ on some hosts: shown there and nowhere else, edited there and nowhere else.

use std::fs;
use std::time::Duration;

use rand_core::Rng;
use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Host, Mesh, eventually, seeded};

const PATH: &str = "app.toml";
const PORT: &str = "config/app.toml#server.port";

/// A mesh of three with the file on all; the second and third host have the role `db`.
fn mesh_with_roles() -> Mesh {
    let mut mesh = Mesh::start_apart(3);
    mesh.hosts[0].save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    for host in &mut mesh.hosts[1..] {
        host.stop();
        let settings = fs::read_to_string(host.settings()).unwrap();
        fs::write(host.settings(), settings + "roles = [\"db\"]\n").unwrap();
        host.start();
    }
    mesh.settle();
    mesh
}

#[track_caller]
fn has(mesh: &Mesh, number: usize, content: &str) {
    let host = &mesh.hosts[number];
    eventually(mesh, &format!("{} has\n{content}", host.name), || host.has(PATH, content));
}

/// What `folder status` says of the file.
fn status(host: &Host) -> Json {
    let entries = host.json(&["folder", "status"])["folders"][0]["entries"].clone();
    entries.as_array().unwrap().iter().find(|entry| entry["path"] == PATH).unwrap().clone()
}

/// What each document says of the port: the overlay, the value, whether it is shown.
fn explained(host: &Host) -> Vec<(Json, Json, Json)> {
    let explanation = host.json(&["get", "--explain", PORT]);
    let entries = explanation["entries"].as_array().unwrap();
    entries.iter().map(|entry| (entry["overlay"].clone(), entry["value"].clone(), entry["shown"].clone())).collect()
}

#[test]
fn a_value_for_one_host_is_there_only_and_is_edited_there_only() {
    let mesh = Mesh::start(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    one.does(&["put", PORT, "9090", "--host", "host-2"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "9090"));
    mesh.settle();
    for number in [0, 2] {
        has(&mesh, number, APP_TOML);
    }
    assert_eq!(status(two)["overlays"], json!(["host=host-2"]));
    assert!(status(two)["reason"].as_str().unwrap().contains("host=host-2"));
    assert_eq!(status(one)["overlays"], json!([]));
    // An edit of that key there changes the overlay, another one the file of all.
    let other = |port: &str| APP_TOML.replace("8080", port).replace("rps = 200", "rps = 300");
    two.save(PATH, other("9191"));
    has(&mesh, 0, &other("8080"));
    has(&mesh, 2, &other("8080"));
    has(&mesh, 1, &other("9191"));
    mesh.settle();
    assert_eq!(three.does(&["get", "config/app.toml", "--host", "host-2"]), "[server]\nport = 9191\n");
    assert_eq!(two.does(&["get", PORT]).trim(), "9191");
    assert_eq!(two.does(&["get", "--base", PORT]).trim(), "8080");
    assert_eq!(two.does(&["get", "--base", "config/app.toml"]), other("8080"));
    assert_eq!(one.does(&["get", "config/app.toml?host=host-2#server.port"]).trim(), "9191");
    assert_eq!(
        explained(two),
        [(json!(null), json!(8080), json!(false)), (json!("host=host-2"), json!(9191), json!(true))]
    );
    assert_eq!(explained(one), [(json!(null), json!(8080), json!(true))]);
    // Nothing of it is a file.
    for host in &mesh.hosts {
        let files = fs::read_dir(&host.folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.filter(|name| name != ".murmurate").collect();
        files.sort();
        assert_eq!(files, [PATH]);
    }
    one.does(&["del", PORT, "--host", "host-2"]);
    mesh.everywhere(PATH, other("8080"));
    assert_eq!(one.fails(&["del", PORT, "--host", "host-2"]).code, 3);
}

#[test]
fn a_role_is_for_all_that_have_it_and_the_host_goes_before_it_over_restarts() {
    let mut mesh = mesh_with_roles();
    mesh.hosts[0].does(&["put", PORT, "5432", "--role", "db"]);
    for number in [1, 2] {
        has(&mesh, number, &APP_TOML.replace("8080", "5432"));
    }
    mesh.hosts[0].does(&["put", PORT, "5433", "--host", "host-3"]);
    has(&mesh, 2, &APP_TOML.replace("8080", "5433"));
    // Edited where only the role's value is seen, it changes for the role.
    mesh.hosts[1].save(PATH, APP_TOML.replace("8080", "6000"));
    let value = |mesh: &Mesh| mesh.hosts[0].does(&["get", PORT, "--role", "db"]).trim().to_owned();
    eventually(&mesh, "the role's value is 6000", || if value(&mesh) == "6000" { Ok(()) } else { Err(value(&mesh)) });
    assert_eq!(mesh.hosts[1].json(&["status"])["roles"], json!(["db"]));
    mesh.settle();
    for host in &mut mesh.hosts {
        host.stop();
    }
    mesh.start_all();
    for (number, port) in [(0, "8080"), (1, "6000"), (2, "5433")] {
        has(&mesh, number, &APP_TOML.replace("8080", port));
    }
    let db = (json!("role=db"), json!(6000), json!(false));
    let own = (json!("host=host-3"), json!(5433), json!(true));
    assert_eq!(explained(&mesh.hosts[2]), [(json!(null), json!(8080), json!(false)), db, own]);
    // Edited while the daemon is down, it is still known which part of the file was whose.
    mesh.hosts[2].stop();
    mesh.hosts[2].save(PATH, APP_TOML.replace("8080", "5434").replace("burst = 80", "burst = 81"));
    mesh.hosts[2].start();
    for (number, port) in [(0, "8080"), (1, "6000"), (2, "5434")] {
        has(&mesh, number, &APP_TOML.replace("8080", port).replace("burst = 80", "burst = 81"));
    }
    mesh.hosts[2].does(&["del", PORT, "--host", "host-3"]);
    has(&mesh, 2, &APP_TOML.replace("8080", "6000").replace("burst = 80", "burst = 81"));
    // Also where the overlay's value was the file's own, and nothing was written.
    mesh.hosts[0].does(&["put", "config/app.toml#limits.rps", "200", "--host", "host-3"]);
    mesh.settle();
    mesh.hosts[2].stop();
    mesh.hosts[2].save(PATH, mesh.hosts[2].text(PATH).replace("rps = 200", "rps = 7"));
    mesh.hosts[2].start();
    let rps = |mesh: &Mesh| mesh.hosts[0].does(&["get", "config/app.toml#limits.rps", "--host", "host-3"]);
    eventually(&mesh, "it is the host's own", || if rps(&mesh).trim() == "7" { Ok(()) } else { Err(rps(&mesh)) });
    mesh.settle();
    has(&mesh, 0, &APP_TOML.replace("burst = 80", "burst = 81"));
}

#[test]
fn a_key_deleted_where_an_overlay_gives_it_a_value_is_gone_there_only() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    one.does(&["put", PORT, "9090", "--host", "host-2"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "9090"));
    let without = APP_TOML.replace("port = 8080\n", "");
    two.save(PATH, &without);
    let gone = |host: &Host| host.tries(&["get", PORT]).map_or(Ok(()), Err);
    eventually(&mesh, "the key is gone on host-2", || gone(two));
    mesh.settle();
    has(&mesh, 0, APP_TOML);
    has(&mesh, 1, &without);
    let said = explained(two);
    assert_eq!((&said[1].0, &said[1].2, said.len()), (&json!("host=host-2"), &json!(true), 2));
    assert!(two.does(&["get", "--explain", "config/app.toml"]).contains("(taken away)"));
    one.does(&["del", PORT, "--host", "host-2"]);
    mesh.everywhere(PATH, APP_TOML);
}

#[test]
fn a_renamed_file_keeps_what_is_some_hosts_own() {
    const RENAMED: &str = "service.toml";
    let mesh = Mesh::start(3);
    let [one, two, _] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    one.does(&["put", PORT, "9090", "--host", "host-2"]);
    one.does(&["put", PORT, "9191", "--host", "host-3"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "9090"));
    has(&mesh, 2, &APP_TOML.replace("8080", "9191"));
    mesh.settle();
    fs::rename(two.path(PATH), two.path(RENAMED)).unwrap();
    for (number, port) in [(0, "8080"), (1, "9090"), (2, "9191")] {
        let (host, content) = (&mesh.hosts[number], APP_TOML.replace("8080", port));
        eventually(&mesh, &format!("{} has the renamed file", host.name), || host.has(RENAMED, &content));
    }
    mesh.nowhere(PATH);
    mesh.settle();
    // What isn't of that format has no overlays: it is what stood in the file.
    fs::rename(two.path(RENAMED), two.path("service.txt")).unwrap();
    mesh.everywhere("service.txt", APP_TOML.replace("8080", "9090"));
    mesh.nowhere(RENAMED);
    mesh.has_no_problems();
}

/// Without a file nobody sees an overlay; a file that comes back under the name has it again.
#[test]
fn an_overlay_outlives_its_file() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    for path in ["other.toml", "third.toml", PATH] {
        one.save(path, APP_TOML);
        mesh.everywhere(path, APP_TOML);
    }
    one.does(&["put", PORT, "9090", "--host", "host-2"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "9090"));
    mesh.settle();
    fs::remove_file(two.path(PATH)).unwrap();
    mesh.nowhere(PATH);
    mesh.settle();
    assert_eq!(one.fails(&["put", PORT, "9191", "--host", "host-2"]).code, 3);
    assert_eq!(one.does(&["get", PORT, "--host", "host-2"]).trim(), "9090");
    assert_eq!(two.fails(&["get", PORT]).code, 3);
    one.save(PATH, APP_TOML);
    has(&mesh, 1, &APP_TOML.replace("8080", "9090"));
    has(&mesh, 0, APP_TOML);
    mesh.settle();
    one.does(&["del", "config/app.toml"]);
    mesh.nowhere(PATH);
    mesh.settle();
    one.does(&["del", "config/app.toml", "--host", "host-2"]);
    assert_eq!(one.fails(&["get", PORT, "--host", "host-2"]).code, 3);
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    one.does(&["put", PORT, "9292", "--host", "host-2"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "9292"));
}

/// What was edited while the daemon was down was made of the overlays that the file showed then.
#[test]
fn roles_and_names_of_the_settings_count_from_the_next_start() {
    let mut mesh = mesh_with_roles();
    mesh.hosts[0].does(&["put", PORT, "5432", "--role", "db"]);
    mesh.hosts[0].does(&["put", PORT, "6000", "--role", "eu"]);
    has(&mesh, 1, &APP_TOML.replace("8080", "5432"));
    mesh.settle();
    let host = &mut mesh.hosts[1];
    host.stop();
    let settings = fs::read_to_string(host.settings()).unwrap();
    fs::write(host.settings(), settings.replace("[\"db\"]", "[\"eu\"]")).unwrap();
    host.save(PATH, APP_TOML.replace("8080", "5433").replace("burst = 80", "burst = 81"));
    host.start();
    for (number, port) in [(0, "8080"), (1, "6000"), (2, "5433")] {
        has(&mesh, number, &APP_TOML.replace("8080", port).replace("burst = 80", "burst = 81"));
    }
    assert_eq!(mesh.hosts[1].json(&["status"])["roles"], json!(["eu"]));
    // A value of a host that isn't there waits, and changes nothing.
    mesh.hosts[1].does(&["put", PORT, "1", "--host", "host-9"]);
    mesh.settle();
    has(&mesh, 1, &APP_TOML.replace("8080", "6000").replace("burst = 80", "burst = 81"));
    assert_eq!(mesh.hosts[0].does(&["get", PORT, "--host", "host-9"]).trim(), "1");
}

#[test]
fn an_editor_and_a_comparison_see_what_the_file_shows() {
    const OVERLAID: &str = "config/app.toml?host=host-1#server.port";
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    let before = one.does(&["put", "config/app.toml#limits.rps", "300"]).trim().to_owned();
    one.put(OVERLAID, "9090");
    one.put("config/app.toml#limits.burst", "81");
    let shown = APP_TOML.replace("rps = 200", "rps = 300").replace("burst = 80", "burst = 81");
    has(&mesh, 0, &shown.replace("8080", "9090"));
    mesh.settle();
    assert_eq!(one.does(&["diff", "config/app.toml"]), "", "the file is what it should be");
    let since = one.json(&["diff", "config/app.toml", &before]);
    let keys = since["keys"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[0]["key"]), (1, &json!("limits.burst")), "{since}");
    one.does(&["edit", "config/app.toml", "--editor", "sed -i -e s/9090/9191/ -e s/300/400/"]);
    has(&mesh, 0, &shown.replace("8080", "9191").replace("rps = 300", "rps = 400"));
    one.does(&["edit", PORT, "--editor", "sed -i s/9191/9292/"]);
    one.does(&["edit", "config/app.toml?host=host-1", "--editor", "sed -i s/9292/9393/"]);
    has(&mesh, 0, &shown.replace("8080", "9393").replace("rps = 300", "rps = 400"));
    assert_eq!(one.does(&["get", "--base", "config/app.toml"]), shown.replace("rps = 300", "rps = 400"));
}

#[test]
fn what_is_exported_and_imported_is_the_same_for_all() {
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    one.does(&["put", PORT, "9090", "--host", "host-1"]);
    has(&mesh, 0, &APP_TOML.replace("8080", "9090"));
    let directory = one.directory.join("exported");
    one.does(&["export", "--to", directory.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(directory.join("config/app.toml")).unwrap(), APP_TOML);
    let overlay = directory.join("config/app.toml?host=host-1");
    assert_eq!(fs::read_to_string(&overlay).unwrap(), "[server]\nport = 9090\n");
    fs::write(&overlay, "[server]\nport = 9191\n").unwrap();
    fs::write(directory.join("config/app.toml"), APP_TOML.replace("burst = 80", "burst = 81")).unwrap();
    one.does(&["import", directory.to_str().unwrap()]);
    has(&mesh, 0, &APP_TOML.replace("8080", "9191").replace("burst = 80", "burst = 81"));
    assert_eq!(one.does(&["get", "--base", PORT]).trim(), "8080");
}

#[test]
fn watchers_of_a_file_see_what_its_overlays_change_here() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    let client = two.client();
    let resume = client.ask(|mesh| async {
        let mut watch = mesh.watch(PORT).init(true).start().await.unwrap();
        let first = watch.next().await.unwrap().unwrap();
        assert_eq!((first.key.as_str(), first.value.unwrap().text.as_str()), ("server.port", "8080"));
        one.put("config/app.toml?host=host-2#server.port", "9090");
        let event = watch.next().await.unwrap().unwrap();
        assert_eq!((&*event.doc, &*event.key, &*event.value.unwrap().text), ("config/app.toml", "server.port", "9090"));
        assert_eq!(event.host.as_deref(), Some("host-1"));
        event.resume
    });
    mesh.settle();
    one.put("config/app.toml?host=host-2#server.port", "9191");
    mesh.settle();
    has(&mesh, 1, &APP_TOML.replace("8080", "9191"));
    client.ask(|mesh| async {
        let mut watch = mesh.watch(PORT).resume(Some(resume)).start().await.unwrap();
        let event = watch.next().await.unwrap().unwrap();
        assert_eq!((&*event.doc, &*event.value.unwrap().text), ("config/app.toml", "9191"));
    });
}

#[test]
fn two_values_of_one_overlay_are_a_conflict_of_the_overlay() {
    const OVERLAID: &str = "config/app.toml?role=db#server.port";
    let mut mesh = mesh_with_roles();
    mesh.hosts[0].put(OVERLAID, "4000");
    mesh.settle();
    for (writes, port) in [(1, "5000"), (2, "6000")] {
        mesh.hosts.iter_mut().filter(|host| host.is_up()).for_each(|host| {
            host.stop();
        });
        mesh.hosts[writes].start();
        mesh.hosts[writes].put(OVERLAID, port);
    }
    mesh.hosts.iter_mut().filter(|host| !host.is_up()).for_each(Host::start);
    mesh.settle();
    let conflict = eventually(&mesh, "the conflict is listed on all hosts, the same", || {
        let lists: Vec<Json> = mesh.hosts.iter().map(|host| host.json(&["conflicts"])["conflicts"].clone()).collect();
        let is_one = lists[0].as_array().unwrap().len() == 1 && lists.iter().all(|list| *list == lists[0]);
        if is_one { Ok(lists[0][0].clone()) } else { Err(format!("{lists:?}")) }
    });
    assert_eq!((&conflict["doc"], &conflict["key"]), (&json!("config/app.toml?role=db"), &json!("server.port")));
    let values = conflict["values"].as_array().unwrap().iter().map(|value| value["value"].to_string());
    let values: Vec<String> = values.collect();
    for number in [1, 2] {
        has(&mesh, number, &APP_TOML.replace("8080", &values[0]));
        let entry = mesh.hosts[number].json(&["get", PORT]);
        assert_eq!((&entry["overlay"], entry["conflicts"].as_array().unwrap().len()), (&json!("role=db"), 2));
    }
    has(&mesh, 0, APP_TOML);
    assert_eq!(mesh.hosts[0].json(&["get", PORT])["conflicts"], json!([]));
    mesh.hosts[0].does(&["resolve", OVERLAID, "--take", "2"]);
    for number in [1, 2] {
        has(&mesh, number, &APP_TOML.replace("8080", &values[1]));
    }
    let open = |host: &Host| host.json(&["conflicts"])["conflicts"].clone();
    for host in &mesh.hosts {
        eventually(
            &mesh,
            "it is resolved",
            || if open(host) == json!([]) { Ok(()) } else { Err(open(host).to_string()) },
        );
    }
}

#[test]
fn what_was_put_in_vain_says_why() {
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    one.save("notes.txt", "a line\n");
    one.save(PATH, APP_TOML);
    mesh.everywhere("notes.txt", "a line\n");
    mesh.everywhere(PATH, APP_TOML);
    let rows = [
        (["put", "config/notes.txt#a", "1", "--host", "host-1"], "kept as text", 1),
        (["put", "config/none.toml#a", "1", "--host", "host-1"], "could be over", 3),
        (["put", "config/app.toml#server", "1", "--host", "host-1"], "another kind", 1),
        (["put", "config/app.toml#a[0]", "1", "--role", "db"], "names items", 1),
        (["put", "config/app.toml#a", "1", "--role", "d b"], "letters", 2),
    ];
    for (arguments, why, code) in rows {
        let failure = one.fails(&arguments);
        assert_eq!((failure.code, failure.lines.concat().contains(why)), (code, true), "{arguments:?}: {failure:?}");
    }
    one.has(PATH, APP_TOML).unwrap();
}

/// One save changes two documents. However the daemon ends meanwhile, both parts are taken in, once.
#[test]
fn a_killed_daemon_takes_in_all_parts_of_a_save() {
    const SAVES: u32 = 12;
    let mut rng = seeded("a_killed_daemon_takes_in_all_parts_of_a_save");
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    mesh.hosts[0].does(&["put", PORT, "9000", "--host", "host-1"]);
    has(&mesh, 0, &APP_TOML.replace("8080", "9000"));
    let of =
        |port: u32, rps: u32| APP_TOML.replace("8080", &port.to_string()).replace("rps = 200", &format!("rps = {rps}"));
    for number in 1..=SAVES {
        mesh.hosts[0].save_by_rename(PATH, of(9000 + number, 200 + number));
        // The moment is what is tried here: anywhere in the life of a save.
        std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 30_000)));
        mesh.hosts[0].kill();
        mesh.hosts[0].start();
        has(&mesh, 1, &of(8080, 200 + number));
        has(&mesh, 0, &of(9000 + number, 200 + number));
    }
    mesh.settle();
    assert_eq!(mesh.hosts[1].does(&["get", PORT, "--host", "host-1"]).trim(), (9000 + SAVES).to_string());
    assert_eq!(mesh.hosts[1].json(&["conflicts"])["conflicts"], json!([]));
}
