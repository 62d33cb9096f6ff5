//! Control variates: estimates freed of the luck that is known.
//!
//! A *control* is observed beside a figure and has a known mean, here 0. The mean of the figure less a coefficient times
//! that of the control is as unbiased, and varies less where they go together (Lavenberg and Welch, A perspective on the
//! use of control variables to increase the efficiency of Monte Carlo simulations, Management Science 27, 1981).
//!
//! - **Coefficients** come from batches: parts of each replication, equally many in time. What a replication has in common
//!   and what a part of time has in common over all replications is taken off first (two-way layout), so that
//!   coefficients are independent of the replications' means where all is normal, and what these tell of their own spread
//!   stays true: Student's t keeps one degree of freedom less than there are replications, however many controls there are.
//! - **Which controls.** One after the other, the one that takes most of what is left, as long as that is significant at
//!   1 % (its t) and there are [`DEGREES_PER_CONTROL`] degrees of freedom for each: what does not help is dropped.
//! - **What lasts.** A large answer is slow, and opens the window for those that follow: what a batch's luck is worth in the
//!   next one is fitted with it, in the same order and while there are as many degrees of freedom (a distributed lag). The
//!   coefficient is that of both together, for every batch but the last has a next one.
//!
//! # Assumptions
//! A part is long against what queueing makes alike. Effect: in a busy queue coefficients are not the best ones; estimates are
//! as unbiased.

use super::student_t::student_t_quantile;

/// Degrees of freedom of the batches that each control must have.
pub const DEGREES_PER_CONTROL: usize = 8;

/// A control that the others leave less of than this tells nothing new.
const LEFT_MIN: f64 = 1e-9;

/// A part of a replication.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Mean of the figure.
    pub value: f64,
    /// Means of the controls.
    pub controls: Vec<f64>,
}

/// The coefficient of each control, 0 of those that do not help; `replications` has equally many batches of each. Nothing
/// helps where there are fewer than two replications or batches, or something is not finite.
#[must_use]
pub fn control_coefficients(replications: &[Vec<Batch>]) -> Vec<f64> {
    let parts = replications.iter().map(Vec::len).min().unwrap_or(0);
    let count = replications.first().and_then(|it| it.first()).map_or(0, |it| it.controls.len());
    let mut coefficients = vec![0.0; count];
    let finite = |it: &Batch| it.value.is_finite() && it.controls.iter().all(|it| it.is_finite());
    if replications.len() < 2 || parts < 2 || !replications.iter().flatten().all(finite) {
        return coefficients;
    }
    let degrees = (replications.len() - 1) * (parts - 1);
    // Controls, the same one batch earlier, and the figure.
    let figure = 2 * count;
    let columns: Vec<Vec<f64>> = (0..=figure).map(|index| deviations(replications, parts, index)).collect();
    // Products of all columns; controls are swept into the figure one after the other.
    let product = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut products: Vec<Vec<f64>> =
        columns.iter().map(|a| columns.iter().map(|b| product(a, b)).collect()).collect();
    let own: Vec<f64> = (0..figure).map(|index| products[index][index]).collect();
    let mut chosen: Vec<usize> = Vec::new();
    while (chosen.len() + 1) * DEGREES_PER_CONTROL <= degrees {
        // Which share of what is left of the figure a control takes.
        let share = |index: usize| {
            let left = products[index][index];
            let is_new = left > LEFT_MIN * own[index] && !chosen.contains(&index);
            if is_new { products[index][figure].powi(2) / (left * products[figure][figure]) } else { 0.0 }
        };
        let best = (0..count).map(|it| (share(it), it)).max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((share, index)) = best.filter(|(share, _)| *share > 0.0) else { break };
        let rest = (degrees - chosen.len() - 1) as f64;
        let t = student_t_quantile(0.995, rest);
        if share * rest <= t * t * (1.0 - share) {
            break;
        }
        sweep(&mut products, index);
        chosen.push(index);
    }
    let mut lasting: Vec<usize> = Vec::new();
    for index in chosen.iter().map(|index| count + index) {
        let is_new = products[index][index] > LEFT_MIN * own[index];
        if is_new && (chosen.len() + lasting.len() + 1) * DEGREES_PER_CONTROL <= degrees {
            sweep(&mut products, index);
            lasting.push(index);
        }
    }
    chosen.iter().for_each(|&index| coefficients[index] = products[index][figure]);
    let with_next = (parts - 1) as f64 / parts as f64;
    lasting.iter().for_each(|&index| coefficients[index - count] += with_next * products[index][figure]);
    coefficients
}

/// A column: batch by batch, less what its replication and its part of time have in common.
fn deviations(replications: &[Vec<Batch>], parts: usize, index: usize) -> Vec<f64> {
    let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count as f64;
    let of_parts: Vec<f64> = (0..parts)
        .map(|part| mean(&mut replications.iter().map(|it| entry(it, part, index)), replications.len()))
        .collect();
    let of_all = mean(&mut of_parts.iter().copied(), parts);
    let one = |batches: &Vec<Batch>| {
        let own = mean(&mut (0..parts).map(|part| entry(batches, part, index)), parts);
        let less = |(part, common): (usize, &f64)| entry(batches, part, index) - own - common + of_all;
        of_parts.iter().enumerate().map(less).collect::<Vec<f64>>()
    };
    replications.iter().flat_map(one).collect()
}

/// A batch's control by its index, behind these that of the batch before, and behind those the figure.
fn entry(batches: &[Batch], part: usize, index: usize) -> f64 {
    let Batch { value, controls } = &batches[part];
    match index.checked_sub(controls.len()) {
        None => controls[index],
        Some(index) if index == controls.len() => *value,
        Some(index) => part.checked_sub(1).map_or(0.0, |before| batches[before].controls[index]),
    }
}

