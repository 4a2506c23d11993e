//! All metrics: the one table, from which the exposition takes its HELP and TYPE lines, and `docs/METRICS.md` its rows.

/// What a metric's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Counted since the daemon's start; never goes down. Its samples' names end in `_total`.
    Counter,
    /// What there is now.
    Gauge,
    /// How long things took, in buckets.
    Histogram,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Of the family: a counter's without `_total`. Ends with its unit, where it has one.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

impl Metric {
    /// The unit that its name ends with.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| self.name.ends_with(&format!("_{unit}")))
    }

    /// The name of its samples; a histogram's have further endings.
    #[cfg(test)]
    pub(crate) fn sample_name(&self) -> String {
        if self.kind == Kind::Counter { format!("{}_total", self.name) } else { self.name.to_owned() }
    }
}

macro_rules! metrics {
    ($($part:literal { $($id:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)* })*) => {
        $($(pub(crate) const $id: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*)*

        /// All of them, in the order in which they are told, by part.
        pub(crate) const PARTS: &[(&str, &[&Metric])] = &[$(($part, &[$(&$id),*])),*];
    };
}

metrics! {
    "The daemon" {
        BUILD_INFO Gauge "murmurate_build_info" ["version"] "1, with the daemon's version as a label."
        START_TIME Gauge "murmurate_start_time_seconds" [] "When the daemon was started, in seconds since 1970 UTC."
        PROBLEMS Gauge "murmurate_problems" [] "Problems that `murmurate status` lists."
    }
    "Members" {
        MEMBERS Gauge "murmurate_members" ["state"] "Members of the mesh, this host included, by state: alive, suspect, dead, left."
        MEMBERS_IN_STEP Gauge "murmurate_members_in_step" [] "Live members that hold what this host holds, itself included."
        LINKS Gauge "murmurate_links" [] "Members that this host has a connection with."
        LINKS_WANTED Gauge "murmurate_links_wanted" [] "Members that this host chose to have a connection with."
        SUSPICIONS Counter "murmurate_suspicions" [] "Times this host came to suspect a member by itself."
        REFUTATIONS Counter "murmurate_refutations" [] "Times others took this host for suspect or dead, and it refuted that."
        DEATHS Counter "murmurate_deaths" [] "Times a suspicion ended here with the member's death."
        PROBES Counter "murmurate_probes" ["direction"] "Questions whether a member is reached: sent to peers, and received from them."
        PROBES_IGNORED Counter "murmurate_probes_ignored" [] "Received ones that weren't answered, because too many were being looked into."
        LINKS_REFUSED Counter "murmurate_links_refused" [] "Connections that were closed at once because this host had as many as it takes."
        RUMOURS Counter "murmurate_rumours" ["direction"] "Rumours about members' health, each to or from one peer."
        LATE_WAKEUPS Counter "murmurate_late_wakeups" [] "Times the host was over half a second late, and so gave others more time."
        STATEMENTS Counter "murmurate_statements" ["direction"] "Copies of the roster's statements, each to or from one peer."
    }
    "Peers" {
        PEER_OUT_OF_STEP Gauge "murmurate_peer_out_of_step_seconds" ["peer", "id"] "How long a linked peer hasn't been known to hold what this host holds; 0 while it does."
        PEER_LAG Gauge "murmurate_peer_lag_changes" ["peer", "id"] "At least how many changes a linked peer lacks."
        PEER_ROUND_TRIP Gauge "murmurate_peer_round_trip_seconds" ["peer", "id"] "The round trip to a linked peer, smoothed."
        PEER_PACKETS Counter "murmurate_peer_packets" ["peer", "id", "outcome"] "Packets of the connection with a peer: sent, and of these those taken for lost. Begins anew with each connection."
        PEERS_UNLISTED Gauge "murmurate_peers_unlisted" [] "Linked peers that have no series of their own, because there are too many."
    }
    "Changes" {
        CHANGES_APPLIED Counter "murmurate_changes_applied" ["way"] "New changes, by the way they came: local, push, anti_entropy."
        CHANGES_SENT Counter "murmurate_changes_sent" ["way"] "Copies of changes, each to one peer: by push along eager links, or by anti_entropy when asked for."
        CHANGES_RECEIVED Counter "murmurate_changes_received" ["way"] "Copies of changes that came, new or not."
        CHANGES_DUPLICATE Counter "murmurate_changes_duplicate" ["way"] "Of these, those that were here already."
        CHANGES_REJECTED Counter "murmurate_changes_rejected" ["reason"] "Changes that weren't taken: unreadable, forged (not signed by their author), unfit (past a limit or of a newer build), revoked (left with who doesn't know of a revocation), no_room (too many wait; they are asked for again)."
        EQUIVOCATIONS Counter "murmurate_equivocations" [] "Times one version stood for two changes: two hosts write as one."
        CONVERGENCE Histogram "murmurate_convergence_seconds" [] "From a change after which linked peers weren't known to hold the same, until all of them said so. Changes that come in between count with the first."
        ANNOUNCEMENTS Counter "murmurate_tree_announcements" ["direction"] "Items announced on lazy links instead of being pushed, in a mesh of more than 16."
        ANNOUNCEMENTS_IGNORED Counter "murmurate_tree_announcements_ignored" [] "Received ones that weren't waited for, because too many items were missing; anti-entropy brings them."
        GRAFTS Counter "murmurate_tree_grafts" ["direction"] "Announced items that had to be asked for: the tree was broken there."
        PRUNES Counter "murmurate_tree_prunes" ["direction"] "Links that were made lazy in a tree because an item came over them twice."
        EXCHANGES Counter "murmurate_exchanges" [] "Exchanges of summaries that this host began by itself."
        PULLS Counter "murmurate_pulls" [] "Comparisons with a peer that found something to ask for."
        PULLS_GIVEN_UP Counter "murmurate_pulls_given_up" [] "Of these, those that ended because the peer didn't answer."
        CONGESTIONS Counter "murmurate_congestions" [] "Times a peer was left alone for a second because its send queue was full."
    }
    "Network" {
        FRAMES Counter "murmurate_frames" ["class", "direction"] "Frames by class: push (new changes), repair (answers), control (everything small), gossip."
        FRAME_BYTES Counter "murmurate_frame_bytes" ["class", "direction"] "Bytes of these frames."
        FRAMES_DROPPED Counter "murmurate_frames_dropped" ["class", "reason"] "Frames that weren't sent: queue_full, replaced (gossip gave way to later gossip), too_large, not_connected."
        NETWORK_BYTES Counter "murmurate_network_bytes" ["direction"] "UDP payload of all connections with members."
        NETWORK_DATAGRAMS Counter "murmurate_network_datagrams" ["direction"] "Datagrams of all connections with members."
        CONNECTIONS_OPENED Counter "murmurate_connections_opened" [] "Connections with members that were made."
        CONNECTIONS_ENDED Counter "murmurate_connections_ended" [] "Of these, those that ended, for whatever reason."
        CONNECTIONS_REFUSED Counter "murmurate_connections_refused" [] "Handshakes that this host or the other one refused."
        HANDSHAKES Counter "murmurate_handshakes" ["outcome"] "Handshakes that met a limit: ignored (they come again), retried (they had to prove their address)."
        JOINS_BUSY Counter "murmurate_joins_busy" [] "Joins that were sent away because too many were being served."
        EVENTS_DROPPED Counter "murmurate_network_events_dropped" [] "Refused connections of which `status` doesn't tell, because the core didn't keep up."
    }
    "Gossip" {
        GOSSIP_NODES Gauge "murmurate_gossip_nodes" [] "Starts of members that gossip holds."
        GOSSIP_NODES_LIMIT Gauge "murmurate_gossip_nodes_limit" [] "Starts of members that gossip has room for."
        GOSSIP_REFUSED Counter "murmurate_gossip_refused" [] "Starts of members that were refused because there was no room."
        GOSSIP_RESTARTS Counter "murmurate_gossip_restarts" [] "Times gossip ended by itself and was started anew."
        GOSSIP_DROPPED Counter "murmurate_gossip_dropped" ["reason"] "Frames of gossip that came and weren't used: too_many, unreadable."
    }
    "Queues" {
        QUEUE_ITEMS Gauge "murmurate_queue_items" ["queue"] "What waits in a queue or buffer; below is said what happens at its limit. Of queues of which there is one for each peer or watcher, the fullest."
        QUEUE_ITEMS_LIMIT Gauge "murmurate_queue_items_limit" ["queue"] "What the queue has room for."
        QUEUE_BYTES Gauge "murmurate_queue_bytes" ["queue"] "Bytes that wait in a queue or buffer."
        QUEUE_BYTES_LIMIT Gauge "murmurate_queue_limit_bytes" ["queue"] "Bytes that the queue has room for."
    }
    "Files" {
        FOLDERS Gauge "murmurate_folders" [] "Folders that this host keeps."
        FILES Gauge "murmurate_files" ["state"] "Files of these folders by state: in-step, held (an edit that isn't taken), kept-back (last good content), skipped, waiting, delete-held, failed."
        CONFLICTS Gauge "murmurate_conflicts" [] "Open conflicts."
        FILE_READS Counter "murmurate_file_reads" ["kind"] "Contents read from files and taken for edits: edit, joining (there before the folder was), renamed, late (found in what was swapped out); and deleted."
        FILE_WRITES Counter "murmurate_file_writes" ["outcome"] "Files that were to be replaced: exchanged, removed; or not: raced (somebody saved it just then), busy, failed."
        FILE_SKIPS Counter "murmurate_file_skips" [] "Times a file or directory was found that is left alone."
        FILE_HOLDS Counter "murmurate_file_holds" [] "Times an edit wasn't taken in: it doesn't parse, passes a limit or fails a check."
        DELETES_HELD Counter "murmurate_deletes_held" [] "Times deletes were held for a confirmation."
        CHECKS Counter "murmurate_checks" ["outcome"] "Checks that were run: passed, failed."
        RELOADS Counter "murmurate_reloads" ["outcome"] "Reloads that were run: passed, failed."
    }
    "Store" {
        DOCUMENTS Gauge "murmurate_documents" [] "Documents, deleted ones and overlays included."
        STORE_CHANGES Gauge "murmurate_store_changes" [] "Changes that are stored."
        STORE_BYTES Gauge "murmurate_store_bytes" [] "Bytes of the store's files."
        STORE_HEALTHY Gauge "murmurate_store_healthy" [] "1 while the store takes writes, 0 while it can't."
        COMMIT Histogram "murmurate_store_commit_seconds" [] "How long it took to write and sync one batch."
        COMMITS_FAILED Counter "murmurate_store_commits_failed" [] "Batches that couldn't be written or synced; one that waits for a full disk counts at each attempt."
        COMMITTED Counter "murmurate_store_items" [] "Items that became durable; several share a batch."
    }
    "Local API" {
        WATCHES Gauge "murmurate_watches" [] "Open watches of keys."
        WATCHES_RESET Counter "murmurate_watches_reset" [] "Watches that ended because their reader was too slow."
        API_REQUESTS Counter "murmurate_api_requests" ["method", "operation", "status"] "Requests to the local API; the status as 2xx, 4xx, 5xx."
        API_REQUEST Histogram "murmurate_api_request_seconds" [] "How long requests took until their answer began."
        API_REFUSED Counter "murmurate_api_connections_refused" [] "Connections to the local API that were refused because too many were open."
    }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
    PARTS.iter().flat_map(|(_, metrics)| metrics.iter().copied())
}
