//! The life of a request, put together from what clusters have kept of it.
//!
//! # Models
//! A life is the user's track and the calls that were made for the request. A call has its attempts; an attempt has its
//! client's track, what its server did, if it came there, and the way back; a server has its own track and a track for each group of
//! calls. A *track* is a list of pieces without a gap, in the order of time, and the rules that were applied meanwhile.
//! CPU work is three pieces: ready to run, stopped by the quota, on a CPU. What is known of it is how long each lasted,
//! not in which turns, so they stand one after the other. Of work that is given up only what it takes of a CPU is known: at
//! most so long it was on one.

use super::{CallHead, Entry, Lane, Part, Rule, Traces, What};
use crate::ids::{ClusterId, PodId};
use crate::request::answer::Status;
use crate::telemetry::request_log::RequestRow;
use crate::telemetry::work::RequestId;
use meshsim_core::random::Address;
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// A stretch of time that is spent on one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From when.
    pub from: SimTime,
    /// Until when; the last one of a track that nobody has ended has no end.
    pub until: SimTime,
    /// On what.
    pub part: Part,
}

/// A rule that was applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// When.
    pub at: SimTime,
    /// Which, with its inputs.
    pub rule: Rule,
}

/// What somebody's time was spent on, in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Without a gap.
    pub pieces: Vec<Piece>,
    /// What was applied.
    pub rules: Vec<Applied>,
}

/// A request with all that befell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// The user's request.
    pub request: RequestRow,
    /// The user's time.
    pub user: Track,
    /// The user's attempts, by their index among the calls.
    pub attempts: Vec<usize>,
    /// All calls; who calls stands before who is called.
    pub calls: Vec<Call>,
}

/// A call, as who sends it sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Where it is sent from.
    pub cluster: ClusterId,
    /// Who calls what, through which proxy.
    pub head: CallHead,
    /// When it begins.
    pub begins: SimTime,
    /// When who made it has the answer, or gives up.
    pub ends: Option<SimTime>,
    /// The answer, with the size of its body (bytes).
    pub answer: Option<(Status, u32)>,
    /// Its attempts, the first of which may have gone nowhere.
    pub attempts: Vec<Attempt>,
}

/// An attempt of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The address of its draws.
    pub address: Address,
    /// When its time begins.
    pub begins: SimTime,
    /// The pod that it was sent to, if one was chosen.
    pub pod: Option<PodId>,
    /// When it left its client.
    pub sent: Option<SimTime>,
    /// Its client's time.
    pub client: Track,
    /// What its server did.
    pub served: Option<Served>,
    /// The way of the answer.
    pub back: Track,
    /// Copies that were made of it for mirrors, by their index among the calls.
    pub copies: Vec<usize>,
}

/// What the server of an attempt did.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Where.
    pub cluster: ClusterId,
    /// By which pod.
    pub pod: PodId,
    /// When the request came.
    pub arrived: SimTime,
    /// When the answer left.
    pub left: Option<SimTime>,
    /// The answer, with the size of its body (bytes).
    pub answer: Option<(Status, u32)>,
    /// The pod's time, that of its sidecar or ztunnel included.
    pub track: Track,
    /// Its groups of calls, by their numbers.
    pub groups: Vec<Group>,
}

/// A group of calls, made one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its number.
    pub number: u16,
    /// Its time.
    pub track: Track,
    /// The calls, by their index among all.
    pub calls: Vec<usize>,
}

impl Track {
    /// When the first piece after a moment begins.
    #[must_use]
    pub fn next_after(&self, moment: SimTime) -> Option<SimTime> {
        self.pieces.iter().map(|piece| piece.from).find(|from| *from > moment)
    }

    /// When it begins and ends.
    #[must_use]
    pub fn span(&self) -> Option<(SimTime, SimTime)> {
        Some((self.pieces.first()?.from, self.pieces.last()?.until))
    }
}

impl Piece {
    /// How long it lasts.
    #[must_use]
    pub fn length(&self) -> SimDuration {
        self.until - self.from
    }
}

/// The lives of these requests, in their order; one of which nothing is known has no calls.
#[must_use]
pub fn lives(traces: &Traces, requests: &[RequestRow], root: impl Fn(RequestId) -> Address) -> Vec<Life> {
    let mut by_request: BTreeMap<RequestId, Lanes<'_>> = BTreeMap::new();
    for (cluster, entries) in &traces.entries {
        for entry in entries {
            by_request.entry(entry.request).or_default().add(*cluster, entry);
        }
    }
    let life = |request: &RequestRow| {
        let mut life =
            Life { request: *request, user: Track::default(), attempts: Vec::new(), calls: Vec::new() };
        if let Some(lanes) = by_request.get(&request.id()) {
            let user = lanes.read(root(request.id()), Lane::User);
            life.attempts = user.calls.iter().filter_map(|call| lanes.call(*call, &mut life.calls)).collect();
            life.user = user.track;
        }
        life
    };
    requests.iter().map(life).collect()
}

