//! The book is true: what its pages show is what the program says, and the pages that it writes are up to date.
//!
//! `MESHSIM_BOOK=write cargo test -p meshsim --test book` writes down all that has changed.
#![allow(clippy::unwrap_used)] // A test may panic.

mod common;
#[path = "../../scenarios/tests/prometheus/server.rs"]
mod server;

use common::{meshsim, text};
use meshsim_scenarios::keys::KeyTable;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// A piece of a page in its scenario: a table takes the place of the one of its name, a list goes on.
fn with_piece(scenario: &str, piece: &str) -> String {
    let sections = |text: &str| -> Vec<(String, String)> {
        let mut sections = vec![(String::new(), String::new())];
        for line in text.lines() {
            if line.starts_with('[') {
                sections.push((line.to_owned(), String::new()));
            } else {
                let body = &mut sections.last_mut().unwrap().1;
                *body += line;
                *body += "\n";
            }
        }
        sections
    };
    let mut all = sections(scenario);
    for (head, body) in sections(piece) {
        match all.iter_mut().find(|(known, _)| *known == head && !head.starts_with("[[")) {
            // What stands before the first table of a piece is of the first piece.
            Some((_, known)) if !head.is_empty() || known.is_empty() => *known = body,
            Some(_) => assert!(body.trim().is_empty(), "{body}"),
            None => all.push((head, body)),
        }
    }
    let section =
        |(head, body): (String, String)| if head.is_empty() { body } else { format!("{head}\n{body}") };
    all.into_iter().map(section).collect()
}

/// What a command of a page says in a directory with its scenario: where it only checks, warnings and errors too.
fn said_by(command: &str, directory: &std::path::Path) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_meshsim")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", command]).current_dir(directory).env("PATH", path).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| text(&it));
    assert!(!err.contains("panicked"), "{command}: {err}");
    if command.starts_with("meshsim check") {
        return err + &out;
    }
    assert!(output.status.success(), "{command}: {err}");
    out
}

/// What a page shows, as it is now: its pieces of scenarios are checked, what commands say is what stands below them.
struct Page {
    name: &'static str,
    /// The scenario that pieces change, each that of before or the same.
    base: String,
    goes_on: bool,
}

impl Page {
    /// The text of the page as it would be written now, and the scenario at its end.
    fn now(&self) -> (String, String) {
        let page = std::fs::read_to_string(docs().join(self.name)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.toml");
        std::fs::write(directory.path().join("sensors.json"), SENSORS).unwrap();
        let (mut scenario, mut said, mut now) = (self.base.clone(), None, String::new());
        let mut cluster = Cluster::default();
        let mut parts = page.split("```");
        let mut before = parts.next().unwrap();
        now += before;
        // A block and the text behind it, in turn.
        while let Some(block) = parts.next() {
            let (kind, body) = block.split_once('\n').unwrap();
            let body = match kind {
                "toml" => {
                    let own = before.rsplit_once("<!-- in ").and_then(|(_, name)| name.split_once(" -->"));
                    let base = match own {
                        Some((name, _)) => meshsim_scenarios::library::scenario(name).unwrap().to_owned(),
                        None if self.goes_on => scenario.clone(),
                        None => self.base.clone(),
                    };
                    scenario = with_piece(&base, body);
                    // A library scenario's files are those of the library only in its own folder.
                    let scenario = scenario.replace("= \"ten-services", "= \"library:ten-services");
                    std::fs::write(&path, &scenario).unwrap();
                    let checked = meshsim(&["check", path.to_str().unwrap()]);
                    let said = String::from_utf8_lossy(&checked.stderr);
                    assert!(checked.status.success(), "{}: {body}: {said}", self.name);
                    body.to_owned()
                }
                // Of the tutorial all commands are run, of other pages those that show what they say.
                "sh" => {
                    said = self.goes_on.then(|| said_by(body.trim_end(), directory.path()));
                    body.to_owned()
                }
                "text" => said.take().unwrap_or_else(|| body.to_owned()),
                "console" => {
                    let command = body.lines().next().unwrap();
                    let plain = command.strip_prefix("$ ").unwrap_or_else(|| panic!("no command: {command}"));
                    match cluster.command(plain, directory.path()) {
                        Some(plain) => format!("{command}\n{}", said_by(&plain, directory.path())),
                        None => body.to_owned(),
                    }
                }
                // Pictures.
                "mermaid" => body.to_owned(),
                _ => panic!("{}: a block of `{kind}`", self.name),
            };
            before = parts.next().unwrap();
            now += &format!("```{kind}\n{}\n```{before}", body.trim_end());
        }
        (now, scenario)
    }
}

/// The Prometheus of a page's cluster: it has what a command before has put into `metrics.txt`.
#[derive(Default)]
struct Cluster {
    prometheus: Option<server::Server>,
    /// What was not run for want of it, and nothing that follows.
    is_missing: bool,
}

/// Where pages have it.
const PROMETHEUS: &str = "http://localhost:9090";

impl Cluster {
    /// A command with the address where it is in truth; nothing if it cannot be run without a real Prometheus, or only after such a one.
    fn command(&mut self, command: &str, directory: &std::path::Path) -> Option<String> {
        if command.contains(PROMETHEUS) && self.prometheus.is_none() {
            self.is_missing |= !server::is_installed("what pages show of a Prometheus");
        }
        if self.is_missing {
            return None;
        }
        if !command.contains(PROMETHEUS) {
            return Some(command.to_owned());
        }
        let start = || server::serve(&server::folder("book"), &directory.join("metrics.txt"));
        Some(command.replace(PROMETHEUS, &self.prometheus.get_or_insert_with(start).url))
    }
}

fn docs() -> &'static std::path::Path {
    std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))
}

