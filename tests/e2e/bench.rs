//! `murmurate bench`: figures of a mesh that runs, and nothing left behind. How good they are is no matter here.

use std::fs;

use crate::harness::Mesh;

#[test]
fn bench_measures_a_mesh_that_runs_and_leaves_nothing_behind() {
    let mesh = Mesh::start(2);
    let host = &mesh.hosts[0];
    let scratch = mesh.directory.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let only = ["--only", "visible", "--only", "watch", "--only", "file", "--seconds", "1s", "--scratch"];
    let report = host.json(&[&["bench"], &only[..], &[scratch.to_str().unwrap()]].concat());
    assert_eq!(report["v"], 1);
    assert_eq!(report["hosts"]["own"], "host-1");
    assert_eq!(report["hosts"]["others"], serde_json::json!(["host-2"]));
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0 && report["machine"]["sync"]["p50_ms"].is_number());
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in rows {
        let latency = &row["reached"]["latency"];
        assert!(latency["count"].as_u64().unwrap() > 0, "{row}");
        let [p50, p99, max] = ["p50_ms", "p99_ms", "max_ms"].map(|name| latency[name].as_f64().unwrap());
        assert!(p50 > 0.0 && p50 <= p99 && p99 <= max, "{row}");
    }
    for host in &mesh.hosts {
        let folders = host.json(&["folder", "ls"]);
        assert_eq!(folders["folders"].as_array().unwrap().len(), 1, "{folders}");
    }
    assert_eq!(host.does(&["ls", "murmurate-bench"]), "");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn bench_refuses_a_mesh_with_folders_in_use() {
    let mesh = Mesh::start(1);
    let host = &mesh.hosts[0];
    let real = mesh.directory.path().join("etc");
    fs::create_dir(&real).unwrap();
    host.does(&["folder", "add", "etc", real.to_str().unwrap()]);
    let failure = host.fails(&["bench", "--only", "watch", "--seconds", "1s"]);
    let said = failure.lines.join("\n");
    assert_eq!(failure.code, 2, "{said}");
    assert!(said.contains("E_NOT_CONFIRMED") && said.contains("--yes") && said.contains("--local"), "{said}");
    host.does(&["bench", "--only", "watch", "--seconds", "1s", "--yes"]);
}
