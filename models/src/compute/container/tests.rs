use super::*;

fn compute(cores: f64, limits: &[Option<f64>]) -> (Compute<u32>, Vec<ContainerId>) {
    let mut compute = Compute::new([cores]);
    let ids = limits
        .iter()
        .map(|&limit| {
            compute.add_container(&ContainerSpec {
                host: HostId(0),
                entity: EntityId(0),
                workers: 4,
                jobs_per_worker: 16,
                limit,
                weight: 1.0,
                phase: 1.0,
            })
        })
        .collect();
    (compute, ids)
}

/// Starts jobs (container, worker, demand in ms) together and tells when each is done [ms].
fn run(compute: &mut Compute<u32>, jobs: &[(ContainerId, usize, f64)]) -> Vec<f64> {
    for (i, &(container, worker, ms)) in jobs.iter().enumerate() {
        compute.start(SimTime::ZERO, container, worker, ms * 1e6, i as u32);
    }
    let mut pending: Vec<Retimed> = Vec::new();
    let mut done_at = vec![f64::NAN; jobs.len()];
    loop {
        pending.extend(compute.take_retimed());
        let Some(next) = (0..pending.len()).min_by_key(|&i| pending[i].at) else { break };
        let event = pending.swap_remove(next);
        let mut done = Vec::new();
        compute.on_event(event.at, event.container, event.epoch, &mut done);
        for job in done {
            done_at[job as usize] = (event.at.as_secs_f64() * 1e6).round() / 1e3;
        }
    }
    done_at
}

#[test]
fn threads_of_one_worker_share_one_core() {
    let (mut compute, id) = compute(8.0, &[None]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 10.0), (id[0], 0, 20.0)]), [20.0, 30.0]);
}

#[test]
fn workers_run_side_by_side() {
    let (mut compute, id) = compute(8.0, &[None]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 10.0), (id[0], 1, 20.0)]), [10.0, 20.0]);
}

#[test]
fn a_limit_of_one_core_stops_two_workers_halfway_through_the_period() {
    let (mut compute, id) = compute(8.0, &[Some(1.0)]);
    // 60 ms each: both run 50 ms, wait until 100, then 10 more.
    assert_eq!(run(&mut compute, &[(id[0], 0, 60.0), (id[0], 1, 60.0)]), [110.0, 110.0]);
    assert_eq!(compute.throttled_periods(id[0]), 1);
    assert!((compute.used(id[0]) - 120e6).abs() < 1.0);
}

#[test]
fn a_limit_that_the_workers_cannot_reach_changes_nothing() {
    let (mut compute, id) = compute(8.0, &[Some(4.0)]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 60.0), (id[0], 1, 60.0)]), [60.0, 60.0]);
}

#[test]
fn containers_of_a_crowded_host_share_its_cores() {
    let (mut compute, id) = compute(2.0, &[None, None]);
    // Three workers on two cores, two containers of equal weight: one core each at first, so the
    // lone worker is done after 10 ms; then two workers on two cores.
    let jobs = [(id[0], 0, 10.0), (id[0], 1, 10.0), (id[1], 0, 10.0)];
    assert_eq!(run(&mut compute, &jobs), [15.0, 15.0, 10.0]);
}

#[test]
fn a_stopped_container_leaves_its_cores_to_the_others() {
    let (mut compute, id) = compute(2.0, &[Some(0.5), None]);
    // The first uses one core for 50 ms and is stopped; the second's two workers then have both.
    let jobs = [(id[0], 0, 60.0), (id[1], 0, 50.0), (id[1], 1, 50.0)];
    assert_eq!(run(&mut compute, &jobs), [110.0, 75.0, 75.0]);
}