/// Gauss and Jordan's step for a column: what it explains of the others is taken off them, and its row has its coefficients.
fn sweep(products: &mut [Vec<f64>], pivot: usize) {
    let row: Vec<f64> = products[pivot].iter().map(|it| it / products[pivot][pivot]).collect();
    for (_, other) in products.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
        let factor = other[pivot];
        other.iter_mut().zip(&row).for_each(|(it, of)| *it -= factor * of);
        other[pivot] = 0.0;
    }
    products[pivot] = row;
}

#[cfg(test)]
mod tests {
    use super::super::interval::mean_estimate;
    use super::super::normal::normal_quantile;
    use super::super::test_random::Lcg;
    use super::*;

    fn normal(lcg: &mut Lcg) -> f64 {
        normal_quantile(lcg.uniform().clamp(1e-12, 1.0 - 1e-12))
    }

    /// A figure with mean 5 that is 2 a - b and noise, beside a, b, and a control that says nothing.
    fn replications(lcg: &mut Lcg, count: usize, noise: f64) -> Vec<Vec<Batch>> {
        let mut batch = |_| {
            let controls = vec![normal(lcg), normal(lcg), normal(lcg)];
            Batch { value: 5.0 + 2.0 * controls[0] - controls[1] + noise * normal(lcg), controls }
        };
        (0..count).map(|_| (0..10).map(&mut batch).collect()).collect()
    }

    #[test]
    fn what_explains_is_found_and_what_does_not_is_dropped() {
        let found = control_coefficients(&replications(&mut Lcg::new(1), 10, 0.0));
        let expected = [2.0, -1.0, 0.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        let mut lcg = Lcg::new(2);
        let useless = (0..400).filter(|_| {
            let noisy = replications(&mut lcg, 10, 1.0);
            let found = control_coefficients(&noisy);
            assert!((found[0] - 2.0).abs() < 0.8 && (found[1] + 1.0).abs() < 0.8, "{found:?}");
            found[2] != 0.0
        });
        // One in a hundred by chance.
        assert!(useless.count() < 14);
    }

    #[test]
    fn too_little_or_something_without_a_number_has_no_coefficient() {
        let mut lcg = Lcg::new(3);
        assert_eq!(control_coefficients(&replications(&mut lcg, 1, 0.1)), [0.0; 3]);
        // Nine degrees of freedom: the best control alone.
        let two = control_coefficients(&replications(&mut lcg, 2, 0.1));
        assert!(two[0] != 0.0 && two[1..] == [0.0; 2], "{two:?}");
        let mut broken = replications(&mut lcg, 5, 0.1);
        broken[1][3].value = f64::NAN;
        assert_eq!(control_coefficients(&broken), [0.0; 3]);
        assert!(control_coefficients(&[]).is_empty());
        // Two controls that are the same one count once.
        let mut twins = replications(&mut lcg, 5, 0.1);
        twins.iter_mut().flatten().for_each(|it| it.controls[2] = it.controls[0]);
        let found = control_coefficients(&twins);
        assert!((found[0] + found[2] - 2.0).abs() < 0.1 && found[0] * found[2] == 0.0, "{found:?}");
    }

    #[test]
    fn what_lasts_counts() {
        // In the same batch 3 of a, and -2 of it in the next one; nine of ten have a next one.
        let mut lcg = Lcg::new(4);
        let mut replication = |_| {
            let mut before = normal(&mut lcg);
            let mut batch = |_| {
                let now = normal(&mut lcg);
                let value = 3.0 * now - 2.0 * before + 0.1 * normal(&mut lcg);
                before = now;
                Batch { value, controls: vec![now] }
            };
            (0..10).map(&mut batch).collect::<Vec<_>>()
        };
        let all: Vec<Vec<Batch>> = (0..200).map(&mut replication).collect();
        let found = control_coefficients(&all);
        assert!((found[0] - 1.2).abs() < 0.15, "{found:?}");
    }

    /// 2,000 experiments of few replications: corrected means are unbiased, covered, and vary less.
    #[test]
    fn corrected_means_are_covered() {
        for count in [2, 3, 5, 10] {
            let (mut lcg, runs) = (Lcg::new(count as u64), 2_000);
            let (mut hits, mut raw, mut less) = (0, 0.0, 0.0);
            for _ in 0..runs {
                let all = replications(&mut lcg, count, 1.0);
                let coefficients = control_coefficients(&all);
                let mean =
                    |of: &dyn Fn(&Batch) -> f64, it: &Vec<Batch>| it.iter().map(of).sum::<f64>() / 10.0;
                let corrected = |it: &Batch| {
                    it.value - it.controls.iter().zip(&coefficients).map(|(a, b)| a * b).sum::<f64>()
                };
                let values: Vec<f64> = all.iter().map(|it| mean(&corrected, it)).collect();
                let estimate = mean_estimate(&values, 0.95).unwrap();
                hits += usize::from(estimate.interval.unwrap().contains(5.0));
                less += (estimate.value - 5.0).powi(2);
                let plain: Vec<f64> = all.iter().map(|it| mean(&|it: &Batch| it.value, it)).collect();
                raw += (mean_estimate(&plain, 0.95).unwrap().value - 5.0).powi(2);
            }
            let share = hits as f64 / runs as f64;
            eprintln!("{count} replications: {share:.4} covered, variance ratio {:.2}", raw / less);
            assert!((0.93..=0.97).contains(&share), "{count}: {share}");
            assert!(raw / less > if count < 5 { 1.5 } else { 4.0 }, "{count}: {}", raw / less);
        }
    }
}
