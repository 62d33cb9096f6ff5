//! The story of one request: what befell it hop by hop, which rules were applied, where its time went.

use super::choice::Single;
use super::words::Words;
use crate::experiment::{Watch, lives};
use crate::problem::Checked;
use crate::resolve::Resolved;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::telemetry::trace::critical_path::{Side, Stretch};
use meshsim_models::telemetry::trace::life::{Applied, Attempt, Life, Piece, Served, Track};
use meshsim_models::telemetry::trace::{Kind, Part, Rule};
use meshsim_models::world::topology::Topology;
use serde::Serialize;

/// A request, told in order.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Under which strategy.
    pub strategy: String,
    /// In which replication.
    pub replication: u32,
    /// Whose request it is.
    pub users: String,
    /// Which of theirs.
    pub number: u32,
    /// What for.
    pub request: String,
    /// When it was sent, from the start of the run (s).
    pub sent_s: f64,
    /// How long it took (ms); nothing of one in flight.
    pub latency_ms: Option<f64>,
    /// What it came to, as in `503 UF`.
    pub status: Option<String>,
    /// What the latency was spent on; they sum up to it.
    pub parts: Vec<PartOf>,
    /// What befell it.
    pub steps: Vec<Step>,
    /// The chain of what was waited for, from sending to end, without a gap.
    pub critical_path: Vec<Link>,
}

/// What a part of the latency was spent on.
#[derive(Clone, Debug, Serialize)]
pub struct PartOf {
    /// On what.
    pub part: &'static str,
    /// How long (ms).
    pub ms: f64,
    /// Of the latency (0 to 1).
    pub share: f64,
}

/// A link of the critical path.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// From the request's sending (ms).
    pub at_ms: f64,
    /// How long it lasted (ms).
    pub took_ms: f64,
    /// On what it was spent.
    pub what: &'static str,
    /// Among which part it is reported.
    pub part: &'static str,
    /// The called service; the user's own time has none.
    pub service: Option<String>,
    /// In which cluster.
    pub cluster: String,
    /// Whether it was for an attempt that was made again.
    pub retried: bool,
}

/// Something that befell a request.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// From the request's sending (ms).
    pub at_ms: f64,
    /// How long it lasted (ms), if it took time.
    pub took_ms: Option<f64>,
    /// How far down the calls it is.
    pub depth: usize,
    /// Whether the user waited for it: it is on the critical path.
    pub waited_for: bool,
    /// What it is.
    pub what: String,
    /// The rule that was applied, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The page that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
}

/// Finds a request of a replication, and tells its life. Nothing if it was told to stop.
///
/// # Errors
/// If there is no such request.
pub fn find_and_tell(
    resolved: &Resolved,
    replication: u32,
    which: Single,
    watch: &Watch<'_>,
) -> Checked<Option<Story>> {
    if let Single::Named(id) = which {
        let Some(mut lives) = lives::follow(resolved, replication, vec![id], watch) else { return Ok(None) };
        if let Some(life) = lives.pop() {
            return Ok(Some(tell(resolved, replication, &life)));
        }
        // Who it is not is said by those who are there.
    }
    let Some(rows) = lives::requests(resolved, replication, watch) else { return Ok(None) };
    let row = which.find(&rows, SimTime::ZERO + resolved.description.warm_up)?;
    let lives = lives::follow(resolved, replication, vec![row.id()], watch);
    Ok(lives.and_then(|mut lives| lives.pop()).map(|life| tell(resolved, replication, &life)))
}

/// Tells the life of a request.
#[must_use]
pub fn tell(resolved: &Resolved, replication: u32, life: &Life) -> Story {
    let topology = Topology::new(resolved.description.clone(), replication);
    let words = Words::of(&topology);
    let path = life.critical_path();
    let latency = life.request.end.map(|end| end.latency);
    let mut telling = Telling { words: &words, life, path: &path, steps: Vec::new() };
    telling.user();
    let parts = Kind::ALL.iter().filter_map(|kind| {
        let nanos = path.iter().filter(|it| it.kind() == *kind).map(|it| it.length().as_nanos()).sum::<u64>();
        let all = latency?.as_nanos_f64().max(1.0);
        (nanos > 0).then(|| PartOf { part: kind.name(), ms: nanos as f64 / 1e6, share: nanos as f64 / all })
    });
    Story {
        strategy: resolved.strategy.clone(),
        replication,
        users: words.users(life).to_owned(),
        number: life.request.number,
        request: words.called(life.request.endpoint),
        sent_s: life.request.arrival.as_secs_f64(),
        latency_ms: latency.map(SimDuration::as_millis_f64),
        status: life.request.end.map(|end| end.status.to_string()),
        parts: parts.collect(),
        critical_path: path.iter().map(|it| telling.link(it)).collect(),
        steps: telling.steps,
    }
}

