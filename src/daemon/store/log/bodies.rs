//! Reads bodies back from the log, each checked against its checksum.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::disk::read_exact_at;
use super::super::error::StoreError;
use super::checksum::Salt;
use super::index::Location;
use super::segment::Segment;

/// Bodies that are no farther apart are read together: a page that is read anyway.
const GAP_BYTES: u64 = 4096;
/// What is read together at most, unless one body is larger.
const RUN_BYTES: u64 = 1 << 20;

/// The open segments. A clone goes on reading those that it has.
#[derive(Clone)]
pub(super) struct Bodies {
    salt: Salt,
    segments: Arc<BTreeMap<u32, Arc<Segment>>>,
}

impl Bodies {
    /// Reads from no segment yet.
    pub(super) fn new(salt: Salt) -> Self {
        Self { salt, segments: Arc::default() }
    }

    /// The store's salt.
    pub(super) fn salt(&self) -> Salt {
        self.salt
    }

    /// Reads from this segment too.
    pub(super) fn add(&mut self, segment: &Arc<Segment>) {
        let number = segment.header.number;
        if !self.segments.contains_key(&number) {
            Arc::make_mut(&mut self.segments).insert(number, Arc::clone(segment));
        }
    }

    /// Reads one body.
    ///
    /// # Errors
    /// When the disk fails or the body isn't what was written.
    pub(super) fn read(&self, location: Location) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.read_all(&[location], |_, body| {
            bytes = body.to_vec();
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Reads bodies in the order given, fewer times from the disk where they follow each other in the log. `each` gets
    /// the position in `locations` and the body.
    ///
    /// # Errors
    /// As [`Self::read`], and those of `each`.
    pub(super) fn read_all(
        &self,
        locations: &[Location],
        mut each: impl FnMut(usize, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < locations.len() {
            let run = run_length(&locations[done..]);
            self.read_run(&locations[done..done + run], &mut buffer, |position, body| each(done + position, body))?;
            done += run;
        }
        Ok(())
    }

    fn read_run(
        &self,
        run: &[Location],
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(usize, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let start = u64::from(run[0].offset);
        let length = end(&run[run.len() - 1]) - start;
        let segment = self.segment(run[0].segment)?;
        buffer.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        read_exact_at(&*segment.file, buffer, start).map_err(StoreError::io("read", &segment.name))?;
        for (position, location) in run.iter().enumerate() {
            let from = (location.offset - run[0].offset) as usize;
            let body = &buffer[from..from + location.length as usize];
            if self.salt.body_check(body) != location.check {
                return Err(self.corrupt(location, "what is stored here doesn't match its checksum"));
            }
            each(position, body)?;
        }
        Ok(())
    }

    /// The error that names a place in the log.
    pub(super) fn corrupt(&self, location: &Location, why: &'static str) -> StoreError {
        let file = self.segments.get(&location.segment).map_or_else(String::new, |segment| segment.name.clone());
        StoreError::Corrupt { file, offset: location.offset.into(), why }
    }

    fn segment(&self, number: u32) -> Result<&Segment, StoreError> {
        let missing = || StoreError::Corrupt { file: format!("segment {number}"), offset: 0, why: "it isn't there" };
        self.segments.get(&number).map(Arc::as_ref).ok_or_else(missing)
    }
}

fn end(location: &Location) -> u64 {
    u64::from(location.offset) + u64::from(location.length)
}

/// How many of the first locations are read together: at least one.
fn run_length(locations: &[Location]) -> usize {
    let first = &locations[0];
    let follows = |pair: &&[Location]| {
        let (before, next) = (&pair[0], &pair[1]);
        next.segment == before.segment
            && u64::from(next.offset).checked_sub(end(before)).is_some_and(|gap| gap <= GAP_BYTES)
            && end(next) - u64::from(first.offset) <= RUN_BYTES
    };
    1 + locations.windows(2).take_while(follows).count()
}
