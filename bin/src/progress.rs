//! How far a command is: a bar on a terminal, a line now and then elsewhere.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use meshsim_scenarios::traces;
use std::cell::Cell;
use std::fmt;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Whether a line on standard error can be drawn again.
fn can_redraw() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Simulated time that is done and to be done.
pub(crate) struct Progress {
    kind: Kind,
}

enum Kind {
    Silent,
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

struct Lines {
    total: f64,
    done: f64,
    started: Instant,
    last: Instant,
}

/// Ten seconds, or as many as the environment says.
fn between_lines() -> Duration {
    let asked = std::env::var("MESHSIM_PROGRESS_SECONDS").ok().and_then(|it| it.parse().ok());
    Duration::from_secs(asked.unwrap_or(10))
}

impl Progress {
    /// Progress towards `total` seconds of simulated time.
    pub(crate) fn new(total: f64, quiet: bool) -> Self {
        let kind = if quiet {
            Kind::Silent
        } else if can_redraw() {
            let bar = ProgressBar::new(total as u64);
            let style = "{elapsed} [{wide_bar}] {percent} % ({rate} simulated s/s, {eta} left)";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                    // The bar draws nothing if a number cannot be written.
                    let _ = write!(out, "{:.0}", state.per_sec());
                }));
            }
            Kind::Bar(bar)
        } else {
            let now = Instant::now();
            Kind::Lines(Mutex::new(Lines { total, done: 0.0, started: now, last: now }))
        };
        Self { kind }
    }

    /// So much more is done (s).
    pub(crate) fn advance(&self, seconds: f64) {
        match &self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => bar.inc(seconds.round() as u64),
            Kind::Lines(lines) => {
                if let Ok(mut lines) = lines.lock() {
                    lines.advance(seconds);
                }
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn advance(&mut self, seconds: f64) {
        self.done += seconds;
        if self.last.elapsed() < between_lines() {
            return;
        }
        self.last = Instant::now();
        let share = self.done / self.total;
        let rate = self.done / self.started.elapsed().as_secs_f64();
        let left = (self.total - self.done) / rate;
        let _ = writeln!(
            stderr(),
            "{:.0} % done, {rate:.0} simulated seconds per second, {left:.0} s left",
            share * 100.0
        );
    }
}

/// How much of a file has been read: a bar on a terminal, a line now and then elsewhere.
pub(crate) struct Reading {
    quiet: bool,
    bar: Option<ProgressBar>,
    last: Cell<Instant>,
}

impl Reading {
    /// Nothing has been read.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = (!quiet && can_redraw()).then(|| {
            let bar = ProgressBar::new(0);
            match ProgressStyle::with_template("reading [{wide_bar}] {bytes} of {total_bytes} ({eta} left)") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { quiet, bar, last: Cell::new(Instant::now()) }
    }

    /// So much has been read.
    pub(crate) fn advance(&self, progress: traces::Progress) {
        let traces::Progress { read, total } = progress;
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(read));
            bar.set_position(read);
        } else if !self.quiet && self.last.get().elapsed() >= between_lines() {
            self.last.set(Instant::now());
            let _ = writeln!(stderr(), "{} of {} MB read", read / 1_000_000, total.max(read) / 1_000_000);
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
