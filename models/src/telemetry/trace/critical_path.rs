//! Where the latency of a request went: the chain of what was waited for, from its sending to its end.
//!
//! # Models
//! Every moment of the latency is spent on one thing, that which the user waited for just then. Of calls that are made in
//! parallel it is the last one of each stage; what the others took before is hidden behind it. While an attempt is under way
//! at its server it is the server's time that counts. So lengths sum up to the latency, to the nanosecond. What came before
//! the attempt whose answer was taken, a user's or a client's, is put down to retries.
//!
//! # Source
//! Kelley and Walker, Critical-path planning and scheduling, 1959; of call trees: Zhang et al., CRISP: critical path
//! analysis of large-scale microservice architectures, USENIX ATC 2022.

use super::life::{Attempt, Call, Group, Life, Piece, Served, Track};
use super::{Kind, Part};
use meshsim_core::{SimDuration, SimTime};

/// Whose time is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The user's.
    User,
    /// That of a call's client, the way of the request included.
    Client,
    /// That of its server.
    Server,
    /// That of the answer's way.
    Back,
}

/// A stretch of the latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From when until when, and on what.
    pub piece: Piece,
    /// For which call, by its index; the user's own time has none.
    pub call: Option<usize>,
    /// In which of its attempts, by its index.
    pub attempt: usize,
    /// Whose time it is.
    pub side: Side,
    /// Whether the attempt, or one above it, was made again.
    pub is_retried: bool,
}

impl Stretch {
    /// Among which parts it is reported.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        if self.is_retried { Kind::Retries } else { self.piece.part.kind() }
    }

    /// How long it lasts.
    #[must_use]
    pub fn length(&self) -> SimDuration {
        self.piece.length()
    }
}

impl Life {
    /// What its latency was spent on, in the order of time; nothing of one in flight.
    #[must_use]
    pub fn critical_path(&self) -> Vec<Stretch> {
        let Some(end) = self.request.end else { return Vec::new() };
        let (begins, ends) = (self.request.arrival, self.request.arrival + end.latency);
        let mut walk = Walk { life: self, path: Vec::new(), at: At::USER };
        let mut now = begins;
        for (number, &index) in self.attempts.iter().enumerate() {
            let call = &self.calls[index];
            let is_last = number + 1 == self.attempts.len();
            let over = call.ends.or_else(|| self.user.next_after(call.begins)).unwrap_or(ends).min(ends);
            // What comes between two attempts is put down to the first.
            walk.at.is_retried = number > 0;
            walk.lay(&self.user, now, call.begins.min(ends));
            walk.at.is_retried = !is_last;
            walk.call(index, call.begins, over);
            now = over;
        }
        walk.at.is_retried = false;
        walk.lay(&self.user, now, ends);
        walk.path
    }
}

/// Where a walk is.
#[derive(Clone, Copy)]
struct At {
    call: Option<usize>,
    attempt: usize,
    side: Side,
    is_retried: bool,
}

impl At {
    const USER: Self = Self { call: None, attempt: 0, side: Side::User, is_retried: false };
}

struct Walk<'l> {
    life: &'l Life,
    path: Vec<Stretch>,
    at: At,
}

