//! Every other figure of results, with what it says: those of all at once, those of clusters and the like folded.

use super::metrics::{Listed, Metrics, of_all, words};
use super::page::breakable;
use crate::analysis::figures::named;
use maud::{Markup, html};

/// More values than this of one figure are not shown.
const VALUES_MAX: usize = 40;

/// Figures that have a section of their own.
fn is_elsewhere(name: &str) -> bool {
    ["latency_ms.", "objectives.", "mean_difference", "failures"].iter().any(|it| name.starts_with(it))
}

/// Figures of money, energy and carbon, which many look for first.
fn is_cost(name: &str) -> bool {
    name.split('_').any(|it| ["cost", "energy", "carbon", "power"].contains(&it))
}

/// What a strategy costs; nothing where no price is known.
pub(super) fn cost(metrics: &Metrics<'_>) -> Markup {
    let figures: Vec<&Listed<'_>> = metrics.figures.iter().filter(|it| is_cost(it.name)).collect();
    if figures.is_empty() {
        return html! {};
    }
    html! {
        section #cost {
            h2 { "Cost, energy, carbon" }
            (of_all_table(metrics, &figures))
            (by_labels(metrics, &figures))
        }
    }
}

/// All others.
pub(super) fn section(metrics: &Metrics<'_>) -> Markup {
    let figures = metrics.figures.iter().filter(|it| !is_elsewhere(it.name) && !is_cost(it.name));
    let figures: Vec<&Listed<'_>> = figures.collect();
    html! {
        section #figures {
            h2 { "What it took" }
            (of_all_table(metrics, &figures))
            (by_labels(metrics, &figures))
        }
    }
}

fn sentence(name: &str) -> &'static str {
    named(name).map_or("", |it| it.sentence)
}

/// The unit of a figure, where its numbers and its name do not say it.
fn unit(unit: &str) -> &str {
    if ["1", "bytes", "requests"].contains(&unit) { "" } else { unit }
}

/// A line per figure that has a value of all.
fn of_all_table(metrics: &Metrics<'_>, figures: &[&Listed<'_>]) -> Markup {
    let figures: Vec<&&Listed<'_>> = figures.iter().filter(|it| it.labels.contains(&of_all())).collect();
    if figures.is_empty() {
        return html! {};
    }
    html! {
        div.wide tabindex="0" role="group" aria-label="Figures of all requests" {
            table {
                thead {
                    tr {
                        th scope="col" { "figure" }
                        @for strategy in &metrics.strategies { th scope="col" { (strategy) } }
                    }
                }
                tbody {
                    @for figure in figures {
                        tr {
                            th.says scope="row" {
                                (breakable(figure.name))
                                @if !unit(figure.unit).is_empty() { span.soft { " [" (unit(figure.unit)) "]" } }
                                span.ci { (sentence(figure.name)) }
                            }
                            @for strategy in &metrics.strategies {
                                td { (metrics.cell(strategy, figure.name, &of_all())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The values that labels tell apart, a folded table per figure.
fn by_labels(metrics: &Metrics<'_>, figures: &[&Listed<'_>]) -> Markup {
    html! {
        @for figure in figures {
            @let labels: Vec<_> = figure.labels.iter().filter(|it| **it != of_all()).collect();
            @if !labels.is_empty() {
                details open[is_cost(figure.name)] {
                    summary { (figure.name) " (" (labels.len()) ")" }
                    p.soft { (sentence(figure.name)) }
                    div.wide tabindex="0" role="group" aria-label=(figure.name) {
                        table {
                            thead {
                                tr {
                                    th scope="col" { "of" @if !unit(figure.unit).is_empty() { " [" (unit(figure.unit)) "]" } }
                                    @for strategy in &metrics.strategies { th scope="col" { (strategy) } }
                                }
                            }
                            tbody {
                                @for labels in labels.iter().take(VALUES_MAX) {
                                    tr {
                                        th scope="row" { (words(labels)) }
                                        @for strategy in &metrics.strategies {
                                            td { (metrics.cell(strategy, figure.name, labels)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    @if labels.len() > VALUES_MAX {
                        p.soft { "The first " (VALUES_MAX) " of " (labels.len()) "; metrics.csv has all." }
                    }
                }
            }
        }
    }
}
