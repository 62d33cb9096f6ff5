//! Arrivals that were recorded in a file.

use super::check::Check;
use super::ranges::bounded;
use crate::import::arrival_times::{self, Layout};
use crate::problem::Problem;
use crate::schema::arrivals::{ArrivalsTable, Begin, Unit};
use crate::schema::users::Users;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::arrivals::replay::Replay;

/// The recording that a table names, or that of one service in it, in a run that ends at `end`; nothing if it cannot be
/// read.
pub(super) fn resolve(
    check: &mut Check<'_>,
    it: &ArrivalsTable,
    users: &Users,
    end: SimDuration,
) -> Option<Arrivals> {
    let file = it.file.as_ref()?;
    let speed = bounded(check, it.speed.as_ref(), "a speed", 1.0, 1e-6, 1e6);
    // Recordings tell services apart, but no kinds of requests.
    let service = users.service.as_ref().map_or("", |it| it.get_ref().as_str());
    let layout = Layout {
        column: it.column.as_ref().map(|it| it.get_ref().as_str()),
        unit: it.unit.as_ref().map(|it| nanoseconds(*it.get_ref())),
        service,
    };
    let bytes = match (check.files)(file.get_ref()) {
        Ok(bytes) => bytes,
        Err(problem) => {
            let location = check.document.location(file.span());
            check.problems.push(Problem { location, ..problem });
            return None;
        }
    };
    let mut times = match arrival_times::read(file.get_ref(), &bytes, &layout) {
        Ok(times) => times,
        Err(problems) => {
            // What has no location in the recording has one here: who names it.
            let location = check.document.location(file.span());
            let placed = |it: Problem| Problem { location: it.location.or_else(|| location.clone()), ..it };
            check.problems.extend(problems.0.into_iter().map(placed));
            return None;
        }
    };
    let from_first = it.begin.as_ref().is_some_and(|it| *it.get_ref() == Begin::First);
    let zero = if from_first { times[0] } else { SimTime::ZERO };
    for time in &mut times {
        *time = scaled(*time - zero, speed);
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let mut replay = Replay::once(times.into());
    if it.repeat.as_ref().is_some_and(|it| *it.get_ref()) {
        let Some(repeated) = replay.repeated() else {
            let message = format!("all arrivals of `{}` are at the same moment", file.get_ref());
            check.problem(message, file.span(), "what is repeated has a length: take repeat out");
            return None;
        };
        replay = repeated;
    }
    if first >= SimTime::ZERO + end {
        let message = format!(
            "no arrival of `{}` is within the run: they are from {} to {}, and the run ends at {}",
            file.get_ref(),
            first - SimTime::ZERO,
            last - SimTime::ZERO,
            end
        );
        check.problem(
            message,
            file.span(),
            "write begin = \"first\" if the first one is the start of the run",
        );
        return None;
    }
    Some(Arrivals::Replay(replay))
}

/// A length of a recording, played so many times as fast.
fn scaled(length: SimDuration, speed: f64) -> SimTime {
    if speed.total_cmp(&1.0).is_eq() {
        return SimTime::ZERO + length;
    }
    SimTime::ZERO + SimDuration::from_nanos_f64(length.as_nanos() as f64 / speed)
}

const fn nanoseconds(unit: Unit) -> u64 {
    match unit {
        Unit::S => 1_000_000_000,
        Unit::Ms => 1_000_000,
        Unit::Us => 1_000,
        Unit::Ns => 1,
    }
}
