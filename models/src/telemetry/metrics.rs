//! What a cluster counts over time, so that a warm-up can be cut off after the run.
//!
//! # Models
//! The whole run, warm-up included, is divided into equal slices; each has the calls served per service and the CPU time
//! of cells and proxies. A cut is made at the border of a slice.

use crate::ids::ServiceId;
use meshsim_core::{Id, SimDuration, SimTime};

/// Counts per slice of time.
#[derive(Clone, Debug)]
pub struct Metrics {
    width: SimDuration,
    slices: usize,
    services: usize,
    served: Vec<u32>,
    cell_cpu: Vec<f64>,
    proxy_cpu: Vec<f64>,
}

/// Sums over the slices after a cut.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsSum {
    /// Calls served, by service.
    pub served: Vec<u64>,
    /// CPU time of the cells (s).
    pub cell_cpu_seconds: f64,
    /// CPU time of the proxies (s).
    pub proxy_cpu_seconds: f64,
}

impl Metrics {
    /// `slices` slices of `width` each; what happens after them counts in the last.
    #[must_use]
    pub fn new(width: SimDuration, slices: usize, services: usize) -> Self {
        Self {
            width,
            slices,
            services,
            served: vec![0; slices * services],
            cell_cpu: vec![0.0; slices],
            proxy_cpu: vec![0.0; slices],
        }
    }

    /// A call was served.
    pub fn count_served(&mut self, now: SimTime, service: ServiceId) {
        let slice = self.slice(now);
        self.served[slice * self.services + service.index()] += 1;
    }

    /// A cell was asked for CPU time (ns).
    pub fn add_cell_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.cell_cpu[slice] += nanos;
    }

    /// A proxy used CPU time (ns).
    pub fn add_proxy_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.proxy_cpu[slice] += nanos;
    }

    /// Sums over the slices that begin at `cut` or later.
    #[must_use]
    pub fn sum_from(&self, cut: SimTime) -> MetricsSum {
        let first = (cut.as_nanos().div_ceil(self.width.as_nanos().max(1)) as usize).min(self.slices);
        let mut served = vec![0; self.services];
        for slice in self.served[first * self.services..].chunks(self.services.max(1)) {
            served.iter_mut().zip(slice).for_each(|(sum, &count)| *sum += u64::from(count));
        }
        let seconds = |cpu: &[f64]| cpu[first..].iter().sum::<f64>() / 1e9;
        MetricsSum {
            served,
            cell_cpu_seconds: seconds(&self.cell_cpu),
            proxy_cpu_seconds: seconds(&self.proxy_cpu),
        }
    }

    fn slice(&self, now: SimTime) -> usize {
        ((now.as_nanos() / self.width.as_nanos().max(1)) as usize).min(self.slices - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_cut_is_left_out() {
        let at = |s| SimTime::ZERO + SimDuration::from_secs(s);
        let mut metrics = Metrics::new(SimDuration::from_secs(10), 3, 2);
        for s in [5, 15, 25, 99] {
            metrics.count_served(at(s), ServiceId(1));
            metrics.add_cell_cpu(at(s), 1e9);
            metrics.add_proxy_cpu(at(s), 5e8);
        }
        let sum = metrics.sum_from(at(10));
        assert_eq!(sum.served, [0, 3]);
        assert!((sum.cell_cpu_seconds - 3.0).abs() < 1e-12);
        assert!((sum.proxy_cpu_seconds - 1.5).abs() < 1e-12);
        assert_eq!(metrics.sum_from(at(11)).served, [0, 2]);
    }
}
