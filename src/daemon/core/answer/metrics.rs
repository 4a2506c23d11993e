//! What the core knows for metrics: its own counts, the engine's and the network's.

use murmurate_net::{Depth, NetworkCounts, NetworkDepths, PathStats};
use murmurate_protocol::{Filled, Member as Peer};

use crate::daemon::api::limits as api_limits;
use crate::daemon::checks::limits as check_limits;
use crate::daemon::core::Core;
use crate::daemon::core::counted::{Counted, Outcomes, Reads, Writes};
use crate::daemon::core::limits as core_limits;
use crate::daemon::files::limits as file_limits;
use crate::daemon::metrics::table::{self, Metric};
use crate::daemon::metrics::{Sheet, limits};
use crate::daemon::request::{CoreMetrics, WAITING_EVENTS};

/// The directions of what goes over the network.
const SENT: &str = "sent";
const RECEIVED: &str = "received";

impl Core {
    pub(super) fn metrics(&self) -> CoreMetrics {
        let mut sheet = Sheet::default();
        self.daemon_metrics(&mut sheet);
        self.member_metrics(&mut sheet);
        self.change_metrics(&mut sheet);
        network(&mut sheet, &self.network.counts());
        self.gossip_metrics(&mut sheet);
        self.file_metrics(&mut sheet);
        self.store_metrics(&mut sheet);
        self.queue_metrics(&mut sheet);
        CoreMetrics { sheet, store_dir: self.data_dir.join("store") }
    }

    fn daemon_metrics(&self, sheet: &mut Sheet) {
        sheet.gauge(&table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1_u64);
        let started = std::time::Duration::from_millis(self.started_ms);
        sheet.seconds(&table::START_TIME, &[], started.as_secs_f64());
        sheet.gauge(&table::PROBLEMS, &[], self.problems().len());
        sheet.gauge(&table::CONFLICTS, &[], self.conflict_count());
        sheet.gauge(&table::WATCHES, &[], self.watches.count());
        sheet.count(&table::WATCHES_RESET, &[], self.counted.watches_reset);
    }

    fn member_metrics(&self, sheet: &mut Sheet) {
        let counts = self.member_counts();
        let peers = self.peers();
        let left = peers.len() as u64 + 1 - counts.total;
        let states = [("alive", counts.alive), ("suspect", counts.suspect), ("dead", counts.dead), ("left", left)];
        states.into_iter().for_each(|(state, count)| sheet.gauge(&table::MEMBERS, &[state], count));
        sheet.gauge(&table::MEMBERS_IN_STEP, &[], counts.in_step);
        sheet.gauge(&table::LINKS_WANTED, &[], self.engine.links().len());
        self.peer_metrics(sheet, peers.into_iter().filter(|peer| peer.connected).collect());
        let counts = self.engine.counts();
        sheet.count(&table::SUSPICIONS, &[], counts.suspicions);
        sheet.count(&table::REFUTATIONS, &[], counts.refutations);
        sheet.count(&table::DEATHS, &[], counts.deaths);
        sheet.count(&table::LATE_WAKEUPS, &[], counts.late_ticks);
        both_ways(sheet, &table::PROBES, counts.probes_sent, counts.probes_received);
        sheet.count(&table::PROBES_IGNORED, &[], counts.probes_ignored);
        sheet.count(&table::LINKS_REFUSED, &[], counts.links_refused);
        both_ways(sheet, &table::RUMOURS, counts.rumours_sent, counts.rumours_received);
        both_ways(sheet, &table::STATEMENTS, counts.statements_sent, counts.statements_received);
    }

