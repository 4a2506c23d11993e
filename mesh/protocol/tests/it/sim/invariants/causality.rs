//! P4: a change is applied after its writer's change before it and after all that it depends on, and once.

use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::envelope::SignedEnvelope;

pub(crate) fn check(host: u8, applied: &VersionVector, envelope: &SignedEnvelope) {
    let (document, dot) = (&envelope.document, envelope.dot);
    assert!(applied.is_next(dot), "host {host}: {document} {dot} isn't the next of its writer");
    for dependency in &envelope.dependencies {
        assert!(applied.includes(*dependency), "host {host}: {document} {dot} comes before {dependency}");
    }
}
