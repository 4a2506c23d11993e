#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| murmurate_net::fuzzing::gossip(data));
