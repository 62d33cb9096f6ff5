//! Which part of a measurement is fitted, and which is held out: its end, so that a change over time
//! shows, and neighbours that queueing correlates are on the same side.

/// The number of those that are fitted; `holdout` is the share of the time that is held out.
pub(super) fn split_at<T>(items: &[T], time_us: impl Fn(&T) -> u64, holdout: f64) -> usize {
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return 0 };
    let (first, last) = (time_us(first), time_us(last));
    let cut = first + ((last - first) as f64 * (1.0 - holdout)) as u64;
    items.partition_point(|item| time_us(item) <= cut)
}
