//! When to look at a swapped-out file, and when what it holds is an edit. Pure: time comes in as an argument.
//!
//! ```text
//!  swapped out ──▶ look ── 50 ms ──▶ look ── till 2 s ──▶ look ──▶ removed, or kept until its edit is taken
//!                    │                 │                   │ ▲
//!                    └──── an edit, seen the same twice ───┘ └─ changed since: 2 s more
//!                                      ▼
//!                                  Saved, late
//! ```

use std::time::Duration;

use bytes::Bytes;

use super::limits::{CUT_OFF_HOLD, LATER_LOOKS, LOOKS, OPEN_FILES_AGE, SWAPPED_OPEN_HOLD};
use super::message::{ContentHash, KnownFile};

/// A file in staging that was in the folder before.
#[derive(Debug)]
pub(crate) struct Swapped {
    /// Where it was.
    pub path: String,
    /// What the core believed it to hold, if known.
    pub replaced: Option<ContentHash>,
    /// The content that took its place: the same bytes, saved by somebody, are no edit.
    pub replacement: Option<ContentHash>,
    /// Whether the core believed it executable; nothing if unknown.
    pub executable: Option<bool>,
    /// What it held when it was last at rest in the folder, to see that it was cut off.
    pub base: Option<Bytes>,
    started: Duration,
    looks: u32,
    seen: Option<(KnownFile, Duration)>,
    reported: Option<KnownFile>,
    /// What was reported last is durable elsewhere.
    taken: bool,
    given_up: bool,
    next_look: Option<Duration>,
}

/// One look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// What the file holds.
    pub file: KnownFile,
    /// It didn't change while it was read.
    pub stable: bool,
    /// It is empty, or begins like its base and ends early.
    pub cut_off: bool,
    /// Somebody is seen to have it open for writing.
    pub open: bool,
}

impl Swapped {
    /// To be looked at as soon as possible.
    pub(crate) fn new(
        now: Duration,
        path: String,
        replaced: Option<ContentHash>,
        replacement: Option<ContentHash>,
        executable: Option<bool>,
        base: Option<Bytes>,
    ) -> Self {
        let next_look = Some(now);
        Self {
            path,
            replaced,
            replacement,
            executable,
            base,
            started: now,
            looks: 0,
            seen: None,
            reported: None,
            taken: false,
            given_up: false,
            next_look,
        }
    }

    /// When to look again; nothing when all looks are done.
    pub(crate) fn next_look(&self) -> Option<Duration> {
        self.next_look
    }

    /// The edit that was reported last.
    pub(crate) fn reported(&self) -> Option<ContentHash> {
        self.reported.map(|file| file.hash)
    }

    /// What the writer of the file last saw in it, for the next report.
    pub(crate) fn edited_from(&self) -> Option<ContentHash> {
        self.reported().or(self.replaced)
    }

    /// The edit with this hash is durable elsewhere.
    pub(crate) fn take(&mut self, hash: ContentHash) {
        self.taken |= self.reported() == Some(hash);
    }

