//! JSON documents of any size, an element at a time.
//!
//! # Models
//! A document is never held as a whole: the elements of its long arrays are handed over one by one.
//! Values of the wrong type are kept as such, so that one bad element is no end; what is no JSON is
//! one, because nobody knows where the next element would begin. Only in JSON Lines, which is what a
//! document on a single line is taken for, reading goes on at the next line; further lines are read
//! one at a time.
//!
//! # Source
//! RFC 8259; jsonlines.org; serde.rs, "Manually deserializing a struct" and "Stream array elements".

use super::collect::Collector;
use super::field::said;
use super::input::{Content, MAX_ELEMENT, Meter, problem_of, too_long, unreadable, unreadable_at};
use crate::problem::{Checked, Problem};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;
use std::path::Path;
use std::rc::Rc;

/// What a document's parts are read into.
pub(super) struct Sink<'s, 'a> {
    pub(super) to: &'s mut Collector<'a>,
    meter: Rc<Meter>,
    /// The line that is being read, if it has been taken as a whole.
    line: Option<u64>,
    /// Why reading ends, if not for the document itself.
    stop: Option<Problem>,
}

impl Sink<'_, '_> {
    /// The line that is being read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line.unwrap_or_else(|| self.meter.line())
    }

    /// An element is complete; its problem, if it has one that ends all, becomes an error.
    pub(super) fn complete<E: Error>(&mut self, taken: Result<(), Problem>) -> Result<(), E> {
        self.meter.complete();
        taken.map_err(|problem| {
            self.stop = Some(problem);
            E::custom("stop")
        })
    }
}

/// Reads documents one after the other into `parts`.
pub(super) fn documents<'a>(
    mut content: Content<'a>,
    to: &mut Collector<'a>,
    parts: &mut impl Parts,
) -> Checked<()> {
    let meter = content.meter();
    meter.limit(MAX_ELEMENT);
    let mut sink = Sink { to, meter: Rc::clone(&meter), line: None, stop: None };
    while skip_blank(&mut content).map_err(|error| unreadable(sink.to.path, &error))? {
        let first = meter.line();
        let mut document = serde_json::Deserializer::from_reader(&mut content);
        if let Err(error) = (Object { parts: &mut *parts, sink: &mut sink }).deserialize(&mut document) {
            return Err(sink.stop.take().unwrap_or_else(|| explain(sink.to.path, first - 1, error)).into());
        }
        if meter.line() == first {
            return lines(content, &mut sink, parts);
        }
    }
    Ok(())
}

/// Skips blanks, and a byte order mark; false at the end.
fn skip_blank(content: &mut Content<'_>) -> std::io::Result<bool> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    loop {
        content.meter().complete();
        let part = content.fill_buf()?;
        let blanks = part.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if blanks == 0 && part.starts_with(MARK) {
            content.consume(MARK.len());
        } else if blanks == 0 {
            return Ok(!part.is_empty());
        } else {
            content.consume(blanks);
        }
    }
}

/// Reads the documents of the other lines: a bad one takes no other with it.
fn lines<'a>(mut content: Content<'a>, sink: &mut Sink<'_, 'a>, parts: &mut impl Parts) -> Checked<()> {
    let meter = content.meter();
    let mut line = Vec::new();
    loop {
        let number = meter.line();
        sink.line = Some(number);
        let more = content.read_line(&mut line);
        if !more.map_err(|error| unreadable_at(sink.to.path, number, &error))? {
            return Ok(());
        }
        let mut document = serde_json::Deserializer::from_slice(&line);
        while document.end().is_err() {
            if let Err(error) = (Object { parts: &mut *parts, sink }).deserialize(&mut document) {
                match sink.stop.take() {
                    Some(stop) => return Err(stop.into()),
                    None => sink.to.bad(explain(sink.to.path, number - 1, error))?,
                }
                break;
            }
        }
    }
}

/// An error of the parser, with the lines before it.
fn explain(path: &Path, before: u64, error: serde_json::Error) -> Problem {
    let line = before + error.line() as u64;
    if error.is_io() {
        let error = std::io::Error::from(error);
        return match too_long(&error) {
            Some(most) => problem_of(path, format!("line {line}: an element is longer than {most} bytes")),
            None => unreadable(path, &error),
        };
    }
    let cut = error.is_eof();
    let problem = problem_of(path, format!("line {line}: {}", said(&error.to_string())));
    problem.help(if cut { "is the file cut short?" } else { "it is JSON of the format that it is read as" })
}

/// What reads an object, key by key.
pub(super) trait Parts {
    /// The object begins.
    fn begin(&mut self, _sink: &mut Sink<'_, '_>) {}

    /// Reads the value of this key; false if it is not of interest.
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error>;

    /// The object ends.
    fn end(&mut self, _sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// An object, a list of such, or null.
pub(super) struct Object<'p, 's, 'a, P> {
    pub(super) parts: &'p mut P,
    pub(super) sink: &'p mut Sink<'s, 'a>,
}

impl<'de, P: Parts> DeserializeSeed<'de> for Object<'_, '_, '_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, P: Parts> Visitor<'de> for Object<'_, '_, '_, P> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Object { parts, sink } = self;
        parts.begin(sink);
        while let Some(key) = map.next_key::<String>()? {
            if !parts.part(&key, &mut map, sink)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let ended = parts.end(sink);
        sink.complete(ended)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Object { parts, sink } = self;
        while list.next_element_seed(Object { parts: &mut *parts, sink: &mut *sink })?.is_some() {}
        Ok(())
    }
}

/// A list, or null, whose elements `take` takes one by one.
pub(super) struct Each<'p, 's, 'a, T, F> {
    sink: &'p mut Sink<'s, 'a>,
    take: F,
    element: PhantomData<T>,
}

impl<'p, 's, 'a, T, F: FnMut(&mut Collector<'a>, T, u64) -> Result<(), Problem>> Each<'p, 's, 'a, T, F> {
    /// `take` is told the line in which an element ends.
    pub(super) const fn new(sink: &'p mut Sink<'s, 'a>, take: F) -> Self {
        Self { sink, take, element: PhantomData }
    }
}

impl<'de, 'a, T, F> DeserializeSeed<'de> for Each<'_, '_, 'a, T, F>
where
    T: DeserializeOwned,
    F: FnMut(&mut Collector<'a>, T, u64) -> Result<(), Problem>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, 'a, T, F> Visitor<'de> for Each<'_, '_, 'a, T, F>
where
    T: DeserializeOwned,
    F: FnMut(&mut Collector<'a>, T, u64) -> Result<(), Problem>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<T>()? {
            let line = self.sink.line();
            let taken = (self.take)(self.sink.to, element, line);
            self.sink.complete(taken)?;
        }
        Ok(())
    }
}
