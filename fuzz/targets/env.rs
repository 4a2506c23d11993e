#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| murmurate_crdt::fuzzing::env(data));
