//! Lives as a trace for Chrome (`chrome://tracing`) and Perfetto.
//!
//! # Models
//! A request is a process, an attempt's client and its server are threads of it, in the order in which they come in. On a thread
//! lies the whole time of the side, below it what it was spent on, and rules as marks that take no time.
//!
//! # Source
//! Trace Event Format (Google), complete events (`X`), instant events (`i`), metadata (`M`). Perfetto, trace_processor, `json_utils`
//! (`CoerceToTs`).

use super::Told;
use super::words::Words;
use meshsim_core::SimTime;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::trace::life::{Life, Track};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    ph: &'a str,
    /// Microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: usize,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
}

/// Writes the trace.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let words = Words::of(&told.topology);
    out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")?;
    let mut writing = Writing { out, is_first: true, words: &words, process: 0, thread: 0 };
    for (number, life) in told.lives.iter().enumerate() {
        writing.life(number + 1, life)?;
    }
    out.write_all(b"\n]}\n")
}

struct Writing<'a> {
    out: &'a mut dyn Write,
    is_first: bool,
    words: &'a Words<'a>,
    process: usize,
    thread: usize,
}

/// Perfetto cuts off what is less than a nanosecond, so a number that is a little too small would be one less, and pieces
/// that meet would overlap.
fn micros(nanos: u64) -> f64 {
    let micros = nanos as f64 / 1e3;
    if (micros * 1e3) as u64 == nanos { micros } else { micros.next_up() }
}

impl Writing<'_> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *self.out, event)?;
        Ok(())
    }

    fn named(&mut self, what: &str, name: &str) -> io::Result<()> {
        let args = Some(json!({ "name": name }));
        let (pid, tid) = (self.process, self.thread);
        self.event(&Event { name: what, ph: "M", ts: None, dur: None, pid, tid, s: None, args })
    }

    fn span(&mut self, name: &str, from: SimTime, until: SimTime) -> io::Result<()> {
        let (pid, tid) = (self.process, self.thread);
        let dur = Some(micros(until.saturating_since(from).as_nanos()));
        self.event(&Event {
            name,
            ph: "X",
            ts: Some(micros(from.as_nanos())),
            dur,
            pid,
            tid,
            s: None,
            args: None,
        })
    }

    /// A thread with this time as a whole and in its pieces; what has no end ends there.
    fn thread(
        &mut self,
        name: &str,
        cluster: ClusterId,
        track: &Track,
        (from, until): (SimTime, SimTime),
    ) -> io::Result<()> {
        self.thread += 1;
        self.named("thread_name", name)?;
        self.span(name, from, until)?;
        for piece in &track.pieces {
            let (from, until) = (piece.from.clamp(from, until), piece.until.clamp(from, until));
            if from < until {
                self.span(piece.part.name(), from, until)?;
            }
        }
        for applied in &track.rules {
            let args =
                json!({ "what": self.words.rule(cluster, &applied.rule), "source": applied.rule.source() });
            self.event(&Event {
                name: applied.rule.name(),
                ph: "i",
                ts: Some(micros(applied.at.as_nanos())),
                dur: None,
                pid: self.process,
                tid: self.thread,
                s: Some("t"),
                args: Some(args),
            })?;
        }
        Ok(())
    }

    fn life(&mut self, process: usize, life: &Life) -> io::Result<()> {
        let Some(end) = life.request.end else { return Ok(()) };
        (self.process, self.thread) = (process, 0);
        let ends = life.request.arrival + end.latency;
        let users = self.words.users(life).to_owned();
        let name = format!(
            "{users}:{} ({:.1} ms, {})",
            life.request.number,
            end.latency.as_millis_f64(),
            end.status
        );
        self.named("process_name", &name)?;
        let cluster = life.calls.first().map_or(ClusterId(0), |call| call.cluster);
        self.thread(&users, cluster, &life.user, (life.request.arrival, ends))?;
        for call in &life.calls {
            let over = call.ends.unwrap_or(ends);
            for (number, attempt) in call.attempts.iter().enumerate() {
                let until = call.attempts.get(number + 1).map_or(over, |next| next.begins);
                let called = self.words.called(call.head.endpoint);
                let name = format!("{} calls {called}", self.words.client(call));
                self.thread(
                    &name,
                    call.cluster,
                    &attempt.client,
                    (attempt.begins, until.max(attempt.begins)),
                )?;
                if let Some(served) = &attempt.served {
                    let name = self.words.names.pod(served.pod);
                    let left = served.left.unwrap_or(served.arrived);
                    self.thread(&name, served.cluster, &served.track, (served.arrived, left))?;
                }
            }
        }
        Ok(())
    }
}