    /// Of many peers those are listed that are out of step for longest.
    fn peer_metrics(&self, sheet: &mut Sheet, mut linked: Vec<Peer>) {
        sheet.gauge(&table::LINKS, &[], linked.len());
        sheet.gauge(&table::PEERS_UNLISTED, &[], linked.len().saturating_sub(limits::PEERS));
        linked.sort_by_key(|peer| (peer.out_of_step_since.is_none(), peer.out_of_step_since, peer.node));
        linked.truncate(limits::PEERS);
        let now = self.environment.monotonic();
        let paths = self.network.paths();
        for peer in linked {
            let (name, id) = (self.node_name(peer.node), peer.node.to_string());
            let labels = [name.as_str(), id.as_str()];
            let behind = peer.out_of_step_since.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64());
            sheet.seconds(&table::PEER_OUT_OF_STEP, &labels, behind);
            sheet.gauge(&table::PEER_LAG, &labels, peer.lag_changes);
            if let Some(path) = paths.iter().find(|path| path.peer == peer.node) {
                path_metrics(sheet, labels, path);
            }
        }
    }

    fn change_metrics(&self, sheet: &mut Sheet) {
        let counts = self.engine.counts();
        sheet.count(&table::CHANGES_APPLIED, &["local"], counts.changes_local);
        for (metric, ways) in [
            (&table::CHANGES_APPLIED, counts.changes_applied),
            (&table::CHANGES_SENT, counts.changes_sent),
            (&table::CHANGES_RECEIVED, counts.changes_received),
            (&table::CHANGES_DUPLICATE, counts.changes_duplicate),
        ] {
            sheet.count(metric, &["push"], ways.push);
            sheet.count(metric, &["anti_entropy"], ways.anti_entropy);
        }
        for (reason, count) in [
            ("unreadable", counts.changes_unreadable),
            ("forged", counts.changes_forged),
            ("unfit", counts.changes_unfit),
            ("revoked", counts.changes_left),
            ("no_room", counts.changes_dropped),
        ] {
            sheet.count(&table::CHANGES_REJECTED, &[reason], count);
        }
        both_ways(sheet, &table::ANNOUNCEMENTS, counts.announcements_sent, counts.announcements_received);
        sheet.count(&table::ANNOUNCEMENTS_IGNORED, &[], counts.announcements_ignored);
        both_ways(sheet, &table::GRAFTS, counts.grafts_sent, counts.grafts_received);
        both_ways(sheet, &table::PRUNES, counts.prunes_sent, counts.prunes_received);
        sheet.count(&table::EQUIVOCATIONS, &[], counts.equivocations);
        sheet.count(&table::EXCHANGES, &[], counts.exchanges);
        sheet.count(&table::PULLS, &[], counts.pulls);
        sheet.count(&table::PULLS_GIVEN_UP, &[], counts.pulls_given_up);
        sheet.count(&table::CONGESTIONS, &[], counts.congestions);
        sheet.times(&table::CONVERGENCE, &[], self.engine.convergence_times());
    }

    fn gossip_metrics(&self, sheet: &mut Sheet) {
        let health = self.network.gossip().health();
        sheet.gauge(&table::GOSSIP_NODES, &[], health.nodes);
        sheet.gauge(&table::GOSSIP_NODES_LIMIT, &[], health.limit);
        sheet.count(&table::GOSSIP_REFUSED, &[], health.refused);
        sheet.count(&table::GOSSIP_RESTARTS, &[], health.restarts);
        sheet.count(&table::GOSSIP_DROPPED, &["too_many"], health.dropped);
        sheet.count(&table::GOSSIP_DROPPED, &["unreadable"], health.unusable);
    }

    fn file_metrics(&self, sheet: &mut Sheet) {
        sheet.gauge(&table::FOLDERS, &[], self.folders.kept.len());
        for (state, count) in self.file_counts() {
            sheet.gauge(&table::FILES, &[state], count);
        }
        let Counted { reads, writes, skips, holds, deletes_held, checks, reloads, .. } = self.counted;
        let Reads { edit, joining, renamed, late, deleted } = reads;
        let kinds = [("edit", edit), ("joining", joining), ("renamed", renamed), ("late", late), ("deleted", deleted)];
        kinds.into_iter().for_each(|(kind, count)| sheet.count(&table::FILE_READS, &[kind], count));
        let Writes { exchanged, removed, raced, busy, failed } = writes;
        let outcomes =
            [("exchanged", exchanged), ("removed", removed), ("raced", raced), ("busy", busy), ("failed", failed)];
        outcomes.into_iter().for_each(|(outcome, count)| sheet.count(&table::FILE_WRITES, &[outcome], count));
        sheet.count(&table::FILE_SKIPS, &[], skips);
        sheet.count(&table::FILE_HOLDS, &[], holds);
        sheet.count(&table::DELETES_HELD, &[], deletes_held);
        for (metric, Outcomes { passed, failed }) in [(&table::CHECKS, checks), (&table::RELOADS, reloads)] {
            sheet.count(metric, &["passed"], passed);
            sheet.count(metric, &["failed"], failed);
        }
    }

    fn store_metrics(&self, sheet: &mut Sheet) {
        let health = self.store_health();
        sheet.gauge(&table::DOCUMENTS, &[], health.documents);
        sheet.gauge(&table::STORE_CHANGES, &[], health.changes);
        sheet.gauge(&table::STORE_HEALTHY, &[], u64::from(health.healthy));
        sheet.count(&table::COMMITTED, &[], self.counted.items_committed);
        let timing = self.commits.timing();
        sheet.times(&table::COMMIT, &[], &timing.commits);
        sheet.count(&table::COMMITS_FAILED, &[], timing.failed);
    }

    fn queue_metrics(&self, sheet: &mut Sheet) {
        let NetworkDepths {
            events,
            event_bytes,
            send_frames,
            send_bytes,
            gossip_bytes,
            handshakes,
            connections,
            joins,
        } = self.network.depths();
        for (queue, Depth { held, limit }) in
            [("network_events", events), ("handshakes", handshakes), ("connections", connections), ("joins", joins)]
        {
            items(sheet, queue, held, limit);
        }
        bytes(sheet, "network_events", event_bytes.held, event_bytes.limit);
        bytes(sheet, "gossip", gossip_bytes.held, gossip_bytes.limit);
        for ((class, frames), (_, sizes)) in send_frames.into_iter().zip(send_bytes) {
            let queue = format!("send_{}", class.name());
            items(sheet, &queue, frames.held, frames.limit);
            bytes(sheet, &queue, sizes.held, sizes.limit);
        }
        self.engine_queues(sheet);
        self.core_queues(sheet);
    }

    fn engine_queues(&self, sheet: &mut Sheet) {
        let buffers = self.engine.buffers();
        for (queue, Filled { held, limit }) in [
            ("unknown_authors", buffers.unknown_authors),
            ("announced", buffers.missing),
            ("trees", buffers.trees),
            ("probes", buffers.probes),
            ("links", buffers.links),
        ] {
            items(sheet, queue, held, limit);
        }
        for (queue, Filled { held, limit }) in [
            ("waiting_changes", buffers.waiting_bytes),
            ("unknown_authors", buffers.unknown_bytes),
            ("grafts", buffers.kept_bytes),
        ] {
            bytes(sheet, queue, held, limit);
        }
    }

    fn core_queues(&self, sheet: &mut Sheet) {
        let waiting = self.waiting;
        for (queue, held, limit) in [
            ("commits", self.commits.unfinished(), core_limits::BUSY_ITEMS),
            ("file_commands", self.files.waiting(), file_limits::COMMANDS),
            ("file_events", waiting.file_events, file_limits::EVENTS),
            ("check_commands", self.checks.commands_waiting(), check_limits::QUEUED),
            ("check_events", waiting.check_events, check_limits::QUEUED),
            ("check_writes", self.checks.most_writes_waiting(), check_limits::WAITING_WRITES),
            ("watches", self.watches.count(), api_limits::WATCHES),
            ("watch_events", self.watches.most_waiting(), WAITING_EVENTS),
        ] {
            items(sheet, queue, held, limit);
        }
        bytes(sheet, "check_saves", self.checks.waiting_bytes(), check_limits::WAITING_BYTES);
    }
}

