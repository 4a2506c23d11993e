//! Rows that other tests hold.

use crate::table::{Extent, Row, Test};

pub(crate) const PARTITION: Row = Row {
    fault: "full partition, minutes long",
    promise: "both sides read and write; converge within seconds of healing; every true conflict listed",
    extent: Extent::Holds,
    tests: &[
        Test("tests/e2e/partition.rs", "both_sides_of_a_cut_go_on_and_agree_after_it"),
        Test("tests/e2e/partition.rs", "one_key_edited_on_both_sides_of_a_cut_is_a_conflict_until_somebody_decides"),
        Test("tests/e2e/soak.rs", "after_a_soak_all_agree_and_the_last_values_are_there"),
    ],
};

pub(crate) const MALFORMED: Row = Row {
    fault: "malformed frames, bombs, giant or deep documents, YAML alias bombs",
    promise: "refused before apply, with a reason; the same limits on every node; no panic",
    extent: Extent::Holds,
    tests: &[
        Test("mesh/net/tests/it/frames.rs", "what_no_peer_sends_closes_the_connection_with_a_reason"),
        Test("mesh/net/tests/it/faults.rs", "garbage_is_harmless"),
        Test(
            "mesh/protocol/tests/it/scenes.rs",
            "a_frame_that_cant_be_read_ends_the_connection_and_a_bad_envelope_doesnt",
        ),
        Test("mesh/protocol/tests/it/codec.rs", "counts_and_lengths_past_their_limits_are_refused"),
        Test("crdt/tests/it/guards.rs", "small_chunks_of_many_operations_are_refused_unexpanded"),
        Test("crdt/tests/it/guards.rs", "compressed_columns_and_chunks_are_refused"),
        Test("crdt/tests/it/guards.rs", "what_passes_a_limit_is_kept_as_text_or_refused"),
        Test("crdt/src/fuzzing/tests.rs", "envelope"),
        Test("crdt/src/fuzzing/tests.rs", "change"),
        Test("crdt/src/fuzzing/tests.rs", "snapshot"),
        Test("crdt/src/fuzzing/tests.rs", "toml"),
        Test("crdt/src/fuzzing/tests.rs", "json"),
    ],
};

pub(crate) const HALF_SAVED: Row = Row {
    fault: "a half-saved or invalid edit",
    promise: "the last good value stays live everywhere; the user's file is left as it is; the reason is shown",
    extent: Extent::Holds,
    tests: &[
        Test("tests/e2e/held.rs", "an_invalid_save_is_held_and_its_correction_goes_through"),
        Test("tests/e2e/held.rs", "an_invalid_new_file_is_held_until_it_is_right"),
        Test("tests/e2e/held.rs", "an_invalid_save_of_a_file_that_was_replaced_meanwhile_is_kept_aside"),
        Test("src/daemon/files/engine_tests.rs", "content_that_looks_cut_off_is_held_for_two_seconds"),
    ],
};

pub(crate) const CERTIFICATES: Row = Row {
    fault: "no, expired, foreign or revoked certificate",
    promise: "handshake refused and named in the log; open connections of a revoked node closed",
    extent: Extent::Holds,
    tests: &[
        Test("tests/e2e/certificates.rs", "who_has_no_good_certificate_gets_nowhere_and_the_log_names_why"),
        Test("tests/e2e/certificates.rs", "a_peer_without_a_certificate_gets_nowhere_and_the_log_names_why"),
        Test("tests/e2e/join.rs", "a_revoked_host_is_cut_off_at_once_and_its_handshakes_are_refused"),
        Test("mesh/net/tests/it/certificates.rs", "a_revoked_node_is_disconnected_and_stays_out"),
    ],
};

pub(crate) const STOLEN: Row = Row {
    fault: "a stolen node",
    promise: "can write only what its policy allows; once a host knows of the revocation it takes that author's changes only \
              from a member that vouches it held them before it knew: nothing new enters, no history is cut, no two hosts diverge",
    extent: Extent::Partly("there are no policies: until it is revoked, a member may write everything"),
    tests: &[
        Test("mesh/protocol/tests/it/sim/mod.rs", "a_stolen_node_brings_nothing_in_and_cuts_no_history_0"),
        Test(
            "mesh/protocol/tests/it/revocation.rs",
            "a_new_host_gets_the_whole_history_and_nothing_that_the_thief_wrote_since",
        ),
        Test(
            "mesh/protocol/tests/it/revocation.rs",
            "what_a_peer_doesnt_vouch_for_is_asked_for_once_and_taken_when_it_does",
        ),
        Test("tests/e2e/join.rs", "a_revoked_host_is_cut_off_at_once_and_its_handshakes_are_refused"),
    ],
};
