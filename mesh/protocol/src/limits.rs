//! Every limit and wait of dissemination and membership, with its reason and what happens there.

use std::time::Duration;

/// An announced item is waited for as long: its tree may have more hops than the announcement, and a graft of what is
/// on its way costs a copy. Shorter than what anti-entropy waits, so that a broken tree is mended, not gone around.
pub(crate) const GRAFT_AFTER: Duration = Duration::from_millis(100);
/// Then each of those who announced it is asked, one after the other: a round trip on a slow line.
pub(crate) const GRAFT_NEXT_AFTER: Duration = Duration::from_millis(500);
/// Items waited for: two full announcements. What is beyond, anti-entropy brings.
pub(crate) const MISSING_ITEMS: usize = 4_096;
/// Who announced one: as many as a host usually has links.
pub(crate) const ANNOUNCERS: usize = 8;
/// Trees that are remembered: authors that write at one time. One more, and the least used is forgotten, which costs a
/// few copies when its author writes again.
pub(crate) const TREES: usize = 256;

/// A tick that comes later than this tells that the host is overloaded or was stopped; timers are good to some ms.
pub(crate) const LATE_TICK: Duration = Duration::from_millis(500);
/// A tick that comes later than this tells that it stood still, while its peers' answers went unheard: after so long they
/// give up a link.
pub(crate) const STANDSTILL: Duration = Duration::from_millis(1_500);
/// After a standstill nobody is suspected for so long: connections that went meanwhile are back by then.
pub(crate) const REST: Duration = Duration::from_secs(3);
/// The highest level: four times as much time as usual. Lifeguard goes to eight, from a timeout five times as short.
pub(crate) const DOUBT_LEVELS: u32 = 3;
/// Without further trouble, one level less after this time.
pub(crate) const DOUBT_DECAY: Duration = Duration::from_secs(10);
/// Others' questions at one time: what all links of a lossy rack may ask in a second. What is beyond isn't answered.
pub(crate) const PROBES_ASKED: usize = 64;
/// Suspicions within this time tell whether a member flaps.
pub(crate) const FLAPS_WITHIN: Duration = Duration::from_secs(60);
/// More suspicions than this in that time are flapping: three are a bad minute.
pub(crate) const FLAPS: usize = 3;
/// Each further one doubles how long the member is only suspected, so many times.
pub(crate) const FLAP_DOUBLINGS: usize = 3;

/// A question without an answer is asked again after this, and each time after twice as long. Above the round trip of
/// any usual line; on a slower one the answers come all the same, and what is asked twice is answered twice.
pub(crate) const PULL_RETRY: Duration = Duration::from_secs(1);
/// After this many times, 31 s in all, the pull is given up; a later summary starts another.
pub(crate) const PULL_ATTEMPTS: u32 = 5;
/// Former roots that are remembered per folder: a peer that still shows one is merely behind, and has nothing for us.
pub(crate) const FORMER_ROOTS: usize = 32;

/// How many are remembered: duplicates come within seconds, and this is about half a megabyte. For older ones the shell
/// is asked to compare.
pub(crate) const DIGESTS_REMEMBERED: usize = 4_096;
/// Writers of documents, a session's, whose changes are left with a peer until it vouches. What is beyond the limit is
/// fetched and left again at each comparison, which costs traffic and nothing else.
pub(crate) const LEFT_WRITERS: usize = 1_024;
/// Unverified bytes that wait for admissions, of all peers together: enough for one of the largest changes, or some
/// thousands of common ones. What doesn't fit is dropped, and anti-entropy brings it again.
pub(crate) const UNKNOWN_BYTES: usize = 32 << 20;
/// Unknown authors at one time: a larger number is noise, not a mesh that grows.
pub(crate) const UNKNOWN_AUTHORS: usize = 256;