/// The service and cluster in which a stretch of a critical path was spent.
pub(super) fn location(words: &Words<'_>, life: &Life, stretch: &Stretch) -> (Option<ServiceId>, ClusterId) {
    let Some(call) = stretch.call.map(|index| &life.calls[index]) else {
        use meshsim_core::Id;
        let population = &words.topology.description.populations[life.request.population.index()];
        return (None, life.calls.first().map_or(population.cluster, |call| call.cluster));
    };
    let service = words.topology.service_of(call.head.endpoint);
    let served = call.attempts[stretch.attempt].served.as_ref();
    match (stretch.side, served) {
        (Side::Server | Side::Back, Some(served)) => (Some(service), served.cluster),
        _ => (Some(service), call.cluster),
    }
}

struct Telling<'a> {
    words: &'a Words<'a>,
    life: &'a Life,
    path: &'a [Stretch],
    steps: Vec<Step>,
}

/// Something of a track.
enum Of<'a> {
    Piece(&'a Piece),
    Rule(&'a Applied),
}

/// Pieces and rules in the order of time; a rule comes before what it leads to.
fn in_order(track: &Track) -> Vec<(SimTime, Of<'_>)> {
    let rules = track.rules.iter().map(|rule| (rule.at, Of::Rule(rule)));
    let mut all: Vec<_> =
        rules.chain(track.pieces.iter().map(|piece| (piece.from, Of::Piece(piece)))).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

impl Telling<'_> {
    fn at(&self, moment: SimTime) -> f64 {
        moment.saturating_since(self.life.request.arrival).as_millis_f64()
    }

    fn push(&mut self, at: SimTime, took: Option<SimDuration>, depth: usize, waited_for: bool, what: String) {
        let step = Step {
            at_ms: self.at(at),
            took_ms: took.map(SimDuration::as_millis_f64),
            depth,
            waited_for,
            what,
            rule: None,
            source: None,
        };
        self.steps.push(step);
    }

    fn piece(&mut self, piece: &Piece, depth: usize, waited_for: bool) {
        let took = (piece.until < SimTime::MAX).then(|| piece.length());
        if took != Some(SimDuration::ZERO) {
            self.push(piece.from, took, depth, waited_for, piece.part.name().to_owned());
        }
    }

    fn rule(&mut self, cluster: ClusterId, applied: &Applied, depth: usize, waited_for: bool) {
        let what = self.words.rule(cluster, &applied.rule);
        self.push(applied.at, None, depth, waited_for, what);
        if let Some(step) = self.steps.last_mut() {
            (step.rule, step.source) = (Some(applied.rule.name()), Some(applied.rule.source()));
        }
    }

    /// What a track has, of which nothing is told from a moment on.
    fn of(&mut self, cluster: ClusterId, it: &Of<'_>, until: SimTime, depth: usize, waited_for: bool) {
        match it {
            Of::Piece(piece) => {
                let until = piece.until.min(until).max(piece.from);
                self.piece(&Piece { until, ..**piece }, depth, waited_for);
            }
            Of::Rule(rule) => self.rule(cluster, rule, depth, waited_for),
        }
    }

    fn user(&mut self) {
        let life = self.life;
        let cluster = life.calls.first().map_or(ClusterId(0), |call| call.cluster);
        let ends = life.request.end.map_or(SimTime::MAX, |end| life.request.arrival + end.latency);
        let mut told = 0;
        // While a call is under way the user only waits for it.
        for (at, it) in in_order(&life.user) {
            while let Some(&call) = life.attempts.get(told).filter(|&&call| life.calls[call].begins < at) {
                self.call(call, 0);
                told += 1;
            }
            let waits = |call: &usize| life.calls[*call].begins == at;
            match it {
                Of::Piece(_) if life.attempts.get(told).is_some_and(waits) => {}
                it => self.of(cluster, &it, ends, 0, true),
            }
        }
        while let Some(&call) = life.attempts.get(told) {
            self.call(call, 0);
            told += 1;
        }
    }

    fn call(&mut self, index: usize, depth: usize) {
        let life = self.life;
        let call = &life.calls[index];
        let waited_for = self.path.iter().any(|it| it.call == Some(index));
        let came_to = match (call.answer, call.head.is_copy) {
            (_, true) => " (a copy, for which nobody waits)".to_owned(),
            (Some((status, _)), _) if status.is_ok() => String::new(),
            (Some((status, _)), _) => format!(": {status}"),
            (None, _) => ": no answer".to_owned(),
        };
        let hidden = if waited_for || call.head.is_copy { "" } else { " (beside what was waited for)" };
        let what = format!(
            "{} calls {}{came_to}{hidden}",
            self.words.client(call),
            self.words.called(call.head.endpoint)
        );
        self.push(call.begins, call.ends.map(|ends| ends - call.begins), depth, waited_for, what);
        for (number, attempt) in call.attempts.iter().enumerate() {
            if let Some(pod) = attempt.pod {
                let which =
                    if call.attempts.len() > 1 { format!("attempt {}: ", number + 1) } else { String::new() };
                let what = format!("{which}to {}", self.words.names.pod(pod));
                self.attempt(index, attempt, depth + 1, waited_for, Some(what));
            } else {
                self.attempt(index, attempt, depth + 1, waited_for, None);
            }
        }
    }

    fn attempt(
        &mut self,
        index: usize,
        attempt: &Attempt,
        depth: usize,
        waited_for: bool,
        mut chosen: Option<String>,
    ) {
        let life = self.life;
        let call = &life.calls[index];
        let mut served = attempt.served.as_ref();
        let arrived = served.map_or(SimTime::MAX, |served| served.arrived);
        let is_answer =
            |piece: &&Piece| attempt.sent.is_some_and(|sent| piece.from >= sent) && !piece.part.is_way();
        let answered = attempt.client.pieces.iter().find(is_answer).map(|piece| piece.from);
        let answered = answered.or(call.ends).unwrap_or(SimTime::MAX);
        let chosen_at = attempt.client.rules.iter().find(|it| is_of_choice(&it.rule)).map(|it| it.at);
        for (at, it) in in_order(&attempt.client) {
            let is_after = match &it {
                Of::Piece(piece) => is_answer(piece),
                Of::Rule(_) => served.is_some_and(|served| at > served.arrived),
            };
            if chosen_at.is_some_and(|chosen| at >= chosen)
                && let Some(what) = chosen.take()
            {
                self.push(at, None, depth, waited_for, what);
            }
            if is_after && let Some(served) = served.take() {
                self.served(served, attempt, answered, depth, waited_for);
            }
            let is_on_the_way = matches!(&it, Of::Piece(piece) if piece.part.is_way());
            let until = if is_on_the_way { arrived } else { SimTime::MAX };
            self.of(call.cluster, &it, until, depth, waited_for);
        }
        if let Some(served) = served {
            self.served(served, attempt, answered, depth, waited_for);
        }
        for &copy in &attempt.copies {
            self.call(copy, depth + 1);
        }
    }

    /// What a server did, whose answer is with its client at a moment.
    fn served(
        &mut self,
        served: &Served,
        attempt: &Attempt,
        answered: SimTime,
        depth: usize,
        waited_for: bool,
    ) {
        let took = served.left.map(|left| left.saturating_since(served.arrived));
        let status = served.answer.filter(|(status, _)| !status.is_ok());
        let answer = status.map_or_else(String::new, |(status, _)| format!(": answers {status}"));
        let what = format!("at {}{answer}", self.words.names.pod(served.pod));
        self.push(served.arrived, took, depth, waited_for, what);
        for (at, it) in in_order(&served.track) {
            // Whose client has given up works on, and nobody waits for it.
            let waited_for = waited_for && at <= answered;
            match it {
                Of::Piece(piece) if piece.part == Part::Calls => {
                    self.groups(served, piece, depth + 1, waited_for);
                }
                it => self.of(served.cluster, &it, SimTime::MAX, depth + 1, waited_for),
            }
        }
        let is_round = |it: &Applied| matches!(it.rule, Rule::Round { .. });
        let (mut round, rounds) = (0, attempt.back.rules.iter().filter(|it| is_round(it)).count() + 1);
        for (_, it) in in_order(&attempt.back) {
            self.of(served.cluster, &it, answered, depth, waited_for);
            if let (Of::Rule(rule), Some(step)) = (&it, self.steps.last_mut())
                && is_round(rule)
            {
                round += 1;
                step.what = format!("round {round} of {rounds}: {}", step.what);
            }
        }
    }

    /// The calls that are made while a server waits for calls, and the CPU work for them.
    fn groups(&mut self, served: &Served, waits: &Piece, depth: usize, waited_for: bool) {
        let is_then = |at: SimTime| at >= waits.from && at < waits.until;
        let life = self.life;
        let work = served.groups.iter().flat_map(|group| &group.track.pieces);
        let work = work.filter(|piece| piece.part != Part::Calls && is_then(piece.from));
        let calls = served.groups.iter().flat_map(|group| group.calls.iter().copied());
        let calls = calls.filter(|call| is_then(life.calls[*call].begins));
        let mut all: Vec<(SimTime, Result<usize, &Piece>)> =
            work.map(|piece| (piece.from, Err(piece))).collect();
        all.extend(calls.map(|call| (life.calls[call].begins, Ok(call))));
        all.sort_by_key(|(at, _)| *at);
        for (_, it) in all {
            match it {
                Ok(call) => self.call(call, depth),
                Err(piece) => self.piece(piece, depth, waited_for),
            }
        }
    }

    fn link(&self, stretch: &Stretch) -> Link {
        let (service, cluster) = location(self.words, self.life, stretch);
        Link {
            at_ms: self.at(stretch.piece.from),
            took_ms: stretch.length().as_millis_f64(),
            what: stretch.piece.part.name(),
            part: stretch.kind().name(),
            service: service.map(|it| self.words.names.service(it).to_owned()),
            cluster: self.words.names.cluster(cluster),
            retried: stretch.is_retried,
        }
    }
}

/// Whether a rule says how an endpoint was chosen.
const fn is_of_choice(rule: &Rule) -> bool {
    matches!(
        rule,
        Rule::PriorityLoad { .. }
            | Rule::Panic { .. }
            | Rule::Balancer { .. }
            | Rule::Ejected(..)
            | Rule::ConnectionTo(_)
    )
}
