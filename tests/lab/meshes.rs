//! Two meshes that were pointed at each other.

use murmurate_crdt::id::MeshId;

use crate::harness::{Certificate, Directory, Mesh, authority, eventually, free_address, prepare};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "two meshes joined by accident",
    promise: "refused: the mesh id is part of the handshake",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/meshes.rs", "two_meshes_that_point_at_each_other_stay_two"),
        Test("tests/e2e/certificates.rs", "who_has_no_good_certificate_gets_nowhere_and_the_log_names_why"),
    ],
};

#[test]
fn two_meshes_that_point_at_each_other_stay_two() {
    let addresses: Vec<_> = (0..4).map(|_| free_address()).collect();
    let meshes: Vec<Mesh> = (0..2)
        .map(|mesh| {
            let directory = Directory::new();
            let authority = authority(MeshId([mesh + 1; 16]));
            let own = usize::from(mesh) * 2;
            let hosts = (own..own + 2).map(|number| {
                let peers: Vec<_> = addresses.iter().filter(|peer| **peer != addresses[number]).copied().collect();
                prepare(
                    directory.path(),
                    &authority,
                    &format!("host-{number}"),
                    Certificate::Valid,
                    addresses[number],
                    &peers,
                )
            });
            let hosts = hosts.collect();
            Mesh::of(directory, hosts)
        })
        .collect();
    for (number, mesh) in meshes.iter().enumerate() {
        mesh.hosts[0].put(&format!("config/of-{number}.toml#key"), "1");
        mesh.everywhere(&format!("of-{number}.toml"), "key = 1\n");
    }
    for (mesh, other) in [(&meshes[0], 1), (&meshes[1], 0)] {
        for host in &mesh.hosts {
            eventually(mesh, &format!("{} says what is wrong", host.name), || match host.does(&["status"]) {
                status if status.contains("of another mesh") => Ok(()),
                status => Err(status),
            });
            assert!(host.logged().contains("of another mesh"), "{}", host.logged());
            let members = host.json(&["members"]);
            assert_eq!(members["members"].as_array().unwrap().len(), 2, "{members}");
            assert_eq!(host.fails(&["get", &format!("config/of-{other}.toml#key")]).code, 3);
        }
        mesh.settle();
    }
}
