#![no_main]

// automerge may panic here, and that is caught: only what isn't caught ends the run.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| murmurate_crdt::fuzzing::snapshot(data)
);