/// Where what has changed is written down instead of being refused: in the book, or in a copy of it elsewhere.
fn written_to() -> Option<PathBuf> {
    match std::env::var("MESHSIM_BOOK").ok()?.as_str() {
        "" => None,
        "write" => Some(docs().to_owned()),
        elsewhere => Some(PathBuf::from(elsewhere)),
    }
}

/// Holds a file of the book against what it should be.
fn held(name: &str, now: &str) {
    let path = written_to().unwrap_or_else(|| docs().to_owned()).join(name);
    if written_to().is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, now).unwrap();
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    let different = shown.lines().zip(now.lines()).find(|(shown, now)| shown.trim_end() != now.trim_end());
    let help = "MESHSIM_BOOK=write cargo test -p meshsim --test book brings it up to date";
    assert_eq!(different, None, "docs/{name}: {help}");
    assert_eq!(shown.lines().count(), now.lines().count(), "docs/{name}: {help}");
}

/// What the pieces of `scenario.md` are pieces of.
const SHOP: &str = r#"[run]
duration = "10s"
[clusters.cloud]
nodes = [{ cores = "32" }]
services = "all"
[clusters.edge1]
nodes = [{ cores = "8" }]
services = ["front"]
[links.wan]
between = ["edge1", "cloud"]
rtt = "40ms"
bandwidth = "1Gbit/s"
[services.front]
service_time = "2ms"
[services.front.endpoints.browse]
calls = ["ads"]
[services.front.endpoints.buy]
calls = ["stock.list"]
[services.ads]
service_time = "1ms"
[services.prices]
service_time = "1ms"
[services.stock]
service_time = "1ms"
[services.stock.endpoints.list]
[services.stock.endpoints.take]
[users.edge1]
cluster = "edge1"
service = "front"
requests = { browse = 80, buy = 20 }
rate = "30/s"
[users.edge3]
cluster = "edge1"
service = "front"
requests = { browse = 80, buy = 20 }
rate = "30/s"
"#;

const SENSORS: &str = r#"{ "front": { "internal_service": { "loader": { "sleep_stress": { "run": false }, "mean_response_size": 2 } } } }"#;

