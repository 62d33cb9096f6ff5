//! Runs a calibration: search, surrogate, refits, residuals.

use super::identify::{Known, spread};
use super::objective::{Objective, Sample};
use super::plan::CalibrationPlan;
use super::report::{self, Calibration};
use super::resample::{Observation, is_long_enough, resample_sorted};
use super::residuals::residuals;
use super::search::{Found, minimize};
use super::surrogate::{Beside, STEP, Surrogate, quantiles};
use crate::document::Setting;
use crate::experiment::Watch;
use crate::problem::{Checked, Problem};
use meshsim_core::elementary::sqrt;
use meshsim_core::random::{Address, uniform_index};
use rayon::prelude::*;

/// Bootstrap series behind an interval; draws that are written are the first of them.
const REFITS: usize = 200;

/// The number of the series of which those for intervals of laws are.
const LAWS: usize = usize::MAX;

/// No model has a replication of this number: addresses of bootstrap series begin there.
const BOOTSTRAP: u32 = u32::MAX;

/// The purpose of the draws of replications below these addresses.
const REPLICATION: u32 = 1;

/// What is simulated around the best point.
struct Neighbourhood {
    surrogate: Surrogate,
    /// Refits to bootstrap series of the fitted part.
    refits: Vec<Vec<f64>>,
    /// Distance (ms) of the best point to each of these series.
    distances_ms: Vec<f64>,
}

impl CalibrationPlan {
    /// Runs it on the threads of the current rayon pool. Nothing if it was told to stop before anything
    /// was found; if later, with the best so far.
    ///
    /// # Errors
    /// If no simulated request succeeds.
    pub fn run(&self, watch: &Watch<'_>) -> Checked<Option<Calibration>> {
        let measured = sorted(&self.fitted);
        let objective = self.objective(&measured);
        let Some(found) = self.search(&objective, watch) else { return Ok(None) };
        // What was found is kept, so its residuals are simulated even after Ctrl-C.
        let unstoppable = Watch { progress: watch.progress, ..Watch::default() };
        let Some(sample) = objective.simulate(&found.point, &unstoppable) else { return Ok(None) };
        if sample.pooled.is_empty() {
            return Err(Problem::new("no simulated request succeeded").help("make the run longer").into());
        }
        let around = self.around(&objective, &found, &sample, watch);
        Ok(Some(self.report(&objective, &found, &sample, around.as_ref())))
    }

    fn objective<'a>(&'a self, measured: &'a [f64]) -> Objective<'a> {
        Objective {
            scenario: &self.scenario,
            strategy: self.strategy,
            parameters: &self.parameters,
            seed: self.seed,
            replications: self.replications,
            measured,
        }
    }

    fn search(&self, objective: &Objective<'_>, watch: &Watch<'_>) -> Option<Found> {
        let dimensions = self.parameters.len();
        let cost = |point: &[f64]| Some(objective.distance(&objective.simulate(point, watch)?.pooled));
        if dimensions == 0 {
            let value = cost(&[])?;
            return Some(Found { point: Vec::new(), value, evaluations: 1, interrupted: false });
        }
        let rounded = |point: &[f64]| self.rounded(point);
        minimize(dimensions, vec![self.start(), vec![0.5; dimensions]], &rounded, &cost)
    }

    /// Where the scenario stands, or the middle of the range.
    fn start(&self) -> Vec<f64> {
        let position = |(parameter, before): (&super::parameter::Parameter, &Option<f64>)| {
            before.map_or(0.5, |value| parameter.position(value).clamp(0.0, 1.0))
        };
        self.parameters.iter().zip(&self.before).map(position).collect()
    }

    fn rounded(&self, point: &[f64]) -> Vec<f64> {
        self.parameters.iter().zip(point).map(|(parameter, &position)| parameter.rounded(position)).collect()
    }

    /// The surrogate at the best point, and refits by it. Nothing without parameters, or if it was told
    /// to stop.
    fn around(
        &self,
        objective: &Objective<'_>,
        found: &Found,
        sample: &Sample,
        watch: &Watch<'_>,
    ) -> Option<Neighbourhood> {
        if found.interrupted {
            return None;
        }
        let side = |number: usize| -> Option<Option<Beside>> {
            let mut point = found.point.clone();
            let axis = number / 2;
            let position = point[axis] + if number.is_multiple_of(2) { -STEP } else { STEP };
            if !(0.0..=1.0).contains(&position) {
                return Some(None);
            }
            point[axis] = position;
            let point = self.rounded(&point);
            let there = quantiles(&objective.simulate(&point, watch)?.pooled);
            Some(there.map(|there| (point[axis], there)))
        };
        let sides: Vec<Option<Beside>> =
            (0..2 * self.parameters.len()).into_par_iter().map(side).collect::<Option<_>>()?;
        let pairs: Vec<[Option<Beside>; 2]> =
            sides.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        let surrogate = Surrogate::new(&found.point, quantiles(&sample.pooled)?, &pairs);
        let (refits, distances_ms) = self.refits(&surrogate, &found.point, sample);
        Some(Neighbourhood { surrogate, refits, distances_ms })
    }

