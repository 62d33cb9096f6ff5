use crate::validate::figures::{FigureKey, Row};
use crate::validate::tolerance::{Check, Tolerances, Verdict, did_not_hold};

fn parsed(text: &str) -> Result<(FigureKey, f64), String> {
    Tolerances::parse_setting(text).map_err(|problems| problems.to_string())
}

#[test]
fn tolerances_are_percentages_and_distances_plain_numbers() {
    assert_eq!(parsed("p99=10%"), Ok((FigureKey::P99, 0.1)));
    assert_eq!(parsed(" cpu_split = 7.5 %"), Ok((FigureKey::CpuSplit, 0.075)));
    assert_eq!(parsed("ks=0.05"), Ok((FigureKey::Ks, 0.05)));
    assert_eq!(parsed("wasserstein=12"), Ok((FigureKey::Wasserstein, 12.0)));
    assert_eq!(parsed("failed=0%"), Ok((FigureKey::Failed, 0.0)));
}

#[test]
fn each_bad_tolerance_says_what_would_be_right() {
    for (text, said) in [
        ("p99", "`p99` gives no tolerance (write KEY=TOLERANCE, as in p99=10% or ks=0.05)"),
        ("p9=1%", "no figure is called `p9` (did you mean `p90`?)"),
        ("p99=10", "`10` is no tolerance of p99 (it is a percentage of the measured value, as in mean=3%)"),
        ("ks=5%", "`5%` is no tolerance of ks (it is a distance from 0 to 1, as in ks=0.05)"),
        ("ks=2", "`2` is no tolerance of ks"),
        ("mean=-3%", "`-3%` is no tolerance of mean"),
        ("mean=NaN%", "`NaN%` is no tolerance of mean"),
        ("served=x%", "`x%` is no tolerance of served (it is percentage points, as in failed=1%)"),
    ] {
        let problem = parsed(text).unwrap_err();
        assert!(problem.contains(said), "{problem}");
    }
}

fn check(distance: f64, noise: f64, tolerance: f64) -> Check {
    let row = Row::of_distance(FigureKey::Ks, distance, Some(noise), 100);
    Check::new(&row, row.half_width(), tolerance)
}

#[test]
fn a_wide_interval_can_fail_but_not_hold() {
    let (holds, short) = (check(0.02, 0.03, 0.05), check(0.02, 0.06, 0.05));
    let fails = check(0.20, 0.06, 0.05);
    assert_eq!(holds.verdict, Verdict::Holds);
    assert_eq!(short.verdict, Verdict::TooShort);
    assert_eq!(fails.verdict, Verdict::Fails);
    assert_eq!(check(f64::NAN, f64::NAN, 0.05).verdict, Verdict::Fails);
    assert!(!did_not_hold(&[holds, short]) && !did_not_hold(&[]));
    assert!(did_not_hold(&[holds, fails]) && did_not_hold(&[short]));
}
