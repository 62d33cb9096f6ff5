use super::ranking::{Means, rank};
use super::read::{Measured, Suite};
use crate::analysis::value::Value;
use crate::validate::figures::FigureKey;

fn open(text: &str) -> Result<Suite, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let name = path.to_str().unwrap().to_owned();
    Suite::open(&name).map_err(|problems| problems.to_string().replace(&name, "a.toml"))
}

const HEAD: &str = "name = \"n\"\n[defaults]\nscenario = \"fluidos-testbed\"\ntrace = \"{name}.csv\"\n\
                    tolerance = { mean = \"3%\", ks = \"0.05\" }\nset.users.edge1.rate = \"5/s\"\n";

#[test]
fn a_configuration_has_the_defaults_where_it_says_nothing() {
    let text = format!(
        "{HEAD}[[configuration]]\nname = \"a\"\nmark = \"train\"\nset.faults = [{{ at = \"60s\", kind = \"crash\" }}]\n\
         tolerance = {{ mean = \"1%\", ks = \"none\" }}\n"
    );
    let suite = open(&text).unwrap();
    let first = &suite.configurations[0];
    let Measured::Files { trace, .. } = &first.source else { panic!("{first:?}") };
    assert_eq!(trace, "a.csv");
    assert_eq!(
        first.tolerances.0.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(),
        [(FigureKey::Mean, 0.01)]
    );
    let changes: Vec<String> =
        first.changes.iter().map(|(setting, _)| format!("{}={}", setting.path, setting.value)).collect();
    assert_eq!(changes, ["users.edge1.rate=\"5/s\"", "faults=[{ at = \"60s\", kind = \"crash\" }]"]);
}

#[test]
fn each_mistake_has_its_place_and_what_would_be_right() {
    let one = |lines: &str| format!("{HEAD}[[configuration]]\nname = \"a\"\nmark = \"test\"\n{lines}\n");
    for (text, said) in [
        (HEAD.to_owned(), "the suite has no list of configurations (write [[configuration]])"),
        (one("tracee = \"x\""), "a.toml:10:1: unknown key `tracee` (did you mean `trace`?)"),
        (one("tolerance.p9 = \"1%\""), "a.toml:10:11: unknown key `p9` (did you mean `p90`?)"),
        (one("tolerance.p99 = \"10\""), "a.toml:10:17: `10` is no tolerance of p99"),
        (one("warm_up = \"20\""), "a.toml:10:11: "),
        (
            one("measured = { mean = [\"9ms\", \"1ms\"] }"),
            "a.toml:10:21: `mean` is no measured figure (write [VALUE], or",
        ),
        (one("measured = {}"), "`measured` has no figure"),
        (one("trace = \"x\"\nmeasured = { mean = [\"9ms\"] }"), "`a` has both a trace and measured figures"),
        (one("set = 3"), "`set` is not a table of changes"),
        (one("from_cpu = { rat = \"users.edge1.rate\" }"), "unknown key `rat` (did you mean `rate`?)"),
        (one("[[configuration]]\nname = \"a\"\nmark = \"test\""), "two configurations are named `a`"),
        (one("[[configuration]]\nname = \"b\""), "the key `mark` is missing"),
        (
            one("[[configuration]]\nname = \"b\"\nmark = \"tets\""),
            "unknown value `tets` (did you mean `test`?)",
        ),
        (
            HEAD.replace("scenario", "#") + "[[configuration]]\nname = \"a\"\nmark = \"test\"",
            "`a` has no scenario",
        ),
    ] {
        let problem = open(&text).unwrap_err();
        assert!(problem.contains(said), "{text}\n{problem}\n{said}");
    }
    let problems = open(&one("tolerance = { mean = \"x\", p50 = \"y\" }")).unwrap_err();
    assert_eq!(problems.lines().count(), 2, "all at once: {problems}");
}

#[test]
fn an_unknown_configuration_or_suite_is_suggested() {
    let suite = Suite::open("testbed").unwrap();
    let problem = suite.clone().only(&["mesh-s0-rtt160".to_owned()]).unwrap_err().to_string();
    assert!(problem.contains("did you mean `mesh-s0-rtt160-8`?"), "{problem}");
    assert_eq!(suite.only(&["mesh-s0-rtt160-8".to_owned()]).unwrap().configurations.len(), 1);
    let problem = Suite::open("testbd").unwrap_err().to_string();
    assert!(problem.contains("one of the library's suites: testbed"), "{problem}");
}

#[test]
fn a_bad_change_is_said_at_its_place_and_missing_files_by_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{HEAD}[[configuration]]\nname = \"a\"\nmark = \"test\"\nset.users.edge1.rate = \"6\"\n\
         [[configuration]]\nname = \"b\"\nmark = \"test\"\n[[configuration]]\nname = \"c\"\nmark = \"test\"\nstrategy = \"s0-s4\"\n"
    );
    let problem = open(&text).unwrap().prepare(folder.path(), &Default::default()).err().unwrap().to_string();
    assert!(problem.contains("a.toml:10:24: "), "{problem}");
    assert!(problem.contains("configuration `b`: ") && problem.contains("b.csv"), "{problem}");
    assert!(problem.contains("the scenario has no strategy `s0-s4`"), "{problem}");
}

#[test]
fn only_significant_pairs_are_ranked() {
    let means = |name: &str, measured: f64, half: f64, simulated: f64| Means {
        name: name.to_owned(),
        measured: Value { value: measured, ci95: Some([measured - half, measured + half]) },
        simulated,
    };
    let pairs =
        rank(&[means("a", 100.0, 3.0, 90.0), means("b", 106.0, 4.0, 80.0), means("c", 104.0, 4.0, 10.0)]);
    // Of a and b the reach is 5 ms; of a and c, 4 ms are not enough.
    assert_eq!(pairs.len(), 1);
    assert!(pairs[0].faster == "a" && pairs[0].slower == "b" && !pairs[0].holds);
    assert!((pairs[0].simulated_ms + 10.0).abs() < 1e-12);
}