    /// It can't be read: it stays where it is, and isn't looked at any more.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
        self.next_look = None;
    }

    /// Whether it may be removed: all looks are done, and its edit, if it had one, is durable elsewhere.
    pub(crate) fn is_done(&self) -> bool {
        self.next_look.is_none() && !self.given_up && (self.reported.is_none() || self.taken)
    }

    /// Whether it is worth looking who has it open for writing, and since when that is of interest: who is at an edit now,
    /// and, before the last look, who may still begin one. Nobody can open it any more who hadn't soon after it was
    /// swapped out.
    pub(crate) fn asks_for_writers(&self, now: Duration, file: KnownFile) -> Option<Duration> {
        if self.is_edit(file) {
            return Some(now.saturating_sub(OPEN_FILES_AGE));
        }
        (now >= self.started + LATER_LOOKS[1]).then_some(self.started + LATER_LOOKS[0])
    }

    /// A look was taken. Returns whether it is an edit to report now.
    pub(crate) fn looked(&mut self, now: Duration, look: Look) -> bool {
        if self.looks == 0 {
            // Not before: the write that swapped it out may have waited long for the disk.
            self.started = now;
        }
        self.looks += 1;
        let last = self.looks >= LOOKS;
        let same_since = self.seen.filter(|(file, _)| *file == look.file).map(|(_, since)| since);
        self.seen = Some((look.file, same_since.unwrap_or(now)));
        let at_rest = look.stable && same_since.is_some();
        let same_for = |time: Duration| same_since.is_some_and(|since| now - since >= time);
        let whole = (!look.cut_off || same_for(CUT_OFF_HOLD)) && (!look.open || same_for(SWAPPED_OPEN_HOLD));
        let edit = self.is_edit(look.file);
        let report = edit && ((at_rest && whole) || last);
        if report {
            self.reported = Some(look.file);
            self.taken = false;
        }
        let settled = at_rest && (!edit || report);
        self.next_look = match self.looks {
            _ if last => None,
            1 => Some(now + LATER_LOOKS[0]),
            _ if now < self.started + LATER_LOOKS[1] => Some(self.started + LATER_LOOKS[1]),
            _ if settled && !look.open => None,
            _ => Some(now + LATER_LOOKS[1]),
        };
        report
    }

    fn is_edit(&self, file: KnownFile) -> bool {
        if let Some(reported) = self.reported {
            return file != reported;
        }
        let same_bit = self.executable.is_none_or(|executable| executable == file.executable);
        let unedited = self.replaced == Some(file.hash) && same_bit;
        !unedited && self.replacement != Some(file.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> KnownFile {
        KnownFile { hash: ContentHash::of(content.as_bytes()), executable: false }
    }

    /// Looks as told, at the times asked for: (content, stable, cut off) -> (time of the look in ms, reported).
    fn check(looks: &[(&str, bool, bool)], expected: &[(u64, bool)]) {
        check_open(looks, false, expected);
    }

    /// The same, while somebody has it open up to the last look but one.
    fn check_open(looks: &[(&str, bool, bool)], open: bool, expected: &[(u64, bool)]) {
        let old = Some(file("old").hash);
        let mut swapped = Swapped::new(Duration::ZERO, "a".into(), old, Some(file("new").hash), Some(false), None);
        let mut seen = Vec::new();
        for (index, (content, stable, cut_off)) in looks.iter().enumerate() {
            let open = open && index + 1 < looks.len();
            let now = swapped.next_look().expect("another look");
            let report = swapped.looked(now, Look { file: file(content), stable: *stable, cut_off: *cut_off, open });
            seen.push((u64::try_from(now.as_millis()).unwrap(), report));
        }
        assert_eq!(seen, expected, "{looks:?}");
        assert_eq!(swapped.next_look(), None, "{looks:?}");
    }

    #[test]
    fn looks_are_taken_at_once_after_50_ms_and_after_2_s() {
        check(&[("old", true, false); 3], &[(0, false), (50, false), (2000, false)]);
        check(&[("new", true, false); 3], &[(0, false), (50, false), (2000, false)]);
        check(&[("edit", true, false); 3], &[(0, false), (50, true), (2000, false)]);
    }

    #[test]
    fn an_edit_in_the_making_is_waited_for() {
        let (old, edit, empty) = (("old", true, false), ("edit", true, false), ("", true, true));
        check(&[old, edit, edit], &[(0, false), (50, false), (2000, true)]);
        check(&[old, old, edit, edit], &[(0, false), (50, false), (2000, false), (4000, true)]);
        check(&[edit, edit, old, old], &[(0, false), (50, true), (2000, false), (4000, true)]);
        check(&[empty, empty, edit, edit], &[(0, false), (50, false), (2000, false), (4000, true)]);
        check(&[empty, empty, empty], &[(0, false), (50, false), (2000, true)]);
        check(&[("edit", false, false), edit, edit], &[(0, false), (50, true), (2000, false)]);
        // A pause of an editor that has it open isn't its end, unless it is a long one.
        check_open(&[edit, edit, edit, edit], true, &[(0, false), (50, false), (2000, true), (4000, false)]);
        // Who has it open may still write to it.
        check_open(&[old, old, old, old], true, &[(0, false), (50, false), (2000, false), (4000, false)]);
    }
}