    /// Refits to bootstrap series, each by other replications, and the distance of the best point to
    /// each; none of a short trace.
    fn refits(&self, surrogate: &Surrogate, best: &[f64], sample: &Sample) -> (Vec<Vec<f64>>, Vec<f64>) {
        if !is_long_enough(&self.fitted) {
            return (Vec::new(), Vec::new());
        }
        let replications: Vec<Vec<f64>> =
            sample.replications.iter().filter_map(|latencies| quantiles(latencies)).collect();
        let one = |number: usize| {
            let address = self.bootstrap(number);
            let drawn = quantiles(&resample_sorted(&self.fitted, address))?;
            let refit = surrogate.moved(&luck(&replications, address)).refit(&drawn).0;
            Some((refit, surrogate.distance_ms(best, &drawn)))
        };
        (0..REFITS.max(self.draws)).into_par_iter().filter_map(one).collect::<Vec<_>>().into_iter().unzip()
    }

    fn bootstrap(&self, number: usize) -> Address {
        Address::root(self.resolved.description.seed, BOOTSTRAP).child(number as u64)
    }

    fn report(
        &self,
        objective: &Objective<'_>,
        found: &Found,
        sample: &Sample,
        around: Option<&Neighbourhood>,
    ) -> Calibration {
        let mean = objective.measured.iter().sum::<f64>() / objective.measured.len() as f64;
        let of_trace = around.map_or(0.0, |around| spread(&around.distances_ms) / mean);
        let of_simulation = objective.noise_of_simulation(sample).unwrap_or(0.0);
        let noise = sqrt(of_trace * of_trace + of_simulation * of_simulation);
        let calibrated = self.settings(objective.settings(&found.point));
        let held_out = sorted(&self.held_out);
        Calibration {
            version: env!("CARGO_PKG_VERSION"),
            strategy: self.resolved.strategy.clone(),
            seed: self.resolved.description.seed,
            replications: self.replications,
            trace: self.trace.clone(),
            spans: self.spans.clone(),
            services: self.laws.reports(self.bootstrap(LAWS)),
            parameters: self.parameter_fits(objective, found, around, noise * mean),
            objective: report::Objective { value: found.value, noise, evaluations: found.evaluations },
            fitted: residuals(objective.measured, &sample.pooled),
            held_out: (!held_out.is_empty()).then(|| residuals(&held_out, &sample.pooled)),
            notes: self.all_notes(found, around),
            interrupted: found.interrupted,
            keys: calibrated.iter().map(|setting| setting.path.clone()).collect(),
            values: calibrated.into_iter().map(|setting| setting.value).collect(),
            draws: self.drawn(objective, around),
        }
    }

    fn parameter_fits(
        &self,
        objective: &Objective<'_>,
        found: &Found,
        around: Option<&Neighbourhood>,
        noise_ms: f64,
    ) -> Vec<report::ParameterFit> {
        let measured = quantiles(objective.measured).unwrap_or_default();
        let known = Known {
            parameters: &self.parameters,
            before: &self.before,
            best: &found.point,
            surrogate: around.map(|around| &around.surrogate),
            measured: &measured,
            noise_ms,
            refits: around.map(|around| around.refits.as_slice()).unwrap_or_default(),
        };
        (0..self.parameters.len()).into_par_iter().map(|axis| known.of(axis)).collect()
    }

    /// Laws first, then what was searched.
    fn settings(&self, searched: Vec<Setting>) -> Vec<Setting> {
        self.laws.settings().into_iter().chain(searched).collect()
    }

    /// The draws that are written.
    fn drawn(&self, objective: &Objective<'_>, around: Option<&Neighbourhood>) -> Vec<Vec<String>> {
        let refits = around.map(|around| around.refits.as_slice()).unwrap_or_default();
        // Without a search the laws alone are drawn, if there is time enough.
        let one = |number: usize| -> Option<Vec<String>> {
            let point = refits.get(number).map(|point| self.rounded(point))?;
            let laws = self.laws.drawn(self.bootstrap(number).child(u64::MAX)).into_iter();
            Some(laws.chain(objective.settings(&point)).map(|setting| setting.value).collect())
        };
        (0..self.draws).into_par_iter().map(one).collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn all_notes(&self, found: &Found, around: Option<&Neighbourhood>) -> Vec<String> {
        let mut notes = self.notes.clone();
        if found.interrupted {
            notes.push("interrupted: values are the best so far, and there are no draws".to_owned());
        } else if around.is_none_or(|around| around.refits.is_empty()) {
            notes.push(
                "the fitted part of the trace is shorter than 4 blocks of 30 s: no intervals, no draws"
                    .to_owned(),
            );
        }
        notes
    }
}

/// How far quantiles (ms) are from their mean over the replications if as many of these are drawn with
/// replacement. The quantiles of pooled replications are taken for the mean of theirs.
fn luck(replications: &[Vec<f64>], address: Address) -> Vec<f64> {
    let count = replications.len();
    let mut draw = address.draw(REPLICATION);
    let drawn: Vec<usize> = (0..count).map(|_| uniform_index(&mut draw, count)).collect();
    let levels = replications.first().map_or(0, Vec::len);
    let away = |level: usize| {
        let of_drawn: f64 = drawn.iter().map(|&number| replications[number][level]).sum();
        let of_all: f64 = replications.iter().map(|quantiles| quantiles[level]).sum();
        (of_drawn - of_all) / count as f64
    };
    (0..levels).map(away).collect()
}

fn sorted(observations: &[Observation]) -> Vec<f64> {
    let mut values: Vec<f64> = observations.iter().map(|(_, ms)| *ms).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}