/// Its pieces, put together as it says, are right one after the other and come to the library's `shop`; its commands say
/// what its tables show.
#[test]
fn the_tutorial_is_true() {
    let (now, scenario) = Page { name: "tutorial.md", base: String::new(), goes_on: true }.now();
    held("tutorial.md", &now);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.toml");
    std::fs::write(&path, scenario).unwrap();
    let compared = |scenario: &str| {
        let short = ["--replications", "1", "--set", "run.duration=20s", "--set", "run.warm_up=0s"];
        let output = meshsim(&[&["compare", scenario, "--json", "-q"], &short[..]].concat());
        let mut json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["run"]["scenario_sha256"].take();
        json
    };
    assert_eq!(compared(path.to_str().unwrap()), compared("shop"));
}

/// Pages whose blocks are held; the others show measurements, which other tests hold.
const PAGES: [&str; 17] = [
    "cluster.md",
    "costs.md",
    "import.md",
    "metrics.md",
    "offloading.md",
    "report.md",
    "start.md",
    "scenario.md",
    "experiment.md",
    "compare.md",
    "sweep.md",
    "drill.md",
    "why.md",
    "validate.md",
    "calibrate.md",
    "library.md",
    "glossary.md",
];

#[test]
fn what_pages_show_is_what_the_program_says() {
    for name in PAGES {
        held(name, &Page { name, base: SHOP.to_owned(), goes_on: false }.now().0);
    }
}

/// `SUMMARY.md` leads to every page, and every page is there.
#[test]
fn the_book_has_every_page() {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<String> =
        summary.split("](").skip(1).map(|it| it.split(')').next().unwrap().to_owned()).collect();
    let pages = |folder: &str| -> Vec<String> {
        let files = std::fs::read_dir(docs().join(folder)).unwrap();
        let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|it| it.ends_with(".md") && it != "SUMMARY.md");
        names.map(|it| if folder.is_empty() { it } else { format!("{folder}/{it}") }).collect()
    };
    let there: BTreeSet<String> = [pages(""), pages("reference")].concat().into_iter().collect();
    assert_eq!(listed, there);
}

/// The anchor of a heading, as mdBook makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect::<String>().to_lowercase()
}

/// A page without its blocks.
fn prose(path: &std::path::Path) -> String {
    let page = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    page.split("```").step_by(2).collect()
}

