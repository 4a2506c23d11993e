//! What the engine has counted since it was made: plain numbers, which cost an addition each.

use crate::message::Message;

/// The ways by which changes come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByWay {
    /// Pushed as soon as they are there.
    pub push: u64,
    /// Asked for by anti-entropy.
    pub anti_entropy: u64,
}

impl ByWay {
    pub(crate) fn count(&mut self, is_pushed: bool) {
        if is_pushed {
            self.push += 1;
        } else {
            self.anti_entropy += 1;
        }
    }
}

/// What was counted. None ever goes down while an engine lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Changes that were written here.
    pub changes_local: u64,
    /// Copies of changes that were sent: one to three peers counts three times.
    pub changes_sent: ByWay,
    /// Readable copies of changes that came.
    pub changes_received: ByWay,
    /// Of these, those that were new and could be applied, at once or later.
    pub changes_applied: ByWay,
    /// Of these, those that are applied or wait already.
    pub changes_duplicate: ByWay,
    /// Changes that came and can't be read.
    pub changes_unreadable: u64,
    /// Changes whose signature isn't their author's.
    pub changes_forged: u64,
    /// Changes that are well signed, but that this host can't take.
    pub changes_unfit: u64,
    /// Changes of revoked authors, left with a peer that doesn't know of the revocation.
    pub changes_left: u64,
    /// Changes that were dropped because too many waited for others, or for their author's admission. They are asked for again.
    pub changes_dropped: u64,
    /// Dots that were used for two changes.
    pub equivocations: u64,
    /// Names of items that were announced to peers instead of being pushed.
    pub announcements_sent: u64,
    /// Names of items that peers announced.
    pub announcements_received: u64,
    /// Of these, those that weren't waited for because too many were missing.
    pub announcements_ignored: u64,
    /// Announced items that peers were asked for: the tree was broken there.
    pub grafts_sent: u64,
    /// Announced items that peers asked for.
    pub grafts_received: u64,
    /// Trees in which a peer was asked to push no more.
    pub prunes_sent: u64,
    /// Trees in which peers asked not to be pushed to any more.
    pub prunes_received: u64,
    /// Copies of the roster's statements that were sent.
    pub statements_sent: u64,
    /// Copies of the roster's statements that came.
    pub statements_received: u64,
    /// Exchanges of summaries that this host began by itself.
    pub exchanges: u64,
    /// Comparisons with a peer that found something to ask for.
    pub pulls: u64,
    /// Of these, those that were given up because the peer didn't answer.
    pub pulls_given_up: u64,
    /// Times a peer's send queue was full, and it was left alone for a while.
    pub congestions: u64,
    /// Questions to peers whether they reach a member.
    pub probes_sent: u64,
    /// Such questions of peers.
    pub probes_received: u64,
    /// Of these, those that weren't answered because too many were being looked into.
    pub probes_ignored: u64,
    /// Connections that were closed at once because this host had as many as it takes.
    pub links_refused: u64,
    /// Rumours about members' health that were sent.
    pub rumours_sent: u64,
    /// Rumours about members' health that came.
    pub rumours_received: u64,
    /// Times this host came to suspect a member by itself.
    pub suspicions: u64,
    /// Times this host was suspected or taken for dead by others, and refuted it.
    pub refutations: u64,
    /// Times a suspicion ended here with the member's death.
    pub deaths: u64,
    /// Times the engine was waked so late that the host stands under too much load, or stood still.
    pub late_ticks: u64,
}

impl Counts {
    /// A message goes to one peer.
    pub(crate) fn sent(&mut self, message: &Message) {
        match message {
            Message::Changes { request: 0, envelopes } => self.changes_sent.push += count(envelopes),
            Message::Changes { envelopes, .. } => self.changes_sent.anti_entropy += count(envelopes),
            Message::Statements { statements, .. } => self.statements_sent += count(statements),
            Message::Announce { items } => self.announcements_sent += count(items),
            Message::Graft { items } => self.grafts_sent += count(items),
            Message::Prune { trees } => self.prunes_sent += count(trees),
            Message::Rumours { rumours } => self.rumours_sent += count(rumours),
            Message::Probe { .. } => self.probes_sent += 1,
            _ => {}
        }
    }

    /// A message came from a peer. Changes are counted where they are taken in.
    pub(crate) fn received(&mut self, message: &Message) {
        match message {
            Message::Statements { statements, .. } => self.statements_received += count(statements),
            Message::Announce { items } => self.announcements_received += count(items),
            Message::Graft { items } => self.grafts_received += count(items),
            Message::Prune { trees } => self.prunes_received += count(trees),
            Message::Rumours { rumours } => self.rumours_received += count(rumours),
            Message::Probe { .. } => self.probes_received += 1,
            _ => {}
        }
    }
}

fn count<T>(items: &[T]) -> u64 {
    items.len() as u64
}
