//! A link that carries in one direction only.

use crate::harness::eventually;
use crate::switch::{Lab, Link};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "one-way partition",
    promise: "data relays over a third node; status shows the one-way link",
    extent: Extent::Partly(
        "`members` and `status` name the host that is reached only through others, and through which; which of the two \
         directions is the broken one, they don't know",
    ),
    tests: &[
        Test("tests/lab/one_way.rs", "over_a_link_that_carries_one_way_data_takes_the_way_over_a_third_host"),
        Test("mesh/protocol/tests/it/scenes.rs", "where_links_are_missing_a_change_takes_further_hops_at_once"),
        Test("mesh/net/tests/it/faults.rs", "after_a_partition_of_any_kind_nodes_find_each_other"),
    ],
};

#[test]
fn over_a_link_that_carries_one_way_data_takes_the_way_over_a_third_host() {
    let test = "over_a_link_that_carries_one_way_data_takes_the_way_over_a_third_host";
    let Some(lab) = Lab::start(test, 3) else { return };
    let mesh = &lab.mesh;
    lab.switch.set(0, 1, Link::CUT);
    for (from, to) in [(0, 1), (1, 0)] {
        let (host, other) = (&mesh.hosts[from], &mesh.hosts[to].name);
        eventually(mesh, &format!("{} shows that it reaches {other} through host-3 only", host.name), || {
            let members = host.json(&["members"]);
            let member =
                members["members"].as_array().unwrap().iter().find(|member| member["name"] == **other).unwrap();
            if member["through"] == serde_json::json!(["host-3"]) { Ok(()) } else { Err(members.to_string()) }
        });
        eventually(mesh, &format!("{} says that host-3 reaches {other}", host.name), || {
            let output = host.run(&["ping", other, "-o", "jsonl"]);
            let ping: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let is_so = ping["outcome"] == "reached" && ping["through"] == "host-3" && output.status.code() == Some(1);
            if is_so { Ok(()) } else { Err(ping.to_string()) }
        });
        eventually(mesh, &format!("{} has it in its status", host.name), || match host.does(&["status"]) {
            status if status.contains(&format!("no connection with {other}")) => Ok(()),
            status => Err(status),
        });
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let key = format!("config/from-{from}.toml#key");
        mesh.hosts[from].put(&key, "1");
        eventually(mesh, &format!("{key} arrives"), || {
            mesh.hosts[to].tries(&["get", &key]).map_err(|failure| format!("{failure:?}"))
        });
        mesh.everywhere(&format!("from-{from}.toml"), "key = 1\n");
    }
    lab.switch.set_all(Link::default());
    mesh.settle();
    let members = mesh.hosts[0].json(&["members"]);
    assert!(
        members["members"].as_array().unwrap().iter().all(|member| member["through"].as_array().unwrap().is_empty())
    );
}
