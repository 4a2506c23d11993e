//! A reader of Prometheus's text format that takes nothing for granted: it knows the format from its description
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), not from the writer.

use std::collections::{BTreeMap, BTreeSet};

/// A sample's name and its labels, sorted.
pub(crate) type Series = (String, BTreeMap<String, String>);

/// What an exposition says.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// The type of each family.
    pub(crate) types: BTreeMap<String, String>,
    /// The values.
    pub(crate) samples: BTreeMap<Series, f64>,
}

impl Exposition {
    /// Reads a text in the format 0.0.4, and checks it.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        Self::try_read(text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    }

    fn try_read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let (mut helped, mut ended, mut family) = (BTreeSet::new(), BTreeSet::new(), String::new());
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        for line in text.lines() {
            let fail = |why: &str| Err(format!("{why}: {line}"));
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let Some((name, help)) = rest.split_once(' ') else { return fail("no help") };
                if help.is_empty() || !helped.insert(name.to_owned()) {
                    return fail("no help, or a second one");
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let Some((name, kind)) = rest.split_once(' ') else { return fail("no type") };
                if !["counter", "gauge", "histogram"].contains(&kind) || !helped.contains(name) {
                    return fail("an unknown type, or no help before it");
                }
                ended.insert(std::mem::replace(&mut family, name.to_owned()));
                if ended.contains(name) || read.types.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return fail("a second type");
                }
            } else if line.starts_with('#') || line.is_empty() {
                return fail("neither a sample nor a description");
            } else {
                let (series, value) = sample(line)?;
                let is_of_family = read.types.get(&family).is_some_and(|kind| belongs(&series.0, &family, kind));
                if !is_of_family {
                    return fail("a sample outside of its family");
                }
                if read.samples.insert(series, value).is_some() {
                    return fail("a series is there twice");
                }
            }
        }
        read.check_kinds()?;
        Ok(read)
    }

    fn check_kinds(&self) -> Result<(), String> {
        for ((name, labels), value) in &self.samples {
            let kind = self.types.get(name).map(String::as_str);
            if kind == Some("counter") && (!name.ends_with("_total") || *value < 0.0) {
                return Err(format!("{name} {labels:?} {value} is no counter"));
            }
        }
        for family in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            self.check_histogram(family)?;
        }
        Ok(())
    }

    /// Buckets rise up to the count of all, which is that of the bucket without a bound.
    fn check_histogram(&self, family: &str) -> Result<(), String> {
        let mut of_labels: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), count) in self.samples.iter().filter(|((name, _), _)| *name == format!("{family}_bucket")) {
            let mut labels = labels.clone();
            let bound = labels.remove("le").ok_or("a bucket without a bound")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().map_err(|_| "a bad bound")? };
            of_labels.entry(labels).or_default().push((bound, *count));
        }
        for (labels, mut buckets) in of_labels {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let count = self.samples.get(&(format!("{family}_count"), labels.clone()));
            let has_sum = self.samples.contains_key(&(format!("{family}_sum"), labels.clone()));
            let rises = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
            let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, count)| count);
            if !rises || !has_sum || count.is_none() || last != count {
                return Err(format!("{family} {labels:?} is no histogram: {buckets:?}, {count:?}"));
            }
        }
        Ok(())
    }

    /// The value of a series; absent ones have none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum over all series of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|((other, _), _)| other == name).map(|(_, value)| value).sum()
    }

    /// The first counter, or count of a histogram, that is lower in a later exposition of the same process, or gone.
    pub(crate) fn fallen(&self, later: &Self) -> Option<String> {
        let is_count = |name: &str| {
            let is_histogram = |ending| name.strip_suffix(ending).is_some_and(|family| self.types.contains_key(family));
            self.types.get(name).is_some_and(|kind| kind == "counter")
                || ["_count", "_bucket", "_sum"].map(is_histogram).contains(&true)
        };
        let counts = self.samples.iter().filter(|((name, _), _)| is_count(name));
        counts.into_iter().find_map(|(series, before)| match later.samples.get(series) {
            Some(after) if after >= before => None,
            after => Some(format!("{series:?}: {before}, then {after:?}")),
        })
    }
}

fn belongs(name: &str, family: &str, kind: &str) -> bool {
    match name.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some("_bucket" | "_sum" | "_count") => kind == "histogram",
        _ => false,
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn sample(line: &str) -> Result<(Series, f64), String> {
    let fail = |why: &str| format!("{why}: {line}");
    let end = line.find(['{', ' ']).ok_or_else(|| fail("no value"))?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest).map_err(|why| fail(&why))?,
        None => (BTreeMap::new(), rest),
    };
    let value = value.strip_prefix(' ').ok_or_else(|| fail("no space before the value"))?;
    let value: f64 = value.parse().map_err(|_| fail("no number"))?;
    if !is_name(name) || value.is_nan() {
        return Err(fail("no name, or no number"));
    }
    Ok(((name.to_owned(), labels), value))
}

/// The labels up to the closing brace, and what comes behind it.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"").ok_or("no label")?;
        let (value, behind) = unquoted(quoted)?;
        if !is_name(name) || labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("a bad label, or one that is there twice: {name}"));
        }
        rest = match behind.strip_prefix(',') {
            Some(behind) if !behind.starts_with('}') => behind,
            _ if behind.starts_with('}') => behind,
            _ => return Err("no comma between two labels".into()),
        };
    }
}

fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, '\\')) => value.push('\\'),
                Some((_, '"')) => value.push('"'),
                Some((_, 'n')) => value.push('\n'),
                _ => return Err("an unknown escape".into()),
            },
            '\n' => return Err("a line end in a value".into()),
            character => value.push(character),
        }
    }
    Err("a value without an end".into())
}
