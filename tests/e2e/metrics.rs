//! Metrics: what they say moves when something happens, and they say it in a form that others can read.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::{APP_TOML, Exposition, Host, Mesh, eventually, poll};

const PORT: &str = "config/app.toml#server.port";

/// The metrics of a host, as its command line prints them.
fn metrics(host: &Host) -> Exposition {
    Exposition::read(&host.does(&["debug", "metrics"]))
}

/// Waits until it is so of a host's metrics, and gives them.
#[track_caller]
fn moved(mesh: &Mesh, host: &Host, what: &str, is_so: impl Fn(&Exposition) -> bool) -> Exposition {
    eventually(mesh, &format!("{} counts {what}", host.name), || {
        let metrics = metrics(host);
        if is_so(&metrics) { Ok(metrics) } else { Err(format!("{:#?}", metrics.samples)) }
    })
}

fn applied(metrics: &Exposition, way: &str) -> f64 {
    metrics.value("murmurate_changes_applied_total", &[("way", way)]).unwrap()
}

#[test]
fn a_put_moves_the_counts_of_who_writes_and_of_who_receives() {
    let mesh = Mesh::start_apart(2);
    let [writer, reader] = &mesh.hosts[..] else { panic!() };
    writer.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    let (writer_before, reader_before) = (metrics(writer), metrics(reader));
    assert_eq!(writer_before.value("murmurate_members", &[("state", "alive")]), Some(2.0));
    assert_eq!(writer_before.value("murmurate_links", &[]), Some(1.0));
    assert_eq!(writer_before.value("murmurate_folders", &[]), Some(1.0));
    assert!(writer_before.value("murmurate_store_bytes", &[]) > Some(0.0));

    writer.put(PORT, "9090");
    mesh.everywhere("app.toml", APP_TOML.replace("8080", "9090"));
    mesh.settle();
    let local = applied(&writer_before, "local") + 1.0;
    let converged = writer_before.value("murmurate_convergence_seconds_count", &[]);
    let writer_after = moved(&mesh, writer, "that all agree", |metrics| {
        metrics.value("murmurate_convergence_seconds_count", &[]) > converged
            && metrics.sum("murmurate_peer_lag_changes") == 0.0
    });
    assert_eq!(applied(&writer_after, "local"), local);
    let reader_after = moved(&mesh, reader, "a write of the file", |metrics| {
        let exchanged = [("outcome", "exchanged")];
        metrics.value("murmurate_file_writes_total", &exchanged)
            > reader_before.value("murmurate_file_writes_total", &exchanged)
    });
    let received = |metrics: &Exposition| applied(metrics, "push") + applied(metrics, "anti_entropy");
    assert_eq!(received(&reader_after), received(&reader_before) + 1.0);

    let rose = |after: &Exposition, before: &Exposition, name: &str| {
        assert!(after.sum(name) > before.sum(name), "{name}: {} {}", before.sum(name), after.sum(name));
    };
    for name in ["murmurate_changes_sent_total", "murmurate_frames_total", "murmurate_network_bytes_total"] {
        rose(&writer_after, &writer_before, name);
    }
    for name in ["murmurate_store_commit_seconds_count", "murmurate_store_items_total", "murmurate_api_requests_total"]
    {
        rose(&writer_after, &writer_before, name);
    }
    for name in ["murmurate_changes_received_total", "murmurate_frame_bytes_total", "murmurate_store_changes"] {
        rose(&reader_after, &reader_before, name);
    }
    let put = [("method", "PUT"), ("operation", "/v1/value"), ("status", "2xx")];
    assert_eq!(writer_after.value("murmurate_api_requests_total", &put), Some(1.0));
    assert_eq!(writer_before.fallen(&writer_after), None);
    assert_eq!(reader_before.fallen(&reader_after), None);
}

#[test]
fn all_that_the_document_lists_is_told_and_nothing_else() {
    let mesh = Mesh::start_apart(2);
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    let document = std::fs::read_to_string("docs/METRICS.md").unwrap();
    let listed = |from: &str| -> BTreeSet<String> {
        let rows = document.split(from).nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
    };
    let told = metrics(&mesh.hosts[0]);
    let (queues, all) = (listed("## The queues"), listed("# Metrics"));
    assert_eq!(told.types.keys().cloned().collect::<BTreeSet<_>>(), all.difference(&queues).cloned().collect());
    let lengths = told.samples.keys().filter(|(name, _)| name.starts_with("murmurate_queue_"));
    let names: BTreeSet<String> = lengths.map(|(_, labels)| labels["queue"].clone()).collect();
    assert_eq!(names, queues);
    for queue in &queues {
        for (held, limit) in [
            ("murmurate_queue_items", "murmurate_queue_items_limit"),
            ("murmurate_queue_bytes", "murmurate_queue_limit_bytes"),
        ] {
            let (held, limit) = (told.value(held, &[("queue", queue)]), told.value(limit, &[("queue", queue)]));
            assert_eq!(held.is_some(), limit.is_some(), "{queue}");
            assert!(held <= limit && limit != Some(0.0), "{queue}: {held:?} of {limit:?}");
        }
    }
}

#[test]
fn a_host_that_is_away_is_counted_and_its_connection_is_not_forgotten() {
    let mut mesh = Mesh::start_apart(2);
    mesh.settle();
    let before = metrics(&mesh.hosts[0]);
    mesh.hosts[1].kill();
    let host = &mesh.hosts[0];
    let dead = moved(&mesh, host, "a dead member", |metrics| {
        metrics.value("murmurate_members", &[("state", "dead")]) == Some(1.0)
    });
    assert_eq!(dead.value("murmurate_links", &[]), Some(0.0));
    assert!(dead.value("murmurate_deaths_total", &[]) >= Some(1.0));
    assert!(dead.value("murmurate_connections_ended_total", &[]) >= Some(1.0));
    for direction in ["sent", "received"] {
        let bytes = |metrics: &Exposition| metrics.value("murmurate_network_bytes_total", &[("direction", direction)]);
        assert!(bytes(&dead) >= bytes(&before), "{direction}");
    }
}

/// The answer to a request to a port.
fn ask(address: SocketAddr, request: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

#[test]
fn a_scraper_on_the_host_reads_them_from_the_port_of_the_settings() {
    let mut mesh = Mesh::start_apart(1);
    let host = &mut mesh.hosts[0];
    host.stop();
    let settings = std::fs::read_to_string(host.settings()).unwrap();
    std::fs::write(host.settings(), format!("{settings}\n[metrics]\nlisten = \"127.0.0.1:0\"\n")).unwrap();
    host.start();
    let address = poll(|| {
        let log = host.logged();
        let address = log.split("http://").last().and_then(|rest| rest.split("/metrics").next());
        address.and_then(|address| address.parse().ok()).ok_or(log.clone())
    });
    let address = address.unwrap();
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(Exposition::read(body).value("murmurate_members", &[("state", "alive")]), Some(1.0));
    let other = ask(address, "GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");

    // Another program has the port: the daemon says so, and doesn't run half.
    host.stop();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    host.environment = vec![("MURMURATE_METRICS_LISTEN".into(), taken.local_addr().unwrap().to_string())];
    host.try_start().unwrap_err();
    assert!(host.last_words().contains("listen for metrics on"), "{}", host.last_words());
    host.environment = vec![("MURMURATE_METRICS_LISTEN".into(), "0.0.0.0:9464".into())];
    host.try_start().unwrap_err();
    let words = host.last_words();
    assert!(words.contains("0.0.0.0:9464") && words.contains("only loopback addresses are taken"), "{words}");
}
