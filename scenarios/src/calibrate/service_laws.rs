//! A law for each service from its self times, with a part of the measurement held out.
//!
//! # Models
//! Laws are of CPU time on the machine that was traced, by [`super::match_laws`]. Where `cell.cpu_scale` is searched, too, self times say
//! only the product of scale and laws. So the CPU time of a request in all services that have spans is held at what the scenario
//! says; self times share it out among the services, and the scale takes the rest.

use super::fit_law::LEAST_MS;
use super::match_laws::{Explanation, Family, Moving, STEPS, mean, ranked};
use super::own_times::{Measured, Ran, Simulator, Spans, measured, sorted, tracer};
use super::report::{Candidate, Interval, ServiceFit};
use super::resample::{Observation, is_long_enough, resample_sorted};
use super::written_law::{literal, setting};
use crate::document::Setting;
use crate::problem::Checked;
use crate::resolve::Resolved;
use crate::validate::distance::kolmogorov_smirnov;
use meshsim_core::random::Address;
use meshsim_core::stats::quantile_of_sorted;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;
use rayon::prelude::*;

/// A simulated mean that is farther from the measured one is said.
const FAR: f64 = 0.05;

/// Draws behind an interval.
const DRAWS: u64 = 200;

/// The law of a service, and what it was fitted to.
#[derive(Clone, Debug)]
struct ServiceLaw {
    measured: Measured,
    moving: Moving,
    /// Self times of a run under its law.
    simulated: Vec<Observation>,
    explanations: Vec<Explanation>,
}

/// The laws of the services that have spans.
#[derive(Clone, Debug, Default)]
pub(super) struct Laws {
    laws: Vec<ServiceLaw>,
    /// Whether the CPU time of a request is held at what the scenario says.
    holds_demand: bool,
}

/// So often the run of a scenario is simulated until laws are found.
pub(super) const RUNS: usize = Family::ALL.len() * (STEPS + 1) + STEPS + 2;

impl Laws {
    /// Of all services that have spans. Nothing if it was told to stop.
    ///
    /// # Errors
    /// If spans are of no service of the scenario.
    pub(super) fn fit(
        simulator: &Simulator<'_>,
        base: &Resolved,
        spans: &Spans<'_>,
        holds_demand: bool,
        notes: &mut Vec<String>,
    ) -> Checked<Option<Self>> {
        if spans.trace.spans.is_empty() {
            return Ok(Some(Self::default()));
        }
        let measured = measured(base, spans, notes)?;
        let tracer = tracer(spans.trace);
        let requests = measured.iter().map(|it| it.fitted.len()).max().unwrap_or(0);
        let Some(chosen) = simulator.chosen(base, requests) else { return Ok(None) };
        let run = |laws: &[Moving]| simulator.self_times(&measured, laws, tracer, &chosen);
        let explain = |family: &Family| -> Checked<Option<Vec<Explanation>>> {
            // From below: with too much to do a run would wait without end.
            let first = |it: &Measured| {
                let own = if it.visits > 0.0 { it.demand_ms / it.visits } else { f64::INFINITY };
                Moving::new(*family, &it.sorted, own.min(mean(&it.sorted)).max(LEAST_MS))
            };
            let mut laws: Vec<Moving> = measured.iter().map(first).collect();
            let Some(simulated) = settled(&measured, &mut laws, &run)? else { return Ok(None) };
            let all = laws.into_iter().zip(&measured).zip(&simulated);
            Ok(Some(
                all.map(|((law, it), there)| Explanation::new(law, &it.sorted, &sorted(there))).collect(),
            ))
        };
        let by_family: Option<Vec<Vec<Explanation>>> =
            Family::ALL.par_iter().map(explain).collect::<Checked<Vec<_>>>()?.into_iter().collect();
        let Some(by_family) = by_family else { return Ok(None) };
        let of_service = |index: usize| ranked(by_family.iter().map(|it| it[index].clone()).collect());
        let explanations: Vec<Vec<Explanation>> = (0..measured.len()).map(of_service).collect();
        let mut laws: Vec<Moving> = explanations.iter().map(|it| it[0].moving.clone()).collect();
        let Some(simulated) = settled(&measured, &mut laws, &run)? else { return Ok(None) };
        let mut found = Self { laws: Vec::new(), holds_demand };
        for (((measured, moving), simulated), explanations) in
            measured.into_iter().zip(laws).zip(simulated).zip(explanations)
        {
            notes.extend(note_far(&measured, &simulated));
            found.laws.push(ServiceLaw { measured, moving, simulated, explanations });
        }
        if holds_demand {
            notes.push(format!(
                "self times say only what `cell.cpu_scale` times the laws is: a request's CPU time at scale 1 is held at the \
                 scenario's {:.3} ms, and the scale takes the rest",
                found.laws.iter().map(|it| it.measured.demand_ms).sum::<f64>()
            ));
        }
        Ok(Some(found))
    }

    /// The settings that give the services their laws.
    pub(super) fn settings(&self) -> Vec<Setting> {
        self.as_settings(self.laws.iter().map(|it| it.moving.law.clone()).collect())
    }

    /// The same with laws of the families for a drawn series of measurements, and of the simulation.
    pub(super) fn drawn(&self, address: Address) -> Vec<Setting> {
        self.as_settings(self.drawn_laws(address))
    }

