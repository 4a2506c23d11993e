//! What a seed stands for: how many hosts, which links, which faults.

use std::fmt;

use murmurate_protocol::topology::FULL_MESH;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A host whose key is in a thief's hands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theft {
    pub(crate) thief: u8,
    pub(crate) revoked_at_ms: u64,
    /// Whether the mesh is cut in two just before.
    pub(crate) partition: bool,
    /// What the thief writes until some time after everything is healed, and as much again just after the revocation.
    pub(crate) writes: u32,
    /// A host that starts for the first time after this.
    pub(crate) late: u8,
    pub(crate) late_ms: u64,
}

/// What a seed stands for.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) hosts: u8,
    /// Pairs that can connect at all, lower number first.
    pub(crate) links: Vec<(u8, u8)>,
    /// Single frames are lost, duplicated and reordered; otherwise connections are ordered and reliable until they break.
    pub(crate) harsh: bool,
    pub(crate) delay_ms: u64,
    pub(crate) disk_ms: u64,
    pub(crate) writes: u32,
    pub(crate) documents: u64,
    /// The longest value written.
    pub(crate) value_bytes: u64,
    pub(crate) faults: u32,
    /// How long faults go on before everything is healed.
    pub(crate) stormy_ms: u64,
    /// Host 0 alone knows all admissions; the others know their own.
    pub(crate) roster_spreads: bool,
    /// A small limit of the waiting buffer, so that it overflows.
    pub(crate) waiting_bytes: usize,
    /// What issuers and the hosts themselves state meanwhile.
    pub(crate) statements: u32,
    pub(crate) theft: Option<Theft>,
    /// All hosts stay up and can reach each other; connections break and frames are lost, nothing else.
    pub(crate) all_stay: bool,
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let hosts = if below(4) == 0 { 10 + below(11) } else { 2 + below(6) };
        let hosts = u8::try_from(hosts).unwrap();
        let most_documents = if below(4) == 0 { 40 } else { 4 };
        let chords = if below(3) == 0 { below(3) } else { 100 };
        let links = (0..hosts).flat_map(|a| (a + 1..hosts).map(move |b| (a, b)));
        let all = usize::from(hosts) > FULL_MESH;
        let links =
            links.filter(|&(a, b)| all || b == a + 1 || (a, b) == (0, hosts - 1) || below(20) < chords).collect();
        Self {
            seed,
            hosts,
            links,
            harsh: below(3) == 0,
            delay_ms: [1, 1, 5, 40, 300][usize::try_from(below(5)).unwrap()],
            disk_ms: [1, 1, 5, 100][usize::try_from(below(4)).unwrap()],
            writes: 10 + u32::try_from(below(60)).unwrap(),
            documents: 1 + below(most_documents),
            value_bytes: if below(5) == 0 { 40_000 } else { 10 },
            faults: u32::try_from(below(12)).unwrap(),
            stormy_ms: 2_000 + below(20_000),
            roster_spreads: below(2) == 0,
            waiting_bytes: if below(4) == 0 { 100_000 } else { 32 << 20 },
            statements: u32::try_from(below(20)).unwrap(),
            theft: None,
            all_stay: false,
        }
    }

    /// The same with a thief among at least four hosts.
    pub(crate) fn with_thief(seed: u64) -> Self {
        const ANOTHER: u64 = 1_000_003;
        let scenario = (0..).map(|n| Self::of(seed + n * ANOTHER)).find(|scenario| scenario.hosts >= 4).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let thief = 1 + u8::try_from(below(u64::from(scenario.hosts) - 1)).unwrap();
        let late = u8::try_from(below(scenario.hosts.into())).unwrap();
        let theft = Theft {
            thief,
            revoked_at_ms: scenario.stormy_ms / 5 + below(scenario.stormy_ms * 7 / 10),
            partition: below(3) > 0,
            writes: 5 + u32::try_from(below(20)).unwrap(),
            late,
            late_ms: if late == thief { 0 } else { below(scenario.stormy_ms) },
        };
        Self { theft: Some(theft), ..scenario }
    }

    /// The same without crashes and cuts: three of ten frames are lost, one comes twice, and two connections break each
    /// second.
    pub(crate) fn lossy(seed: u64) -> Self {
        let scenario = Self::of(seed);
        let links = (0..scenario.hosts).flat_map(|a| (a + 1..scenario.hosts).map(move |b| (a, b))).collect();
        Self { harsh: true, all_stay: true, faults: 40, stormy_ms: 20_000, links, ..scenario }
    }

    /// Whether the mesh is so large that hosts choose whom they dial. Else all links that can be are dialled.
    pub(crate) fn hosts_choose_links(&self) -> bool {
        usize::from(self.hosts) > FULL_MESH
    }

    /// Whether the host's key was stolen.
    pub(crate) fn is_thief(&self, host: u8) -> bool {
        self.theft.is_some_and(|theft| theft.thief == host)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, links, harsh, delay_ms, writes, faults, statements, .. } = self;
        let links = links.len();
        write!(f, "{hosts} hosts, {links} links, harsh {harsh}, {delay_ms} ms, {writes} writes, {faults} faults, ")?;
        write!(f, "{statements} statements")?;
        self.theft.map_or(Ok(()), |theft| write!(f, ", {theft:?}"))
    }
}
