//! What only the core knows of what `doctor` looks at.

use std::collections::BTreeMap;

use murmurate_client::types::PathFacts;
use murmurate_net::PathStats;

use crate::daemon::core::Core;
use crate::daemon::request::CoreFacts;

impl Core {
    pub(super) fn facts(&self) -> CoreFacts {
        let names = self.members().members.into_iter().map(|member| (member.id, member.name)).collect();
        let mut paths: Vec<_> = self.network.paths().into_iter().map(|path| path_facts(path, &names)).collect();
        paths.sort_by(|a, b| a.host.cmp(&b.host));
        CoreFacts { data_dir: self.data_dir.clone(), paths }
    }
}

fn path_facts(path: PathStats, names: &BTreeMap<String, String>) -> PathFacts {
    let id = path.peer.to_string();
    PathFacts {
        host: names.get(&id).cloned().unwrap_or(id),
        address: path.address.to_string(),
        round_trip_us: u64::try_from(path.round_trip.as_micros()).unwrap_or(u64::MAX),
        datagram_bytes: u64::from(path.datagram_bytes),
        sent: path.sent,
        lost: path.lost,
        black_holes: path.black_holes,
    }
}
