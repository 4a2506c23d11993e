//! What it costs to look after very many files: printed, not judged.

use std::fs;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::bench::{Bench, Scripted};
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::FileEvent;

const FILES: usize = 10_000;

/// Memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_scan_of_ten_thousand_files_reads_none_that_didnt_change() {
    let (system, reads) = Scripted::counting();
    let before_kib = resident_kib();
    let mut bench = Bench::on(system, |root| {
        for number in 0..FILES {
            let directory = root.join(format!("{}/{}", number % 100, number % 7));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("{number}.toml")), format!("number = {number}\n")).unwrap();
        }
    });
    // Fresh files are read once more, when the file system's clock has surely ticked.
    bench.run_ms(60_000);
    assert_eq!(bench.take_saves().len(), FILES);
    let grown_kib = resident_kib().saturating_sub(before_kib);
    reads.store(0, Ordering::Relaxed);
    let start = Instant::now();
    bench.step(vec![Input::Rescan]);
    let took = start.elapsed();
    assert!(bench.take_events().contains(&FileEvent::Scanned { folder: "web".into() }));
    // The marker isn't read in a scan either.
    assert_eq!(reads.load(Ordering::Relaxed), 0);
    fs::write(bench.path("42/0/42.toml"), "number = 43\n").unwrap();
    bench.step(vec![Input::Rescan]);
    bench.run_ms(400);
    assert_eq!((bench.take_saves().len(), reads.load(Ordering::Relaxed)), (1, 1));
    // Shown even when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "a scan of {FILES} files takes {took:.1?}; the process grew by {grown_kib} KiB with them"
    );
}
