//! The same identity twice: a copied data directory.

use murmurate_net::RefuseReason;

use crate::support::{Mesh, Node};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_meets_its_original_is_refused_and_both_say_so() {
    let mesh = Mesh::new(1, 1);
    let (original, copy) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(1)));
    copy.dial(&[original.address()]);
    assert_eq!(original.refused(|_| true).await, RefuseReason::OwnIdentity);
    assert_eq!(copy.refused(|_| true).await, RefuseReason::OwnIdentity);
    assert!(!original.has_ever_connected() && !copy.has_ever_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_refused_on_second_sight_and_all_say_so() {
    // Whoever of the two has the lower id decides about connections, so both ways are tried.
    for seed in [2, 3, 4, 5] {
        let mesh = Mesh::new(1, 1);
        let third = Node::start(mesh.identity(1));
        let (original, copy) = (Node::start(mesh.identity(seed)), Node::start(mesh.identity(seed)));
        original.dial(&[third.address()]);
        third.connected(&original, 1).await;
        copy.dial(&[third.address()]);
        assert_eq!(third.refused(|_| true).await, RefuseReason::IdentityInUse { node: original.id });
        assert_eq!(copy.refused(|_| true).await, RefuseReason::OwnIdentityElsewhere);
        // Also when the third dials it.
        third.dial(&[copy.address()]);
        original.reaches(&third, "still there").await;
        assert_eq!(third.changes(&original.id), (1, 0), "{}", third.summary());
        assert!(!copy.has_ever_connected(), "{}", copy.summary());
    }
}