    /// What is reported of them; intervals by draws at addresses below this one.
    pub(super) fn reports(&self, address: Address) -> Vec<ServiceFit> {
        let is_long = self.laws.iter().all(|it| is_long_enough(&it.measured.fitted));
        let drawn: Vec<Vec<ServiceTime>> = (0..if is_long { DRAWS } else { 0 })
            .into_par_iter()
            .map(|number| self.held(self.drawn_laws(address.child(number))))
            .collect();
        let held = self.held(self.laws.iter().map(|it| it.moving.law.clone()).collect());
        self.laws
            .iter()
            .zip(held)
            .enumerate()
            .map(|(index, (it, law))| it.report(&law, index, &drawn))
            .collect()
    }

    fn drawn_laws(&self, address: Address) -> Vec<ServiceTime> {
        let one = |(it, number): (&ServiceLaw, u64)| {
            let measured = resample_sorted(&it.measured.fitted, address.child(2 * number));
            let simulated = resample_sorted(&it.simulated, address.child(2 * number + 1));
            if measured.is_empty() || simulated.is_empty() {
                return it.moving.law.clone();
            }
            it.moving.moved(&measured, &simulated)
        };
        self.laws.iter().zip(0..).map(one).collect()
    }

    /// Laws with the CPU time of a request as it is held, if it is.
    fn held(&self, laws: Vec<ServiceTime>) -> Vec<ServiceTime> {
        let said: f64 = self.laws.iter().map(|it| it.measured.demand_ms).sum();
        if !self.holds_demand || said <= 0.0 {
            return laws;
        }
        let found: f64 =
            self.laws.iter().zip(&laws).map(|(it, law)| it.measured.visits * law.mean_ms()).sum();
        laws.into_iter().map(|law| times(&law, said / found)).collect()
    }

    fn as_settings(&self, laws: Vec<ServiceTime>) -> Vec<Setting> {
        let held = self.held(laws);
        self.laws.iter().zip(&held).map(|(it, law)| setting(&it.measured.service, law)).collect()
    }
}

/// Moves laws until they settle, and tells the self times of a run under them then.
fn settled(measured: &[Measured], laws: &mut [Moving], run: &dyn Fn(&[Moving]) -> Ran) -> Ran {
    for _ in 0..STEPS {
        let Some(simulated) = run(laws)? else { return Ok(None) };
        for ((law, it), there) in laws.iter_mut().zip(measured).zip(&simulated) {
            law.step(&it.sorted, &sorted(there));
        }
    }
    run(laws)
}

/// Waiting that is not the scenario's is in no law.
fn note_far(it: &Measured, simulated: &[Observation]) -> Option<String> {
    let measured = mean(&it.sorted);
    if simulated.is_empty() {
        return Some(format!(
            "no request calls `{}` in a run under this strategy: its law has what its self times contain of waiting",
            it.service
        ));
    }
    let simulated = mean(&sorted(simulated));
    ((simulated - measured).abs() > FAR * measured).then(|| {
        format!(
            "self times of `{}` are {measured:.3} ms in the mean, and {simulated:.3} ms in a run under its law: the scenario waits \
             otherwise than what was traced; look at its load, its CPU limits and the costs of its proxies",
            it.service
        )
    })
}

impl ServiceLaw {
    fn report(&self, law: &ServiceTime, index: usize, drawn: &[Vec<ServiceTime>]) -> ServiceFit {
        let measured = &self.measured;
        let simulated = sorted(&self.simulated);
        let interval = |of: &dyn Fn(&ServiceTime) -> Option<f64>| -> Option<Interval> {
            let mut values: Vec<f64> = drawn.iter().filter_map(|laws| of(&laws[index])).collect();
            values.sort_unstable_by(f64::total_cmp);
            Some([quantile_of_sorted(&values, 0.025)?, quantile_of_sorted(&values, 0.975)?])
        };
        ServiceFit {
            service: measured.service.clone(),
            observations: measured.sorted.len(),
            held_out: measured.held_out.len(),
            self_time_ms: mean(&measured.sorted),
            law: law.name(),
            parameters: literal(law),
            mean_ms: law.mean_ms(),
            mean_ms_ci95: interval(&|law| Some(law.mean_ms())),
            cv: cv(law),
            cv_ci95: interval(&cv),
            candidates: self
                .explanations
                .iter()
                .map(|it| Candidate {
                    law: it.moving.law.name(),
                    ln_likelihood: it.ln_likelihood,
                    aic: it.aic,
                })
                .collect(),
            kolmogorov_smirnov_fitted: kolmogorov_smirnov(&measured.sorted, &simulated),
            kolmogorov_smirnov_held_out: (!measured.held_out.is_empty())
                .then(|| kolmogorov_smirnov(&measured.held_out, &simulated)),
        }
    }
}

/// The coefficient of variation, of a law that is fitted by it.
fn cv(law: &ServiceTime) -> Option<f64> {
    match law {
        ServiceTime::Gamma(it) => Some(it.cv()),
        ServiceTime::LogNormal(it) => Some(it.cv()),
        ServiceTime::Deterministic(_) | ServiceTime::Exponential(_) | ServiceTime::Empirical(_) => None,
    }
}

/// The law of times that are `factor` times as long.
fn times(law: &ServiceTime, factor: f64) -> ServiceTime {
    let mean_ms = law.mean_ms() * factor;
    match law {
        ServiceTime::Deterministic(_) => ServiceTime::Deterministic(Deterministic::new(mean_ms)),
        ServiceTime::Exponential(_) => ServiceTime::Exponential(Exponential::new(mean_ms)),
        ServiceTime::Gamma(it) => ServiceTime::Gamma(Gamma::new(mean_ms, it.cv())),
        ServiceTime::LogNormal(it) => ServiceTime::LogNormal(LogNormal::new(mean_ms, it.cv())),
        ServiceTime::Empirical(it) => {
            ServiceTime::Empirical(Empirical::new(it.quantiles_ms().iter().map(|ms| ms * factor).collect()))
        }
    }
}
