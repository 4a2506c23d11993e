//! What happened to the mesh and to this host, the latest of it: written by the core, read by whoever follows.
//!
//! Readers keep a place in it and nothing else, so that many of them, or slow ones, cost no memory. Who is further behind
//! than what is kept is told so.

use std::collections::VecDeque;

use murmurate_client::types::{MeshEvent, MeshEventKind, MeshEvents, V1};

/// Events that are kept: days of a calm mesh, or every member of a large one that comes back at once.
pub const EVENTS_KEPT: usize = 1_024;
/// What an event says: some lines of a check's complaint. With [`EVENTS_KEPT`] at most 1 MiB.
pub const EVENT_TEXT_BYTES: usize = 1_024;
/// Events that a reader takes at once.
const EVENTS_AT_ONCE: usize = 64;

/// The latest events.
#[derive(Debug, Default)]
pub struct EventLog {
    /// Which of the daemon's starts it is: tokens of another one lead nowhere.
    run: u64,
    /// How many events there were; the last one's number.
    count: u64,
    events: VecDeque<MeshEvent>,
}

impl EventLog {
    /// Says which of the daemon's starts this is.
    pub fn begin(&mut self, run: u64) {
        self.run = run;
    }

    /// Adds an event, and drops the oldest one if there are too many.
    pub fn push(&mut self, mut event: MeshEvent) {
        self.count += 1;
        shorten(&mut event.text);
        event.resume = self.token(self.count);
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// All that is kept.
    #[must_use]
    pub fn all(&self) -> MeshEvents {
        MeshEvents { v: V1, events: self.events.iter().cloned().collect(), resume: self.token(self.count) }
    }

    /// Where a reader begins that wants only what comes.
    #[must_use]
    pub fn end(&self) -> String {
        self.token(self.count)
    }

    /// What came after the event with this token, the next few of it. Where that isn't kept any more, or the token is of another
    /// start, a `reset` and what is kept.
    #[must_use]
    pub fn after(&self, token: &str) -> Vec<MeshEvent> {
        let dropped = self.count - self.events.len() as u64;
        let seen = self.number(token).filter(|seen| (dropped..=self.count).contains(seen));
        let skipped = usize::try_from(seen.unwrap_or(dropped) - dropped).unwrap_or(usize::MAX);
        let events = self.events.iter().skip(skipped).take(EVENTS_AT_ONCE).cloned();
        let reset = seen.is_none().then(|| self.reset(self.token(dropped)));
        reset.into_iter().chain(events).collect()
    }

    fn reset(&self, resume: String) -> MeshEvent {
        let time = self.events.front().map(|event| event.time).unwrap_or_default();
        let text = "events before this were lost: there were more than are kept, or the daemon was started anew";
        MeshEvent { resume, ..MeshEvent::new(MeshEventKind::Reset, time, text) }
    }

    fn token(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    fn number(&self, token: &str) -> Option<u64> {
        let (run, number) = token.split_once('-')?;
        if run.parse() == Ok(self.run) { number.parse().ok() } else { None }
    }
}

fn shorten(text: &mut String) {
    if text.len() > EVENT_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(EVENT_TEXT_BYTES - '…'.len_utf8()));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::Time;

    use super::*;

    fn log(run: u64, events: u64) -> EventLog {
        let mut log = EventLog::default();
        log.begin(run);
        for number in 1..=events {
            log.push(MeshEvent::new(MeshEventKind::Member, Time::from_ms(number), number.to_string()));
        }
        log
    }

    /// Reads to the end, as a reader does, and gives the texts; resets as `reset`.
    fn read(log: &EventLog, from: &str) -> Vec<String> {
        let (mut token, mut texts) = (from.to_owned(), Vec::new());
        loop {
            let events = log.after(&token);
            let Some(last) = events.last() else { return texts };
            token.clone_from(&last.resume);
            texts.extend(events.into_iter().map(|event| match event.kind {
                MeshEventKind::Reset => "reset".to_owned(),
                _ => event.text,
            }));
        }
    }

    #[test]
    fn a_reader_goes_on_where_it_was_or_is_told_that_it_can_not() {
        let few = log(7, 3);
        assert_eq!(read(&few, "7-1"), ["2", "3"]);
        assert_eq!(read(&few, &few.end()), Vec::<String>::new());
        for lost in ["6-1", "8-1", "7-4", "7", "", "7--1", "x-1"] {
            assert_eq!(read(&few, lost), ["reset", "1", "2", "3"], "{lost}");
        }
        let kept = EVENTS_KEPT as u64;
        let many = log(7, kept + 10);
        assert_eq!(read(&many, "7-10").len(), EVENTS_KEPT);
        let late = read(&many, "7-9");
        assert_eq!((late.len(), &*late[0], &*late[1]), (EVENTS_KEPT + 1, "reset", "11"));
        assert_eq!(many.all().events.len(), EVENTS_KEPT);
        assert_eq!(many.all().resume, many.end());
    }

    #[test]
    fn what_an_event_says_is_bounded() {
        let mut log = log(1, 0);
        log.push(MeshEvent::new(MeshEventKind::Held, Time::default(), "ü".repeat(EVENT_TEXT_BYTES)));
        let text = &log.all().events[0].text;
        assert!(text.len() <= EVENT_TEXT_BYTES && text.ends_with("ü…"), "{}", text.len());
    }
}