impl Walk<'_> {
    fn push(&mut self, from: SimTime, until: SimTime, part: Part) {
        if from < until {
            let At { call, attempt, side, is_retried } = self.at;
            let piece = Piece { from, until, part };
            self.path.push(Stretch { piece, call, attempt, side, is_retried });
        }
    }

    /// A track from a moment to another, calls left as they are; what nothing accounts for is waiting for calls.
    fn lay(&mut self, track: &Track, from: SimTime, until: SimTime) {
        self.lay_with(track, from, until, &mut |walk, piece| walk.push(piece.from, piece.until, piece.part));
    }

    fn lay_with(
        &mut self,
        track: &Track,
        from: SimTime,
        until: SimTime,
        each: &mut dyn FnMut(&mut Self, Piece),
    ) {
        let mut now = from;
        for piece in &track.pieces {
            let clipped = Piece { from: piece.from.max(now), until: piece.until.min(until), ..*piece };
            if clipped.from < clipped.until {
                self.push(now, clipped.from, Part::Calls);
                each(self, clipped);
                now = clipped.until;
            }
        }
        self.push(now, until, Part::Calls);
    }

    /// Does `walk` somewhere else, and comes back.
    fn away(&mut self, at: At, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.at, at);
        walk(self);
        self.at = before;
    }

    fn call(&mut self, index: usize, from: SimTime, until: SimTime) {
        let life = self.life;
        let Call { attempts, .. } = &life.calls[index];
        for (number, attempt) in attempts.iter().enumerate() {
            let ends = attempts.get(number + 1).map_or(until, |next| next.begins.min(until));
            let begins = attempt.begins.max(from);
            let is_retried = self.at.is_retried || number + 1 < attempts.len();
            let at = At { call: Some(index), attempt: number, side: Side::Client, is_retried };
            self.away(at, |walk| walk.attempt(attempt, begins, ends));
        }
    }

    fn attempt(&mut self, attempt: &Attempt, from: SimTime, until: SimTime) {
        let Some((sent, served)) = attempt.sent.zip(attempt.served.as_ref()) else {
            return self.lay(&attempt.client, from, until);
        };
        let waits = |piece: &&Piece| piece.from >= sent && !piece.part.is_way();
        let over = attempt.client.pieces.iter().find(waits).map_or(until, |piece| piece.from.min(until));
        let arrived = served.arrived.min(over).max(from);
        self.lay(&attempt.client, from, arrived);
        let left = served.left.unwrap_or(over).clamp(arrived, over.max(arrived));
        self.away(At { side: Side::Server, ..self.at }, |walk| walk.served(served, arrived, left));
        self.away(At { side: Side::Back, ..self.at }, |walk| walk.back(attempt, left, over));
        self.lay(&attempt.client, over.max(arrived), until);
    }

    /// The way of an answer; of one within a cluster without further rounds, or whose rest has left, nothing more is known.
    fn back(&mut self, attempt: &Attempt, from: SimTime, until: SimTime) {
        match attempt.back.pieces.is_empty() {
            true => self.push(from, until, Part::Way),
            false => self.lay(&attempt.back, from, until),
        }
    }

    fn served(&mut self, served: &Served, from: SimTime, until: SimTime) {
        self.lay_with(&served.track, from, until, &mut |walk, piece| match piece.part {
            Part::Calls => walk.groups(&served.groups, piece.from, piece.until),
            part => walk.push(piece.from, piece.until, part),
        });
    }

    /// Waiting for groups: backwards, from the one that ended last to the one that was waited for before it began.
    fn groups(&mut self, groups: &[Group], from: SimTime, until: SimTime) {
        let mut chain = Vec::new();
        let mut now = until;
        while now > from {
            let ends = |group: &&Group| {
                let (begins, ends) = group.track.span()?;
                let ends = ends.min(now);
                (begins < ends && ends > from).then_some((begins.max(from), ends))
            };
            let spans = groups.iter().filter_map(|group| Some((group, ends(&group)?)));
            // The first of those that end last.
            let last = spans.reduce(|a, b| if b.1.1 > a.1.1 { b } else { a });
            let Some((group, (begins, ends))) = last else { break };
            chain.push((group, begins, ends));
            now = begins;
        }
        let mut reached = from;
        for (group, begins, ends) in chain.into_iter().rev() {
            self.push(reached, begins, Part::Calls);
            self.group(group, begins, ends);
            reached = ends;
        }
        self.push(reached, until, Part::Calls);
    }

    fn group(&mut self, group: &Group, from: SimTime, until: SimTime) {
        let life = self.life;
        self.lay_with(&group.track, from, until, &mut |walk, piece| {
            let is_made_then = |call: &&usize| {
                life.calls[**call].begins >= piece.from && life.calls[**call].begins < piece.until
            };
            match group.calls.iter().find(is_made_then) {
                Some(&call) if piece.part == Part::Calls => {
                    walk.push(piece.from, life.calls[call].begins, Part::Calls);
                    walk.call(call, life.calls[call].begins, piece.until);
                }
                _ => walk.push(piece.from, piece.until, piece.part),
            }
        });
    }
}
