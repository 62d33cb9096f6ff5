//! A page of HTML that stands alone: figures, tables, both distribution functions and their quantiles.

use super::svg::{distribution, escape, quantiles};
use super::texts;
use crate::validate::figures::FigureKey;
use crate::validate::run::{ServiceRow, Validation};
use crate::validate::suite::run::Report;
use std::fmt::Write;

const STYLE: &str = "<style>:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--back:#fff;--card:#f6f8fa;--edge:#d8dee4;--good:#1a7f37;\
--bad:#cf222e;--open:#9a6700}\
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--back:#0d1117;--card:#161b22;--edge:#3d444d;--good:#3fb950;\
--bad:#f85149;--open:#d29922}}\
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:1480px;margin:0 auto;padding:24px 20px 64px}h1{font-size:26px;margin:8px 0}h2{font-size:20px;margin:40px 0 8px}\
h3{font-size:16px;margin:24px 0 8px}p{max-width:80ch}.soft{color:var(--soft)}.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums;margin:8px 0}\
th,td{padding:4px 7px;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap}\
table.many{font-size:12.5px}.many th,.many td{padding:4px}\
th{color:var(--soft);font-weight:600}th:first-child,td:first-child{text-align:left}\
.holds{color:var(--good)}.FAILS{color:var(--bad);font-weight:700}.too{color:var(--open)}\
.figures{display:grid;max-width:1200px;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:16px;margin:12px 0}\
figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:10px}\
figcaption{color:var(--soft);font-size:13px;padding:0 6px}svg{display:block;width:100%;height:auto}</style>";

/// The page of one validation.
pub(super) fn of_one(validation: &Validation) -> String {
    let title = format!("Validation of {}", validation.strategy);
    let mut html = begin(&title);
    let _ = write!(html, "<h1>{}</h1>", escape(&title));
    section(&mut html, &validation.strategy, validation);
    html + "</main></body></html>\n"
}

/// The page of a suite.
pub(super) fn of_suite(report: &Report) -> String {
    let mut html = begin(&format!("Validation: {}", report.suite));
    let _ =
        write!(html, "<h1>Validation: {}</h1><p>{}</p>", escape(&report.suite), escape(&report.description));
    for line in texts::conclusions(report) {
        let _ = write!(html, "<p>{}</p>", escape(&line));
    }
    let rows = report.configurations.iter().map(|it| texts::suite_row(it).to_vec());
    table(&mut html, &texts::SUITE_HEAD, rows);
    let _ = write!(html, "<p class=\"soft\">{}</p>", escape(texts::SUITE_LEGEND));
    for it in &report.configurations {
        let _ = write!(html, "<h2>{}</h2>", escape(&it.name));
        if !it.note.is_empty() {
            let _ = write!(html, "<p>{}</p>", escape(&it.note));
        }
        section(&mut html, &it.name, &it.validation);
    }
    html + "</main></body></html>\n"
}

fn begin(title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{}</title>{STYLE}</head><body><main>",
        escape(title)
    )
}

fn section(html: &mut String, name: &str, validation: &Validation) {
    let _ = write!(
        html,
        "<p class=\"soft\">Scenario {}, {}, seed {}, meshsim {}. Strategy {}. {} measured requests after the warm-up, {:.1} blocks of 30 s; {:.2} requests/s simulated; \
         CPU cost times {:.3}.</p>",
        escape(&validation.scenario),
        if validation.trace.is_empty() {
            "published figures".to_owned()
        } else {
            format!("trace {}", escape(&validation.trace))
        },
        validation.seed,
        validation.version,
        escape(&validation.strategy),
        validation.trace_requests,
        validation.blocks,
        validation.rate_per_second,
        validation.cpu_scale
    );
    let (measured, simulated) = (&validation.measured_sorted_ms, &validation.simulated_sorted_ms);
    if !measured.is_empty() {
        let _ = write!(
            html,
            "<div class=\"figures\"><figure>{}<figcaption>Share of the requests that were answered within a time.</figcaption></figure>\
             <figure>{}<figcaption>Quantiles from 1 to 99 %: on the dotted line both are equal.</figcaption></figure></div>",
            distribution(name, measured, simulated),
            quantiles(name, measured, simulated)
        );
    }
    figures(html, validation);
    if !validation.groups.is_empty() {
        html.push_str("<h3>Users and kinds of requests</h3>");
        table(html, &texts::GROUP_HEAD, texts::group_rows(&validation.groups).map(|it| it.to_vec()));
    }
    if !validation.services.is_empty() {
        html.push_str("<h3>Services</h3>");
        services(html, &validation.services);
    }
}

