use super::*;
use meshsim_core::elementary::exp;
use meshsim_core::stats::Tally;

fn laws() -> [ServiceTime; 6] {
    [
        ServiceTime::Deterministic(Deterministic::new(3.0)),
        ServiceTime::Exponential(Exponential::new(3.0)),
        ServiceTime::Gamma(Gamma::new(3.0, 0.5)),
        ServiceTime::Gamma(Gamma::new(3.0, 1.7)),
        ServiceTime::LogNormal(LogNormal::new(3.0, 0.6)),
        ServiceTime::Empirical(Empirical::new(vec![1.0, 2.0, 4.0, 6.0].into())),
    ]
}

/// Means and squared coefficients of variation of [`laws`]; the empirical one is uniform on three
/// stretches: second moment (7/3 + 28/3 + 76/3) / 3.
const MOMENTS: [(f64, f64); 6] = [
    (3.0, 0.0),
    (3.0, 1.0),
    (3.0, 0.25),
    (3.0, 2.89),
    (3.0, 0.36),
    (9.5 / 3.0, 111.0 / 9.0 / (9.5 / 3.0 * 9.5 / 3.0) - 1.0),
];

#[test]
fn draws_have_the_moments_of_their_law() {
    const N: u64 = 200_000;
    let root = Address::root(11, 0);
    for (law, (mean, cv2)) in laws().iter().zip(MOMENTS) {
        let times: Tally = (0..N).map(|k| law.draw_ms(root.child(k))).collect();
        let (got, error) = (times.mean().unwrap(), mean * f64::sqrt(cv2 / N as f64));
        assert!((law.mean_ms() - mean).abs() < 1e-9, "{}: {}", law.name(), law.mean_ms());
        assert!((got - mean).abs() <= 4.0 * error + 1e-9, "{}: mean {got}", law.name());
        let got = times.variance().unwrap() / mean / mean;
        assert!((got - cv2).abs() < 0.02 * cv2.max(0.01) * (1.0 + 2.0 * cv2), "{}: cv^2 {got}", law.name());
    }
}

#[test]
fn quantile_and_share_are_inverse() {
    for law in &laws()[1..] {
        for step in 1..2_000 {
            let p = f64::from(step) / 2_000.0;
            let back = law.share_below(law.quantile_ms(p));
            assert!((back - p).abs() < 1e-10, "{}: {p} comes back as {back}", law.name());
        }
        assert!(law.share_below(-1.0) == 0.0 && law.share_below(1e9) > 1.0 - 1e-12, "{}", law.name());
    }
}

#[test]
fn the_density_is_the_slope_of_the_share() {
    for law in &laws()[1..] {
        // Between the borders of the empirical law's cells.
        for ms in [1.5, 2.5, 3.7, 5.5] {
            let slope = (law.share_below(ms + 1e-5) - law.share_below(ms - 1e-5)) / 2e-5;
            let density = exp(law.ln_density(ms));
            assert!((slope - density).abs() < 1e-6, "{} at {ms}: {slope}, {density}", law.name());
        }
    }
}

#[test]
fn the_table_follows_the_exact_quantile() {
    for law in &laws()[2..5] {
        for k in 0..20_000 {
            let address = Address::root(12, 0).child(k);
            let exact = law.quantile_ms(uniform(&mut draw(address, Purpose::ServiceTime)));
            let drawn = law.draw_ms(address);
            assert!((drawn - exact).abs() < 3e-3 + 1e-3 * exact, "{}: {drawn}, {exact}", law.name());
        }
    }
}

/// Exponential quantiles are known; a gamma law with two stages has median 1.67834699 of its scale.
#[test]
fn quantiles_are_those_of_the_closed_forms() {
    let exponential = ServiceTime::Gamma(Gamma::new(3.0, 1.0));
    for p in [1e-9, 0.01, 0.5, 0.99, 1.0 - 1e-9] {
        let exact = Exponential::new(3.0).quantile_ms(p);
        assert!((exponential.quantile_ms(p) / exact - 1.0).abs() < 1e-6, "{p}");
    }
    let two_stages = Gamma::new(2.0, std::f64::consts::FRAC_1_SQRT_2);
    assert!((two_stages.quantile_ms(0.5) - 1.678_346_990_016_661).abs() < 1e-9);
    let log_normal = LogNormal::new(exp(0.5), (exp(1.0) - 1.0).sqrt());
    assert!((log_normal.quantile_ms(0.5) - 1.0).abs() < 1e-12);
    let cv = log_normal.cv();
    assert!((cv * cv - (exp(1.0) - 1.0)).abs() < 1e-9, "{cv}");
}
