//! Which requests are followed.

use crate::problem::{Checked, Problem};
use meshsim_core::{Id, SimTime};
use meshsim_models::ids::PopulationId;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::RequestId;
use meshsim_models::world::description::Description;
use std::str::FromStr;

/// One of a replication's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {
    /// The one of a group of users that has this number.
    Named(RequestId),
    /// The slowest of those that succeeded.
    Slowest,
    /// The first that failed.
    Failed,
}

impl Single {
    /// The request that a text names: `17`, or `edge1:17` where there are several groups of users.
    ///
    /// # Errors
    /// If it is neither, or there is no such group.
    pub fn named(text: &str, description: &Description) -> Checked<Self> {
        let populations = &description.populations;
        let (users, number) = text.rsplit_once(':').map_or((None, text), |(users, it)| (Some(users), it));
        let names = || populations.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
        let wrong = |message: String| {
            let help = format!(
                "write NUMBER, or USERS:NUMBER where there are several groups of users ({})",
                names()
            );
            Problem::new(message).help(help)
        };
        let number = number.parse().map_err(|_| wrong(format!("--request {text}: {number} is no number")))?;
        let index = match users {
            Some(name) => populations
                .iter()
                .position(|it| it.name == name)
                .ok_or_else(|| wrong(format!("--request {text}: there are no users `{name}`")))?,
            None if populations.len() > 1 => {
                return Err(wrong(format!("--request {text}: there are several groups of users")).into());
            }
            None => 0,
        };
        Ok(Self::Named(RequestId { population: PopulationId::from_index(index), number }))
    }

    /// The row of the one that is meant, of all of a replication that arrive from a moment on.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(self, rows: &[RequestRow], from: SimTime) -> Checked<RequestRow> {
        let latency = |row: &RequestRow| row.end.filter(|end| end.status.is_ok()).map(|end| end.latency);
        let reported = || rows.iter().filter(|row| row.arrival >= from);
        let found = match self {
            Self::Named(id) => rows.iter().find(|row| row.id() == id),
            // Of several the first one.
            Self::Slowest => {
                reported().filter(|row| latency(row).is_some()).rev().max_by_key(|row| latency(row))
            }
            Self::Failed => reported().find(|row| row.end.is_some_and(|end| !end.status.is_ok())),
        };
        let nothing = || match self {
            Self::Named(id) => {
                let of = rows.iter().filter(|row| row.id().population == id.population);
                let most = of.map(|row| row.number).max();
                let help = most.map_or("nobody sends anything".to_owned(), |most| {
                    format!("the highest number is {most}; requests.csv of `run --request-log` lists all")
                });
                Problem::new(format!("there is no request {} in this replication", id.number)).help(help)
            }
            Self::Slowest => {
                Problem::new("no request succeeds in this replication").help("--failed finds one that fails")
            }
            Self::Failed => {
                Problem::new("no request fails in this replication").help("--slowest finds the slowest")
            }
        };
        found.copied().ok_or_else(|| nothing().into())
    }
}

/// Which ones of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Several {
    /// The first that arrive.
    #[default]
    First,
    /// At equal distances among all, by arrival.
    Sampled,
    /// The slowest of those that succeeded.
    Slowest,
    /// The first that failed.
    Failed,
}

impl Several {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("first", Self::First),
        ("sampled", Self::Sampled),
        ("slowest", Self::Slowest),
        ("failed", Self::Failed),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }

    /// So many of them, at most, of the requests that arrive from a moment on and have ended, in the order of arrival.
    #[must_use]
    pub fn of(self, rows: &[RequestRow], from: SimTime, count: usize) -> Vec<RequestId> {
        let ended: Vec<&RequestRow> =
            rows.iter().filter(|row| row.arrival >= from && row.end.is_some()).collect();
        let is_ok = |row: &&&RequestRow| row.end.is_some_and(|end| end.status.is_ok());
        let mut chosen: Vec<&RequestRow> = match self {
            Self::First => ended.into_iter().take(count).collect(),
            Self::Failed => ended.iter().filter(|row| !is_ok(row)).take(count).copied().collect(),
            Self::Sampled => {
                let count = count.min(ended.len());
                (0..count).map(|index| ended[index * ended.len() / count]).collect()
            }
            Self::Slowest => {
                let mut ok: Vec<&RequestRow> = ended.iter().filter(is_ok).copied().collect();
                ok.sort_by_key(|row| std::cmp::Reverse(row.end.map(|end| end.latency)));
                ok.truncate(count);
                ok
            }
        };
        chosen.sort_by_key(|row| row.order());
        chosen.iter().map(|row| row.id()).collect()
    }
}

impl FromStr for Several {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        found.map(|(_, it)| *it).ok_or_else(|| format!("it is one of {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;
    use meshsim_models::ids::EndpointId;
    use meshsim_models::request::answer::Status;
    use meshsim_models::telemetry::request_log::RequestEnd;

    fn rows() -> Vec<RequestRow> {
        let row = |(number, (ms, status)): (u32, (u64, Status))| RequestRow {
            population: PopulationId(0),
            number,
            endpoint: EndpointId(0),
            arrival: SimTime::from_nanos(u64::from(number)),
            attempts: 1,
            end: Some(RequestEnd { latency: SimDuration::from_millis(ms), status }),
        };
        let ends =
            [(5, Status::Ok), (9, Status::Ok), (70, Status::Timeout), (9, Status::Ok), (1, Status::Overflow)];
        (0..).zip(ends).map(row).collect()
    }

    #[test]
    fn each_choice_finds_its_requests() {
        let (rows, of) = (rows(), |it: Several, from, count| {
            let ids = it.of(&rows(), SimTime::from_nanos(from), count);
            ids.iter().map(|id| id.number).collect::<Vec<_>>()
        });
        assert_eq!(of(Several::First, 0, 2), [0, 1]);
        assert_eq!(of(Several::First, 3, 9), [3, 4]);
        assert_eq!(of(Several::Sampled, 0, 2), [0, 2]);
        assert_eq!(of(Several::Slowest, 0, 2), [1, 3]);
        assert_eq!(of(Several::Failed, 0, 5), [2, 4]);
        let find = |it: Single| it.find(&rows, SimTime::ZERO).map(|row| row.number).ok();
        assert_eq!((find(Single::Slowest), find(Single::Failed)), (Some(1), Some(2)));
        let named = |number| Single::Named(RequestId { population: PopulationId(0), number });
        assert_eq!((find(named(4)), find(named(5))), (Some(4), None));
    }
}
