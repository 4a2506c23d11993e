//! Mutations for property tests that call the functions of a `fuzzing` module.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// What formats and protocols have special meanings for.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b"\0",
    b" ",
    b"\"",
    b"'",
    b"'''",
    b"\"\"\"",
    b"\\",
    b"\\u0041",
    b"\\ud800",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"{{",
    b"}}",
    b"${",
    b",",
    b":",
    b"=",
    b".",
    b"..",
    b"/",
    b"//",
    b"/*",
    b"*/",
    b"#",
    b"?",
    b"%",
    b"%2e",
    b"&",
    b"*a",
    b"-",
    b"+",
    b"0",
    b"1e999",
    b"0x",
    b"-0",
    b"9223372036854775808",
    b"true",
    b"null",
    b"nan",
    b"1979-05-27",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\x80",
    b"\x7f",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x89\xfa\x00",
    b"\x80\x89\x7a",
    b"name = \"a\"\n",
    b"\"id\": 1",
    b"a.b.c",
    b"- ",
    b": ",
    b"? ",
    b"\n  ",
    b"\n- a: 1\n  b: |+\n    x\n\n",
    b"\n# c\n\n",
    b"---\n",
    b"\n...\n",
    b"&a ",
    b"!t ",
    b">-\n  x\n",
    b";",
    b"\\\n",
    b"\n  ",
    b"[a]\n",
    b"a = 1\n",
    b"export A='",
    b"a b;\n",
];
/// How often a piece is repeated at most: deep and long inputs, within a moment.
const REPEATS: usize = 200;

#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, &'static [u8]),
    Repeat(Index, &'static [u8], usize),
    Remove(Index, usize),
    Double(Index, usize),
    Swap(Index, Index, usize),
    /// What follows comes from another seed.
    Splice(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = || proptest::sample::select(TOKENS);
    prop_oneof![
        3 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        2 => (any::<Index>(), prop_oneof![any::<u8>(), 0u8..4, 0x7cu8..0x84]).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        4 => (any::<Index>(), token()).prop_map(|(at, token)| Mutation::Insert(at, token)),
        1 => (any::<Index>(), token(), 1..REPEATS).prop_map(|(at, token, count)| Mutation::Repeat(at, token, count)),
        2 => (any::<Index>(), 1usize..32).prop_map(|(at, count)| Mutation::Remove(at, count)),
        2 => (any::<Index>(), 1usize..64).prop_map(|(at, count)| Mutation::Double(at, count)),
        1 => (any::<Index>(), any::<Index>(), 1usize..32).prop_map(|(at, to, count)| Mutation::Swap(at, to, count)),
        1 => (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(at, seed, from)| Mutation::Splice(at, seed, from)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation, seeds: &[Vec<u8>]) {
    let end = bytes.len();
    let place = |at: &Index| at.index(end + 1);
    match mutation {
        Mutation::Flip(..) | Mutation::Set(..) if end == 0 => {}
        Mutation::Flip(at, bit) => bytes[at.index(end)] ^= 1 << bit,
        Mutation::Set(at, byte) => bytes[at.index(end)] = *byte,
        Mutation::Insert(at, token) => drop(bytes.splice(place(at)..place(at), token.iter().copied())),
        Mutation::Repeat(at, token, count) => drop(bytes.splice(place(at)..place(at), token.repeat(*count))),
        Mutation::Remove(at, count) => drop(bytes.drain(place(at)..(place(at) + count).min(end))),
        Mutation::Double(at, count) => {
            let piece = bytes[place(at)..(place(at) + count).min(end)].to_vec();
            bytes.splice(place(at)..place(at), piece);
        }
        Mutation::Swap(at, to, count) => {
            let piece: Vec<u8> = bytes.drain(place(at)..(place(at) + count).min(end)).collect();
            let to = to.index(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        Mutation::Splice(at, seed, from) => {
            let other = &seeds[seed.index(seeds.len())];
            bytes.truncate(place(at));
            bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
    }
}

/// One of the seeds, with a few mutations.
pub(crate) fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), proptest::collection::vec(mutation(), 0..8)).prop_map(move |(seed, mutations)| {
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        mutations.iter().for_each(|mutation| mutate(&mut bytes, mutation, &seeds));
        bytes
    })
}

/// The files of a folder of seeds in `fuzz/seeds`: what was found once stays there, and is tried first.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|path| path.join("fuzz/seeds").is_dir()).unwrap();
    let folder = root.join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", folder.display());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// How many inputs a test tries: `count`, or what the environment variable `FUZZ_CASES` says. The seed of a run is
/// printed; `PROPTEST_RNG_SEED` replays it.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let wanted = std::env::var("FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0));
    println!("replay with PROPTEST_RNG_SEED={seed} FUZZ_CASES={wanted}");
    ProptestConfig {
        cases: wanted,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

/// Calls `function` with every seed, then with mutations of them.
pub(crate) fn check(seeds: Vec<Vec<u8>>, count: u32, function: fn(&[u8])) {
    seeds.iter().for_each(|seed| function(seed));
    let mut runner = proptest::test_runner::TestRunner::new(cases(count));
    let checked = runner.run(&mutated(seeds), |bytes| {
        function(&bytes);
        Ok(())
    });
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}
