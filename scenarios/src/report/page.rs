//! The frame of the page: what it is of, the closing sentence, the way to the sections, where it comes from; style and scripts.

use super::chart::Charts;
use super::number::{Shape, or_dash};
use super::source::{Part, Results};
use crate::origin::EXPANDED;
use crate::problem::{Checked, Problem};
use flate2::read::GzDecoder;
use maud::{Markup, PreEscaped, html};
use std::io::Read;

/// How a page begins.
pub(super) const FIRST_LINE: &str = "<!DOCTYPE html><!-- Written by meshsim -->";

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");

/// Vega 6.4.0 and Vega-Lite 6.4.3 as they are published, minified, packed with `gzip -9n`, with their licences.
const LIBRARIES: [(&str, &[u8]); 2] = [
    (include_str!("assets/LICENSE-vega"), include_bytes!("assets/vega.min.js.gz")),
    (include_str!("assets/LICENSE-vega-lite"), include_bytes!("assets/vega-lite.min.js.gz")),
];

/// What a browser may do with the page: run what is in it, and load nothing. Vega makes functions of expressions.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:";

/// The whole page.
pub(super) fn page(results: &Results, sections: &Markup, charts: &Charts) -> Checked<String> {
    let manifest = results.manifest.root();
    let (name, description) = scenario(results)?;
    let kind = kind(results)?;
    let libraries = LIBRARIES.into_iter().map(unpacked).collect::<Checked<Vec<_>>>()?;
    // In a script nothing ends it but `</script` and nothing begins a comment.
    let specifications = charts.compact().to_string().replace('<', "\\u003c");
    let page = html! {
        (PreEscaped(FIRST_LINE))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="generator" content="meshsim";
                title { (name) " – " (kind) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.soft { "meshsim " (kind) }
                    h1 { (name) }
                    @if !description.is_empty() { p { (description) } }
                    (conclusion(&manifest))
                }
                nav aria-label="Sections" { ul #ways {} }
                main {
                    noscript { p { "The charts need scripts; the tables have the numbers without." } }
                    (sections)
                    (provenance(results)?)
                }
                script type="application/json" #charts { (PreEscaped(&specifications)) }
                @for library in &libraries { script { (PreEscaped(library)) } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string() + "\n")
}

/// The script of a library, under its licence. Neither has `</script` in it, which a test holds.
fn unpacked((licence, packed): (&str, &[u8])) -> Checked<String> {
    let mut text = format!("/*\n{licence}*/\n");
    GzDecoder::new(packed)
        .read_to_string(&mut text)
        .map_err(|error| Problem::new(format!("cannot unpack a library of the page: {error}")))?;
    Ok(text)
}

/// Name and description of the scenario, as far as it has some.
fn scenario(results: &Results) -> Checked<(String, String)> {
    if let Some(validation) = results.document("validation.json")? {
        let root = validation.root();
        let first = ["suite", "scenario"].into_iter().map(|key| root.text(key)).find(|it| !it.is_empty());
        return Ok((first.unwrap_or_default().to_owned(), root.text("description").to_owned()));
    }
    if let Some(text) = results.text(EXPANDED)?
        && let Ok(root) = text.parse::<toml::Table>()
    {
        let word = |key: &str| root.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let name = word("name");
        return Ok((if name.is_empty() { "Results".to_owned() } else { name }, word("description")));
    }
    Ok(("Results".to_owned(), String::new()))
}

/// What the results are of, in a word.
fn kind(results: &Results) -> Checked<&'static str> {
    let manifest = results.manifest.root();
    let command = manifest.list("command");
    let word = command.first().and_then(|it| it.value.as_str()).unwrap_or_default();
    Ok(match word {
        "run" => "run",
        "compare" => "comparison",
        "drill" => "drill",
        "sweep" if results.text("break_even.json")?.is_some() => "break-even",
        "sweep" => "sweep",
        _ => "validation",
    })
}

/// What it all comes to: the sentences with which the command ends.
fn conclusion(manifest: &Part<'_>) -> Markup {
    let sentences = manifest.list("conclusion");
    html! {
        @if !sentences.is_empty() {
            div #conclusion {
                @for sentence in &sentences {
                    p data-from=(sentence.source()) { (with_names(sentence.value.as_str().unwrap_or_default())) }
                }
            }
        }
        @if manifest.value["interrupted"] == true {
            p.bad { "The run was stopped: this is what was finished." }
        }
    }
}

/// A sentence in which what stands between backticks is a name.
pub(super) fn with_names(sentence: &str) -> Markup {
    html! {
        @for (index, piece) in sentence.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// A name that a narrow page breaks between its words.
pub(super) fn breakable(name: &str) -> Markup {
    html! {
        @for (index, word) in name.split_inclusive(['.', '_', ':']).enumerate() {
            @if index > 0 { wbr; }
            (word)
        }
    }
}

/// Where the results come from, and what made them.
fn provenance(results: &Results) -> Checked<Markup> {
    let manifest = results.manifest.root();
    let command: Vec<&str> = manifest.list("command").iter().filter_map(|it| it.value.as_str()).collect();
    let command = command.into_iter().map(quoted).collect::<Vec<_>>().join(" ");
    let summary = results.document("summary.json")?;
    let run = summary.as_ref().and_then(|it| it.root().get("run"));
    let scenario = results.text(EXPANDED)?;
    Ok(html! {
        section #provenance {
            h2 { "How it was made" }
            dl {
                @if !command.is_empty() {
                    dt { "Command" } dd { code { "meshsim " (command) } }
                }
                dt { "Version" } dd { (manifest.text("version")) }
                @if let Some(seed) = manifest.number("seed") { dt { "Seed" } dd { (seed.show(Shape::Count)) } }
                @if let Some(run) = &run {
                    dt { "Replications" } dd { (or_dash(run.number("replications").as_ref(), Shape::Count)) }
                    dt { "Simulated seconds" } dd { (or_dash(run.number("simulated_seconds").as_ref(), Shape::Plain)) }
                }
                @if !manifest.text("scenario_sha256").is_empty() {
                    dt { "SHA-256 of the scenario" } dd { code { (manifest.text("scenario_sha256")) } }
                }
            }
            @if let Some(scenario) = &scenario {
                details {
                    summary { "The scenario, with its settings and without templates" }
                    pre tabindex="0" { (scenario) }
                }
            }
            p.soft { "The same scenario, command and version give the same page, byte by byte. Every number says in which file it stands "
                "(" code { "data-from" } "); " code { "meshsim report --charts" } " prints the charts as specifications of Vega-Lite." }
        }
    })
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:=,%@+".contains(it);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_end_no_script() {
        for packed in LIBRARIES {
            let text = unpacked(packed).unwrap();
            assert!(text.len() > 100_000 && !text.contains("</script") && !text.contains("<!--"));
        }
    }

    #[test]
    fn arguments_are_quoted_and_names_are_text() {
        assert_eq!(quoted("users.a.rate=20/s"), "users.a.rate=20/s");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(
            with_names("`<script>` is fastest").into_string(),
            "<code>&lt;script&gt;</code> is fastest"
        );
    }
}