/// Every link from a page to another leads to a file, and to a heading of it. The architecture is a page of the book, too.
#[test]
fn links_lead_somewhere() {
    let root = docs().join("..");
    let names = std::fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let names = names.split("](").skip(1).map(|it| it.split(')').next().unwrap());
    let pages = names.map(|it| docs().join(it)).chain([root.join("README.md"), root.join("CONTRIBUTING.md")]);
    let mut pages: Vec<(PathBuf, PathBuf)> = pages.map(|it| (it.clone(), it)).collect();
    let architecture = root.join("ARCHITECTURE.md");
    pages.extend([architecture.clone(), docs().join("architecture.md")].map(|at| (architecture.clone(), at)));
    let (mut count, mut wrong) = (0, Vec::new());
    for (page, at) in pages {
        let text = prose(&page);
        for link in text.split("](").skip(1).map(|it| it.split([')', ' ']).next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { at.parent().unwrap().join(file) };
            let headings = |text: &str| {
                text.lines().any(|it| it.starts_with('#') && anchor(it.trim_start_matches('#')) == heading)
            };
            if !target.exists() || !heading.is_empty() && !headings(&prose(&target)) {
                wrong.push(format!("{}: {link}", at.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} links were found");
}

/// Pages that the program writes.
#[test]
fn the_reference_is_up_to_date() {
    held("reference/keys.md", &keys_page());
    held("reference/figures.md", &figures_page());
    held("reference/files.md", &files_page());
    held("reference/command-line.md", &command_line_page());
    held("reference/warnings.md", &warnings_page());
    held("reference/library.md", &library_page());
    held("models.md", &models_page());
}

const WRITTEN: &str = "<!-- written by `MESHSIM_BOOK=write cargo test -p meshsim --test book` -->\n";

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn keys_page() -> String {
    let mut text = format!(
        "# Keys\n\n{WRITTEN}\nEvery key of a scenario, table by table. `NAME` is what the scenario calls a thing. A key that is \
         needed has no default; of one without any nothing holds where it is not written. `meshsim explain KEY` says the same.\n"
    );
    for KeyTable { sentence, paths, keys } in meshsim_scenarios::keys::tables() {
        let head = if paths[0].is_empty() { "the scenario".to_owned() } else { format!("`{}`", paths[0]) };
        text += &format!("\n## {head}\n\n{sentence}");
        if let [_, others @ ..] = &paths[..]
            && !others.is_empty()
        {
            let others: Vec<String> = others.iter().map(|it| format!("`{it}`")).collect();
            text += &format!(" The same keys stand in {}.", others.join(", "));
        }
        text += "\n\n| key | what it is | written as | range | default | source |\n| --- | --- | --- | --- | --- | --- |\n";
        for key in keys {
            let words: Vec<String> = key.words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let unit = if words.is_empty() { cell(&key.unit) } else { words.join(", ") };
            let default =
                if key.is_needed { "needed".to_owned() } else { cell(&key.default.unwrap_or_default()) };
            let [range, source] = [key.range, key.source].map(|it| cell(&it.unwrap_or_default()));
            text += &format!(
                "| `{}` | {} | {unit} | {range} | {default} | {source} |\n",
                key.path,
                cell(&key.sentence)
            );
        }
    }
    text
}

fn figures_page() -> String {
    let mut text = format!(
        "# Figures\n\n{WRITTEN}\nEvery figure of `metrics.csv` and `sweep.csv`, with the columns that tell its values apart; a value \
         without them is that of all. `low` and `high` are the ends of its 95 % interval, where it has one. [Statistics](../statistics.md) \
         says how they come about.\n\n| metric | unit | by | what it says |\n| --- | --- | --- | --- |\n"
    );
    for it in meshsim_scenarios::analysis::figures::CATALOGUE {
        let by: Vec<&str> = it.by.iter().map(|it| it.name()).collect();
        text += &format!("| `{}` | {} | {} | {} |\n", it.name, it.unit, by.join(", "), cell(it.sentence));
    }
    text
}

/// A scenario with something for every file.
const EVERYTHING: &[&str] =
    &["compare", "shop", "--replications", "1", "--set", "run.duration=30s", "--set", "run.warm_up=0s"];

fn files_page() -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut columns: BTreeMap<String, String> = BTreeMap::new();
    let more = ["--set", "run.time_series=10s", "--request-log", "--quiet"];
    let changed = ["--set", "istiod.cores=2"];
    let timeline =
        ["run", "edge-outage", "--replications", "1", "--timeline", "--quiet", "--set", "istiod.cores=2"];
    let swept = [
        "sweep",
        "shop",
        "--replications",
        "1",
        "--set",
        "run.duration=5s",
        "--set",
        "run.warm_up=0s",
        "--set",
        "links.edge1-cloud.rtt=10ms,20ms",
    ];
    let runs: [Vec<&str>; 3] = [
        [EVERYTHING, &more[..], &changed[..]].concat(),
        timeline.to_vec(),
        [&swept[..], &["--quiet"]].concat(),
    ];
    for (index, run) in runs.iter().enumerate() {
        let out = folder.path().join(index.to_string());
        let output = meshsim(&[&run[..], &["--out", out.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{run:?}: {}", String::from_utf8_lossy(&output.stderr));
        for file in std::fs::read_dir(&out).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let head = match name.ends_with(".csv") {
                true => {
                    std::fs::read_to_string(out.join(&name)).unwrap().lines().next().unwrap_or("").to_owned()
                }
                false => String::new(),
            };
            if !name.starts_with("input-") && name != ".meshsim" {
                columns.entry(name).or_insert(head);
            }
        }
    }
    let mut text =
        format!("# Files\n\n{WRITTEN}\nWhat `--out DIR` writes, where there is something for it.\n");
    let known = meshsim_scenarios::results::FILES;
    for name in columns.keys() {
        assert!(known.iter().any(|it| it.0 == name), "no sentence says what {name} is");
    }
    for (name, about) in known {
        text += &format!("\n## {name}\n\n{about}\n");
        if let Some(head) = columns.get(*name).filter(|it| !it.is_empty()) {
            let columns: Vec<String> =
                head.split(',').map(|it| format!("`{}`", it.trim_matches('"'))).collect();
            text += &format!("\nColumns: {}.\n", columns.join(", "));
        }
    }
    text
}

fn command_line_page() -> String {
    let said = |arguments: &[&str]| text(&meshsim(arguments).stdout);
    let all = said(&["--help"]);
    let mut page = format!("# Command line\n\n{WRITTEN}\n```text\n{}\n```\n", all.trim_end());
    let commands =
        all.lines().skip_while(|it| *it != "Commands:").skip(1).take_while(|it| !it.trim().is_empty());
    let own = |it: &&str| it.starts_with("  ") && !it.starts_with("   ");
    for command in
        commands.filter(own).filter_map(|it| it.split_whitespace().next()).filter(|it| *it != "help")
    {
        page += &format!("\n## {command}\n\n```text\n{}\n```\n", said(&[command, "--help"]).trim_end());
    }
    page
}

/// The sentences of what is warned of.
fn warnings_page() -> String {
    let source = std::fs::read_to_string(docs().join("../scenarios/src/warnings/warning.rs")).unwrap();
    let body = source.split("pub enum Finding {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let mut page = format!(
        "# Warnings\n\n{WRITTEN}\nWhat `check`, `run`, `compare` and `sweep` warn of, on standard error: before a run what is doubtful about \
         a scenario, after it what is doubtful about results.\n\n| warning | of what |\n| --- | --- |\n"
    );
    let mut sentence = String::new();
    for line in body.lines() {
        if let Some(text) = line.strip_prefix("    /// ") {
            sentence = format!("{sentence} {text}").trim().to_owned();
        } else if let Some(name) = line.strip_prefix("    ").filter(|it| it.starts_with(char::is_uppercase)) {
            page += &format!("| {} | {} |\n", name.split([' ', ',', '(']).next().unwrap(), cell(&sentence));
            sentence.clear();
        }
    }
    page
}

/// Every library scenario, with what its head says.
fn library_page() -> String {
    let mut page = format!(
        "# Library scenarios\n\n{WRITTEN}\nWhat stands at the head of each: what to see, and why. `meshsim library NAME` prints one.\n"
    );
    for name in meshsim_scenarios::library::names() {
        let description = meshsim_scenarios::library::description(name).unwrap_or("");
        let text = meshsim_scenarios::library::scenario(name).unwrap();
        let head = text.lines().take_while(|it| it.starts_with('#') || it.trim().is_empty());
        let head: Vec<&str> = head.map(|it| it.trim_start_matches('#').trim()).collect();
        page += &format!("\n## {name}\n\n{description}.\n\n{}\n", cell(head.join("\n").trim()));
    }
    page
}

/// Every file of the models, by room, with its first sentence.
fn models_page() -> String {
    let root = docs().join("../models/src");
    let mut rooms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let head: Vec<&str> =
                text.lines().map_while(|it| it.strip_prefix("//!")).map(str::trim).collect();
            if !head.contains(&"# Models") {
                continue;
            }
            let first: Vec<&str> = head.iter().copied().take_while(|it| !it.is_empty()).collect();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let room = name.split('/').next().unwrap().to_owned();
            rooms.entry(room).or_default().push(format!("| `{name}` | {} |\n", cell(&first.join(" "))));
        }
    }
    let mut page = format!(
        "# Models\n\n{WRITTEN}\nWhat is modelled, and where. Each of these files of `models/src` begins with what it models, its assumptions with \
         their effect on results, and its source.\n"
    );
    for (room, mut files) in rooms {
        files.sort();
        page += &format!("\n## {room}\n\n| file | what it is |\n| --- | --- |\n{}", files.concat());
    }
    page
}
