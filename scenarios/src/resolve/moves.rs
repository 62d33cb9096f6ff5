//! Users who move from one cluster to another.

use super::check::Check;
use super::ranges::bounded;
use crate::schema::spanned::Spanned;
use crate::schema::users::{Move as Typed, Users};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::ids::ClusterId;
use meshsim_models::users::population::Move;

/// The moves of a population that begins at `home`.
pub(super) fn resolve(
    check: &mut Check<'_>,
    users: &Users,
    is_open: bool,
    home: Option<ClusterId>,
    clusters: &[&str],
    end: SimDuration,
) -> Vec<Move> {
    if let Some(first) = users.moves.first().filter(|_| !is_open) {
        let message = "users of a closed loop do not move";
        let help = "take moves out, or write arrivals = \"poisson\" and a rate";
        check.problem(message, first.span(), help);
    }
    let moves: Vec<Option<Move>> =
        users.moves.iter().map(|it| one(check, it.get_ref(), home, clusters, end)).collect();
    for (typed, it) in users.moves.iter().zip(&moves) {
        let Some(it) = it else { continue };
        let leads_there = |other: &Move| other.to == it.from && other.begins <= it.begins;
        if Some(it.from) != home && !moves.iter().flatten().any(leads_there) {
            check_from(check, typed.get_ref());
        }
    }
    moves.into_iter().flatten().collect()
}

fn check_from(check: &mut Check<'_>, it: &Typed) {
    let Some(from) = &it.from else { return };
    let message = format!("no user is at `{}` when the move at {} begins", from.get_ref(), it.at.get_ref().0);
    check.problem(message, from.span(), "users are at their own cluster, and where earlier moves lead");
}

fn one(
    check: &mut Check<'_>,
    it: &Typed,
    home: Option<ClusterId>,
    clusters: &[&str],
    end: SimDuration,
) -> Option<Move> {
    let mut find = |name: &Spanned<String>| {
        let found = check.reference_in(name.get_ref(), name.span(), clusters, "cluster");
        found.map(ClusterId::from_index)
    };
    let to = find(&it.to);
    let from = it.from.as_ref().map_or(home, find);
    let at = check.duration(Some(&it.at), "at", SimDuration::ZERO, 0);
    if at >= end {
        let message = format!("the move begins at {at}, and the run ends at {end}");
        check.problem(message, it.at.span(), "it begins before; the warm-up is part of the run");
    }
    let over = check.duration(it.over.as_ref(), "over", SimDuration::ZERO, 0);
    let share = bounded(check, it.share.as_ref(), "a share", 1.0, 0.0, 1.0);
    let (from, to) = (from?, to?);
    if from == to {
        let message = format!("users move from `{}` to itself", it.to.get_ref());
        check.problem(message, it.to.span(), "name another cluster");
    }
    Some(Move { begins: SimTime::ZERO + at, over, from, to, share })
}
