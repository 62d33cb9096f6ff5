//! The answers that a report of a simulation study owes its readers, from the scenario and, where there are some, its results.
//!
//! # Models
//! STRESS-DES asks for twenty items in six sections, one of them (components) in five parts. What follows from scenario,
//! manifest and summary is answered; what only the author knows (why it was done, where measured numbers come from) is asked for.
//!
//! # Source
//! Monks, Currie, Onggo, Robinson, Kunc, Taylor, Strengthening the reporting of empirical simulation studies: introducing the
//! STRESS guidelines, Journal of Simulation 13(1), 2019, 55-67, doi:10.1080/17477778.2018.1442155.

mod answers;
mod study;

use crate::experiment::compare::ComparisonPlan;
use crate::problem::Checked;
use crate::scenario::Scenario;
use answers::{
    ACTIVITIES, EXECUTION, LOGIC, MACHINE, QUEUES, aims, algorithms, assumptions, diagram, entities, entry,
    estimation, initialisation, outputs, parameters, preprocessing, purpose, resources, run_length, sampling,
    scenario_logic, sharing, software, sources,
};
use std::fmt::Write;
use std::path::Path;
use study::Study;

/// The answers as Markdown; with the folder of results, if these are there.
///
/// # Errors
/// If the results cannot be read, or the scenario cannot.
pub fn stress(scenario: &Scenario, plan: &ComparisonPlan, results: Option<&Path>) -> Checked<String> {
    let study = Study::new(scenario, plan, results)?;
    let mut text = format!(
        "# STRESS-DES\n\nOf `{}`, by meshsim {}. What only the author knows is marked TODO.\n",
        study.name,
        env!("CARGO_PKG_VERSION")
    );
    for (section, items) in SECTIONS {
        let _ = write!(text, "\n## {section}\n");
        for (item, answer) in *items {
            let _ = write!(text, "\n### {item}\n\n{}\n", answer(&study).trim_end());
        }
    }
    Ok(text)
}

type Item = (&'static str, fn(&Study<'_>) -> String);

const SECTIONS: &[(&str, &[Item])] = &[
    (
        "1. Objectives",
        &[
            ("1.1 Purpose of the model", purpose),
            ("1.2 Model outputs", outputs),
            ("1.3 Experimentation aims", aims),
        ],
    ),
    (
        "2. Logic",
        &[
            ("2.1 Base model overview diagram", diagram),
            ("2.2 Base model logic", |_| LOGIC.to_owned()),
            ("2.3 Scenario logic", scenario_logic),
            ("2.4 Algorithms", algorithms),
            ("2.5.1 Components: entities", entities),
            ("2.5.2 Components: activities", |_| ACTIVITIES.to_owned()),
            ("2.5.3 Components: resources", resources),
            ("2.5.4 Components: queues", |_| QUEUES.to_owned()),
            ("2.5.5 Components: entry and exit points", entry),
        ],
    ),
    (
        "3. Data",
        &[
            ("3.1 Data sources", sources),
            ("3.2 Pre-processing", preprocessing),
            ("3.3 Input parameters", parameters),
            ("3.4 Assumptions", assumptions),
        ],
    ),
    (
        "4. Experimentation",
        &[
            ("4.1 Initialisation", initialisation),
            ("4.2 Run length", run_length),
            ("4.3 Estimation approach", estimation),
        ],
    ),
    (
        "5. Implementation",
        &[
            ("5.1 Software or programming language", software),
            ("5.2 Random sampling", sampling),
            ("5.3 Model execution", |_| EXECUTION.to_owned()),
            ("5.4 System specification", |_| MACHINE.to_owned()),
        ],
    ),
    ("6. Code access", &[("6.1 Computer model sharing statement", sharing)]),
];
