//! What a host says of itself is shown on all others, also where there is no connection.

use murmurate_client::types::Member;

use crate::harness::{Host, Mesh, eventually};

/// Starts a host anew, in this zone, with this role among others.
fn move_to(host: &mut Host, zone: &str) {
    host.stop();
    let roles = format!("db,{zone}");
    host.environment =
        [("MURMURATE_ZONE", zone), ("MURMURATE_ROLES", &roles)].map(|(key, value)| (key.into(), value.into())).into();
    host.start();
}

/// Waits until a host shows another one so.
#[track_caller]
fn shows(mesh: &Mesh, host: &Host, other: &Host, what: &str, is_so: impl Fn(&Member) -> bool) {
    eventually(mesh, &format!("{} shows {} {what}", host.name, other.name), || {
        let members = host.client().ask(|mesh| mesh.members()).map_err(|error| error.to_string())?.members;
        let member = members.iter().find(|member| member.name == other.name);
        if member.is_some_and(&is_so) { Ok(()) } else { Err(format!("{members:?}")) }
    });
}

#[test]
fn zone_roles_and_version_of_each_host_are_shown_on_all() {
    let mut mesh = Mesh::start_apart(3);
    for (host, zone) in mesh.hosts.iter_mut().zip(["eu", "us", "asia"]) {
        move_to(host, zone);
    }
    mesh.settle();
    for host in &mesh.hosts {
        for (other, zone) in mesh.hosts.iter().zip(["eu", "us", "asia"]) {
            shows(&mesh, host, other, zone, |member| {
                member.zone.as_deref() == Some(zone)
                    && member.roles == ["db", zone]
                    && member.version.as_deref() == Some(env!("CARGO_PKG_VERSION"))
            });
        }
        let table = host.does(&["members"]);
        assert!(table.contains("ZONE") && table.contains("asia"), "{table}");
    }
    mesh.has_no_problems();
}

#[test]
fn without_a_link_a_host_is_heard_of_through_others() {
    let Some(mut mesh) = Mesh::start_apart_in_namespace("without_a_link_a_host_is_heard_of_through_others", 3) else {
        return;
    };
    let ports: Vec<u16> = mesh.hosts.iter().map(|host| host.address.port()).collect();
    mesh.namespace.as_ref().unwrap().cut(&ports[..1], &ports[1..2]);
    move_to(&mut mesh.hosts[1], "eu");
    let [one, two, _] = &mesh.hosts[..] else { panic!() };
    shows(&mesh, one, two, "in its new zone", |member| member.zone.as_deref() == Some("eu"));
    shows(&mesh, one, two, "as heard of", |member| member.heard_alive == Some(true) && !member.through.is_empty());
    mesh.heal();
    mesh.settle();
    let [one, two, _] = &mesh.hosts[..] else { panic!() };
    shows(&mesh, one, two, "connected", |member| member.heard_alive.is_none() && member.zone.as_deref() == Some("eu"));
}
