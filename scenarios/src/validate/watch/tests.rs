//! What leaves its band, and what is said to be the cause.

#![allow(clippy::unwrap_used)] // A test may panic.

use super::{Cause, Predicted, cause};
use crate::import::measured::{Application, Entry, Measured, Service, Work};

/// A gateway's users request front, which calls back twice in three requests.
fn application() -> Application {
    let service = |rate: f64, cpu_ms: f64, calls: &[(&str, f64)]| Service {
        rate,
        work: Work { cpu_ms, ..Work::default() },
        answers_in: [("edge".to_owned(), 1.0)].into(),
        calls: calls.iter().map(|(to, it)| ((*to).to_owned(), *it)).collect(),
        ..Service::default()
    };
    let mut all = Application::default();
    all.services.insert("front".to_owned(), service(50.0, 4.0, &[("back", 2.0 / 3.0)]));
    all.services.insert("back".to_owned(), service(33.3, 2.0, &[]));
    let entry = Entry { rate: 50.0, mean_ms: 80.0, p90_ms: 150.0, errors: 0.01 };
    all.users.insert(("edge".to_owned(), "front".to_owned()), entry);
    all
}

/// The cause after a change of what is measured, and how many figures leave their bands.
fn found(change: impl Fn(&mut Application)) -> Option<(Cause, usize)> {
    let mut measured = application();
    change(&mut measured);
    let residuals = Predicted(application()).against(Some(&Measured::of_application(measured)), 300.0, 0.1);
    cause(&residuals).map(|(cause, outside)| (cause, outside.len()))
}

fn users(all: &mut Application) -> &mut Entry {
    all.users.values_mut().next().unwrap()
}

fn front(all: &mut Application) -> &mut Service {
    all.services.get_mut("front").unwrap()
}

#[test]
fn the_first_cause_is_said_and_not_what_follows_from_it() {
    assert_eq!(found(|_| {}), None);
    assert_eq!(found(|it| users(it).mean_ms = 86.0), None);
    assert_eq!(found(|it| users(it).mean_ms = 100.0), Some((Cause::Latency, 1)));
    let slow = |it: &mut Application| {
        front(it).work.cpu_ms = 8.0;
        users(it).mean_ms = 100.0;
        users(it).p90_ms = 400.0;
    };
    assert_eq!(found(slow), Some((Cause::Cpu, 3)));
    assert_eq!(found(|it| users(it).errors = 0.05), Some((Cause::Errors, 1)));
    assert_eq!(found(|it| front(it).calls[0].1 = 0.9), Some((Cause::Graph, 1)));
    // Nobody answers of those whom it calls: their servers count no calls.
    let dead = |it: &mut Application| {
        front(it).calls[0].1 = 0.0;
        users(it).errors = 0.67;
    };
    assert_eq!(found(dead), Some((Cause::Errors, 2)));
    assert_eq!(found(|it| front(it).work.errors = 0.03), Some((Cause::Errors, 1)));
    let moved = |it: &mut Application| {
        front(it).answers_in = [("cloud".to_owned(), 0.4), ("edge".to_owned(), 0.6)].into();
        users(it).mean_ms = 40.0;
    };
    assert_eq!(found(moved), Some((Cause::Clusters, 3)));
    assert_eq!(found(|it| front(it).calls.push(("new".to_owned(), 0.2))), Some((Cause::Graph, 1)));
    let busy = |it: &mut Application| {
        slow(it);
        users(it).rate = 70.0;
    };
    assert_eq!(found(busy), Some((Cause::Load, 4)));
    assert_eq!(found(|it| it.services.values_mut().for_each(|it| it.work.cpu_ms = 0.0)), None);
}

#[test]
fn a_block_without_calls_is_another_load() {
    let residuals = Predicted(application()).against(None, 300.0, 0.1);
    let (cause, outside) = cause(&residuals).unwrap();
    assert_eq!((cause, outside.len()), (Cause::Load, 2), "{outside:?}");
    let said = outside[0].to_string();
    assert_eq!(said, "requests of users of front in edge 0.00/s, predicted 50.00/s ± 6.22/s");
}

#[test]
fn a_short_block_leaves_its_band_less_easily() {
    let mut measured = application();
    users(&mut measured).rate = 57.0;
    let measured = Measured::of_application(measured);
    let at = |seconds| cause(&Predicted(application()).against(Some(&measured), seconds, 0.1)).is_some();
    assert!(at(300.0) && !at(10.0));
}