fn figures(html: &mut String, validation: &Validation) {
    html.push_str("<div class=\"wide\"><table><tr>");
    let checked = (!validation.checks.is_empty()).then_some(["allowed", ""]);
    let head = ["figure", "measured", "95 %", "simulated", "difference", "beyond the interval"];
    for head in head.into_iter().chain(checked.into_iter().flatten()) {
        let _ = write!(html, "<th>{head}</th>");
    }
    html.push_str("</tr>");
    for row in &validation.figures {
        let check = validation.checks.iter().find(|check| check.figure == row.figure);
        let verdict = check.map_or("", |check| texts::verdict(check.verdict));
        let class = verdict.split(' ').next().unwrap_or_default();
        let is_distance = matches!(row.figure, FigureKey::Ks | FigureKey::Wasserstein);
        let of_simulated = |text: String| if is_distance { String::new() } else { text };
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            full_name(row.figure),
            texts::value(row.figure, row.measured.value),
            texts::interval(row.figure, &row.measured),
            of_simulated(texts::value(row.figure, row.simulated.value)),
            of_simulated(texts::signed_error(row.figure, row.difference)),
            texts::error(row.figure, row.error),
        );
        if checked.is_some() {
            let allowed = check.map_or(String::new(), |check| texts::error(row.figure, check.tolerance));
            let _ = write!(html, "<td>{allowed}</td><td class=\"{class}\">{verdict}</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></div>");
}

/// What a figure is called on a page.
fn full_name(key: FigureKey) -> &'static str {
    match key {
        FigureKey::Mean => "mean latency",
        FigureKey::P50 => "median",
        FigureKey::P90 => "90 % within",
        FigureKey::P95 => "95 % within",
        FigureKey::P99 => "99 % within",
        FigureKey::DashboardP90 => "90 % on a dashboard",
        FigureKey::Ks => "Kolmogorov-Smirnov distance",
        FigureKey::Wasserstein => "Wasserstein distance",
        FigureKey::Failed => "failed requests",
        FigureKey::CpuSplit => "proxies' share of CPU time",
        FigureKey::Served => "served share (the worst)",
        FigureKey::Rounds => "time per crossing",
    }
}

fn services(html: &mut String, rows: &[ServiceRow]) {
    let head =
        ["service", "requests", "share", "95 %", "simulated", "server ms", "95 %", "simulated", "difference"];
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let ms = |value: f64| if value.is_finite() { format!("{value:.1}") } else { "-".to_owned() };
    let range = |ends: Option<[f64; 2]>, show: &dyn Fn(f64) -> String| {
        ends.map_or(String::new(), |[low, high]| format!("{} to {}", show(low), show(high)))
    };
    let lines = rows.iter().map(|row| {
        let whose = row.cluster.as_ref().map_or(String::new(), |cluster| format!(" in {cluster}"));
        vec![
            format!("{}{whose}", row.service),
            row.requests.to_string(),
            percent(row.measured_share.value),
            range(row.measured_share.interval(), &percent),
            percent(row.simulated_share),
            ms(row.measured_server_ms.value),
            range(row.measured_server_ms.interval(), &ms),
            ms(row.simulated_server_ms.value),
            row.server_difference.map_or("-".to_owned(), |it| format!("{:+.1} %", it * 100.0)),
        ]
    });
    table(html, &head, lines);
}

/// Tables with more columns are set closer, to fit a laptop's screen.
const MANY_COLUMNS: usize = 10;

fn table(html: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let class = if head.len() > MANY_COLUMNS { " class=\"many\"" } else { "" };
    let _ = write!(html, "<div class=\"wide\"><table{class}><tr>");
    for cell in head {
        let _ = write!(html, "<th>{}</th>", escape(cell));
    }
    for row in rows {
        html.push_str("</tr><tr>");
        for cell in row {
            let class = if cell.ends_with('!') { "FAILS" } else { "" };
            let _ = write!(html, "<td class=\"{class}\">{}</td>", escape(&cell));
        }
    }
    html.push_str("</tr></table></div>");
}