fn items(sheet: &mut Sheet, queue: &str, held: usize, limit: usize) {
    sheet.gauge(&table::QUEUE_ITEMS, &[queue], held);
    sheet.gauge(&table::QUEUE_ITEMS_LIMIT, &[queue], limit);
}

fn bytes(sheet: &mut Sheet, queue: &str, held: usize, limit: usize) {
    sheet.gauge(&table::QUEUE_BYTES, &[queue], held);
    sheet.gauge(&table::QUEUE_BYTES_LIMIT, &[queue], limit);
}

fn both_ways(sheet: &mut Sheet, metric: &Metric, sent: u64, received: u64) {
    sheet.count(metric, &[SENT], sent);
    sheet.count(metric, &[RECEIVED], received);
}

fn path_metrics(sheet: &mut Sheet, [name, id]: [&str; 2], path: &PathStats) {
    sheet.seconds(&table::PEER_ROUND_TRIP, &[name, id], path.round_trip.as_secs_f64());
    sheet.count(&table::PEER_PACKETS, &[name, id, SENT], path.sent);
    sheet.count(&table::PEER_PACKETS, &[name, id, "lost"], path.lost);
}

fn network(sheet: &mut Sheet, counts: &NetworkCounts) {
    for (class, counts) in &counts.classes {
        let class = class.name();
        for (metric, sent, received) in [
            (&table::FRAMES, counts.sent_frames, counts.received_frames),
            (&table::FRAME_BYTES, counts.sent_bytes, counts.received_bytes),
        ] {
            sheet.count(metric, &[class, SENT], sent);
            sheet.count(metric, &[class, RECEIVED], received);
        }
        for (reason, count) in [
            ("queue_full", counts.dropped_full),
            ("replaced", counts.dropped_replaced),
            ("too_large", counts.dropped_too_large),
            ("not_connected", counts.dropped_unconnected),
        ] {
            sheet.count(&table::FRAMES_DROPPED, &[class, reason], count);
        }
    }
    both_ways(sheet, &table::NETWORK_BYTES, counts.traffic.sent_bytes, counts.traffic.received_bytes);
    both_ways(sheet, &table::NETWORK_DATAGRAMS, counts.traffic.sent_datagrams, counts.traffic.received_datagrams);
    sheet.count(&table::CONNECTIONS_OPENED, &[], counts.connections_opened);
    sheet.count(&table::CONNECTIONS_ENDED, &[], counts.connections_ended);
    sheet.count(&table::CONNECTIONS_REFUSED, &[], counts.connections_refused);
    sheet.count(&table::HANDSHAKES, &["ignored"], counts.handshakes_ignored);
    sheet.count(&table::HANDSHAKES, &["retried"], counts.handshakes_retried);
    sheet.count(&table::JOINS_BUSY, &[], counts.joins_refused);
    sheet.count(&table::EVENTS_DROPPED, &[], counts.events_dropped);
}
