//! What users are to get, and what the exit code says of it.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};

const SCENARIO: &str = r#"[run]
duration = "20s"
warm_up = "0s"
replications = 2
[clusters.edge]
nodes = [{ cores = "8" }]
services = "all"
[services.shop]
service_time = "1ms"
[services.shop.endpoints.browse]
[services.shop.endpoints.buy]
wait = "100ms"
[users.edge]
cluster = "edge"
service = "shop"
requests = { browse = 3, buy = 1 }
rate = "20/s"
[[objective]]
request = "buy"
figure = "p95"
below = "50ms"
[[objective]]
figure = "failures"
below = "1%"
"#;

fn code_and_text(arguments: &[&str]) -> (Option<i32>, String) {
    let output = meshsim(arguments);
    let said = [output.stdout, output.stderr].map(|it| text(&it)).concat();
    (output.status.code(), said)
}

#[test]
fn a_missed_objective_is_marked_and_ends_with_1_where_it_is_enforced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.toml");
    std::fs::write(&path, SCENARIO).unwrap();
    let path = path.to_str().unwrap();
    let (code, text) = code_and_text(&["run", path, "-q"]);
    assert_eq!(code, Some(0), "{text}");
    let row =
        |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(row("buy: p95").contains("below 50 ms") && row("buy: p95").contains("no !"), "{text}");
    assert!(row("failures").contains("below 1 %") && row("failures").contains("yes"), "{text}");
    assert!(row("buy: p95").ends_with("0 of 2") && row("failures").ends_with("2 of 2"), "{text}");
    assert!(text.contains("`base` misses 1 of 2 (`buy: p95`)."), "{text}");
    assert!(row("buy ").contains(" !"), "{text}");
    // Of the only group of users the figures are those of all.
    let of_all =
        SCENARIO.replace("request = \"buy\"\nfigure = \"p95\"", "users = \"edge\"\nfigure = \"p95\"");
    std::fs::write(path, of_all).unwrap();
    let (_, text) = code_and_text(&["run", path, "-q"]);
    assert!(text.lines().any(|line| line.starts_with("base ") && line.contains(" !")), "{text}");
    std::fs::write(path, SCENARIO).unwrap();
    for command in ["run", "compare"] {
        assert_eq!(code_and_text(&[command, path, "-q", "--enforce"]).0, Some(1));
    }
    let wide = ["--set", "services.shop.endpoints.buy.wait=10ms"];
    assert_eq!(code_and_text(&[&["run", path, "-q", "--enforce"], &wide[..]].concat()).0, Some(0));
    let sweep = ["sweep", path, "-q", "--enforce", "--set", "services.shop.endpoints.buy.wait=10ms,20ms"];
    assert_eq!(code_and_text(&sweep).0, Some(0));
    let sweep = ["sweep", path, "-q", "--enforce", "--set", "services.shop.endpoints.buy.wait=10ms,100ms"];
    let (code, text) = code_and_text(&sweep);
    assert_eq!((code, text.matches("misses buy: p95 (holds in 0 of 2)").count()), (Some(1), 1), "{text}");
    // The table marks it, at the point where it is so.
    let marked: Vec<&str> = text.lines().filter(|line| line.ends_with(" !")).collect();
    assert!(marked.len() == 1 && marked[0].starts_with("100ms "), "{text}");
    assert!(text.contains("! misses an objective"), "{text}");
    let none = ["run", path, "-q", "--enforce", "--set", "objective=[]"];
    let (code, text) = code_and_text(&none);
    assert!(code == Some(2) && text.contains("--enforce: the scenario has no objective"), "{text}");
}
