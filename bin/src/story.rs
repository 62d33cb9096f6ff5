//! The story of one request for people: 80 columns.

use meshsim_scenarios::lives::story::{Step, Story};
use std::fmt::Write;

/// Columns.
const WIDTH: usize = 80;

/// Where what is told begins, behind the moment and how long it took.
const INDENT: usize = 22;

/// The story as text.
pub(crate) fn text(story: &Story) -> String {
    let mut text = head(story);
    if !story.parts.is_empty() {
        text += "\nwhere its time went       ms    share\n";
        for it in &story.parts {
            let _ = writeln!(text, "  {:<18} {:>9.3}  {:>5.1} %", it.part, it.ms, it.share * 100.0);
        }
    }
    text += "\n    at ms   took ms   what befell it (* what was waited for)\n";
    let mut sources: Vec<&str> = Vec::new();
    for step in &story.steps {
        text += &line(step, &mut sources);
    }
    if !sources.is_empty() {
        text += "\n";
    }
    for (number, source) in sources.iter().enumerate() {
        let _ = writeln!(text, "[{}] {source}", number + 1);
    }
    text
}

fn head(story: &Story) -> String {
    let Story { strategy, replication, users, number, request, sent_s, .. } = story;
    let came_to = match (&story.latency_ms, &story.status) {
        (Some(latency), Some(status)) => format!("{latency:.3} ms, {status}"),
        _ => "no answer until the end of the run".to_owned(),
    };
    let which = if strategy.is_empty() { String::new() } else { format!(" under `{strategy}`") };
    wrapped(
        &format!(
            "request {users}:{number}{which}, replication {replication}: {request}, sent at {sent_s:.6} s: {came_to}"
        ),
        2,
    )
}

fn line(step: &Step, sources: &mut Vec<&'static str>) -> String {
    let took = step.took_ms.map_or_else(String::new, |ms| format!("{ms:.3}"));
    let mark = if step.waited_for { '*' } else { ' ' };
    let source = step.source.map_or_else(String::new, |source| {
        let known = sources.iter().position(|it| *it == source).unwrap_or_else(|| {
            sources.push(source);
            sources.len() - 1
        });
        format!(" [{}]", known + 1)
    });
    let rule = step.rule.map_or_else(String::new, |rule| format!("{rule}: "));
    let deep = INDENT + 2 * step.depth.min(14);
    let head = format!("{:>9.3} {took:>9} {mark} ", step.at_ms);
    let pad = deep.saturating_sub(head.chars().count());
    wrapped(&format!("{head}{:pad$}{rule}{}{source}", "", step.what), deep + 2)
}

/// A line broken at blanks, the further ones indented.
fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut room = WIDTH;
    while rest.chars().count() > room {
        let end = rest.char_indices().nth(room + 1).map_or(rest.len(), |(at, _)| at);
        let begins = if room < WIDTH { 0 } else { indent };
        let Some(at) = rest[..end].rfind(' ').filter(|at| *at > begins) else { break };
        out += rest[..at].trim_end();
        out += "\n";
        let _ = write!(out, "{:indent$}", "");
        rest = rest[at..].trim_start();
        room = WIDTH - indent;
    }
    out + rest + "\n"
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_at_blanks() {
        let text = format!("{} {}", "a".repeat(70), "b".repeat(20));
        assert_eq!(wrapped(&text, 4), format!("{}\n    {}\n", "a".repeat(70), "b".repeat(20)));
        assert_eq!(wrapped("short", 4), "short\n");
        let long = "c".repeat(100);
        assert_eq!(wrapped(&long, 4), format!("{long}\n"), "nothing is cut");
    }
}