/// The entries of a request.
#[derive(Default)]
struct Lanes<'t> {
    by_lane: BTreeMap<(u64, Lane), Vec<(ClusterId, &'t Entry)>>,
    /// Further attempts, by the address of the first.
    further: BTreeMap<u64, Vec<Address>>,
}

/// A lane that was read.
#[derive(Default)]
struct Read {
    cluster: Option<ClusterId>,
    track: Track,
    head: Option<(SimTime, CallHead)>,
    attempt: Option<(SimTime, PodId)>,
    sent: Option<SimTime>,
    arrived: Option<(SimTime, PodId)>,
    left: Option<(SimTime, Status, u32)>,
    calls: Vec<Address>,
    ends: Option<(SimTime, Option<(Status, u32)>)>,
}

impl<'t> Lanes<'t> {
    fn add(&mut self, cluster: ClusterId, entry: &'t Entry) {
        if let What::Attempts { call, .. } = entry.what
            && call != entry.of
        {
            self.further.entry(call.hash()).or_default().push(entry.of);
        }
        self.by_lane.entry((entry.of.hash(), entry.lane)).or_default().push((cluster, entry));
    }

    /// Puts the call at an address among the others, behind which those stand that were made for it: its index.
    fn call(&self, address: Address, calls: &mut Vec<Call>) -> Option<usize> {
        let first = self.read(address, Lane::Client);
        let ((begins, head), cluster) = (first.head?, first.cluster?);
        let index = calls.len();
        calls.push(Call { cluster, head, begins, ends: None, answer: None, attempts: Vec::new() });
        let mut ends = first.ends;
        let mut attempts = vec![self.attempt(address, begins, first, calls)];
        for &further in self.further.get(&address.hash()).into_iter().flatten() {
            let read = self.read(further, Lane::Client);
            let Some((begins, _)) = read.attempt else { continue };
            ends = read.ends;
            attempts.push(self.attempt(further, begins, read, calls));
        }
        calls[index].attempts = attempts;
        calls[index].ends = ends.map(|(at, _)| at);
        calls[index].answer = ends.and_then(|(_, answer)| answer);
        Some(index)
    }

    fn attempt(&self, address: Address, begins: SimTime, client: Read, calls: &mut Vec<Call>) -> Attempt {
        let served = self.served(address, calls);
        let copies = client.calls.iter().filter_map(|call| self.call(*call, calls)).collect();
        Attempt {
            address,
            begins,
            pod: client.attempt.map(|(_, pod)| pod),
            sent: client.sent,
            client: client.track,
            served,
            back: self.read(address, Lane::Back).track,
            copies,
        }
    }

    fn served(&self, address: Address, calls: &mut Vec<Call>) -> Option<Served> {
        let read = self.read(address, Lane::Server);
        let ((arrived, pod), cluster) = (read.arrived?, read.cluster?);
        let numbers =
            self.by_lane.range((address.hash(), Lane::Group(0))..=(address.hash(), Lane::Group(u16::MAX)));
        let numbers = numbers.filter_map(|((_, lane), _)| match lane {
            Lane::Group(number) => Some(*number),
            _ => None,
        });
        let groups = numbers
            .map(|number| {
                let read = self.read(address, Lane::Group(number));
                let made = read.calls.iter().filter_map(|call| self.call(*call, calls)).collect();
                Group { number, track: read.track, calls: made }
            })
            .collect();
        Some(Served {
            cluster,
            pod,
            arrived,
            left: read.left.map(|(at, ..)| at),
            answer: read.left.map(|(_, status, body)| (status, body)),
            track: read.track,
            groups,
        })
    }

    fn read(&self, address: Address, lane: Lane) -> Read {
        let mut read = Read::default();
        let mut marks = Marks::default();
        for (cluster, entry) in self.by_lane.get(&(address.hash(), lane)).into_iter().flatten() {
            read.cluster = Some(*cluster);
            let from = entry.from;
            match entry.what {
                What::Spends(part) => {
                    // An end that was foreseen does not come.
                    read.ends = read.ends.filter(|(end, _)| *end < from);
                    marks.spends(from, part);
                }
                What::Works { demand, throttled } => marks.works(from, demand, throttled),
                What::HasWorked { throttled } => marks.has_worked(from, throttled),
                What::Applies(rule) => read.track.rules.push(Applied { at: from, rule }),
                What::Begins(head) => read.head = Some((from, head)),
                What::Attempts { pod, .. } => read.attempt = Some((from, pod)),
                What::IsSent => read.sent = Some(from),
                What::Arrives(pod) => read.arrived = Some((from, pod)),
                What::Leaves(status, body) => read.left = Some((from, status, body)),
                What::Calls(address) => read.calls.push(address),
                What::Ends(answer) => {
                    if read.ends.is_none_or(|(end, _)| from < end) {
                        read.ends = Some((from, answer));
                    }
                }
            }
        }
        let end = read.ends.map(|(at, _)| at).or(read.left.map(|(at, ..)| at)).unwrap_or(SimTime::MAX);
        read.track.pieces = marks.pieces(end);
        read.track.rules.retain(|it| it.at <= end);
        read.track.rules.sort_by_key(|it| it.at);
        read
    }
}

