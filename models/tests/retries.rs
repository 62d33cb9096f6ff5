//! A cell's keep-alive and its sidecar: the race, and who retries.
//!
//! A cell that closes an idle connection just as its sidecar sends a request makes the sidecar
//! answer 503. Up to Istio 1.23 the client's proxy retries that and the user never knows; since
//! 1.24 the caller fails.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::request::answer::Status;
use meshsim_models::world::description::Description;
use support::{cloud_and_edge, ended, run};

/// A loopback so slow that the race is often met.
fn racing(minor: u16) -> Description {
    let mut description = cloud_and_edge(|_| 0.001, &[0, 1, 2, 3], 2.0);
    description.mesh.loopback = SimDuration::from_millis(20);
    description.mesh.istio_version = IstioVersion::new(1, minor);
    description
}

/// Retries and failures of all requests.
fn retries_and_failures(description: &Description) -> (u64, usize) {
    let record = run(description, 0);
    let ended = ended(description, &record);
    assert!(ended.len() > 1_500);
    let retries: u64 = ended.iter().map(|(_, end)| end.totals.retries).sum();
    (retries, ended.iter().filter(|(_, end)| end.status != Status::Ok).count())
}

#[test]
fn istio_1_23_retries_the_503_and_no_user_fails() {
    let (retries, failures) = retries_and_failures(&racing(23));
    assert!(retries > 5, "{retries} retries");
    assert_eq!(failures, 0);
}

#[test]
fn istio_1_24_does_not_and_users_fail() {
    let (retries, failures) = retries_and_failures(&racing(24));
    assert_eq!(retries, 0);
    assert!(failures > 5, "{failures} failures");
}