/// What a lane's time is spent on, from each mark to the next one.
#[derive(Default)]
struct Marks {
    marks: Vec<(SimTime, Part)>,
    /// CPU work under way: the CPU time that it takes, and for how long its container had been stopped (ns).
    work: Option<(f64, u64)>,
}

impl Marks {
    /// Who speaks last is right about all time from then on.
    fn spends(&mut self, from: SimTime, part: Part) {
        self.give_up();
        self.marks.retain(|(at, _)| *at < from);
        self.marks.push((from, part));
    }

    /// Nobody sees the end of the work under way.
    fn give_up(&mut self) {
        if let (Some((demand, _)), Some(&(from, _))) = (self.work.take(), self.marks.last()) {
            self.marks.push((from + SimDuration::from_nanos_f64(demand), Part::Unfinished));
        }
    }

    fn works(&mut self, from: SimTime, demand: f64, throttled: u64) {
        self.spends(from, Part::Cpu);
        self.work = Some((demand, throttled));
    }

    fn has_worked(&mut self, at: SimTime, throttled: u64) {
        let (Some((demand, before)), Some(&(from, _))) = (self.work.take(), self.marks.last()) else {
            return;
        };
        let all = at - from;
        let stopped = SimDuration::from_nanos(throttled.saturating_sub(before)).min(all);
        let on_cpu = SimDuration::from_nanos_f64(demand).min(all.saturating_sub(stopped));
        let ready = all.saturating_sub(stopped).saturating_sub(on_cpu);
        self.marks.pop();
        let ends = from + ready;
        self.marks.extend([(from, Part::RunQueue), (ends, Part::Throttled), (ends + stopped, Part::Cpu)]);
    }

    /// The pieces, up to the end of the lane, without empty ones.
    fn pieces(mut self, end: SimTime) -> Vec<Piece> {
        self.give_up();
        let ends = self.marks.iter().skip(1).map(|(at, _)| *at).chain([SimTime::MAX]);
        let pieces = self.marks.iter().zip(ends);
        pieces
            .map(|(&(from, part), until)| Piece { from, until: until.min(end), part })
            .filter(|piece| piece.from < piece.until)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    fn pieces(marks: Marks, end: u64) -> Vec<(u64, u64, Part)> {
        let plain = |it: Piece| (it.from.as_nanos(), it.until.as_nanos(), it.part);
        marks.pieces(at(end)).into_iter().map(plain).collect()
    }

    #[test]
    fn who_speaks_last_is_right_about_what_follows() {
        let mut marks = Marks::default();
        for (from, part) in
            [(0, Part::ProxyQueue), (10, Part::Proxy), (30, Part::Loopback), (20, Part::BackOff)]
        {
            marks.spends(at(from), part);
        }
        let expected = [(0, 10, Part::ProxyQueue), (10, 20, Part::Proxy), (20, 50, Part::BackOff)];
        assert_eq!(pieces(marks, 50), expected);
    }

    #[test]
    fn cpu_work_is_what_it_takes_what_the_quota_took_and_the_rest() {
        let mut marks = Marks::default();
        marks.works(at(100), 40.0, 1_000);
        marks.has_worked(at(200), 1_025);
        marks.spends(at(200), Part::Calls);
        let expected = [
            (100, 135, Part::RunQueue),
            (135, 160, Part::Throttled),
            (160, 200, Part::Cpu),
            (200, 210, Part::Calls),
        ];
        assert_eq!(pieces(marks, 210), expected);
    }

    #[test]
    fn work_that_nobody_ends_is_on_the_cpu_for_as_long_as_it_takes_at_most() {
        let marks = || {
            let mut marks = Marks::default();
            marks.works(at(100), 40.0, 0);
            marks
        };
        assert_eq!(pieces(marks(), 120), [(100, 120, Part::Cpu)]);
        let unfinished = [(100, 140, Part::Cpu), (140, 500, Part::Unfinished)];
        assert_eq!(pieces(marks(), 500), unfinished);
        let mut left = marks();
        left.spends(at(500), Part::Loopback);
        assert_eq!(pieces(left, 510), [&unfinished[..], &[(500, 510, Part::Loopback)]].concat());
        let mut soon = marks();
        soon.spends(at(110), Part::Loopback);
        assert_eq!(pieces(soon, 120), [(100, 110, Part::Cpu), (110, 120, Part::Loopback)]);
    }
}
