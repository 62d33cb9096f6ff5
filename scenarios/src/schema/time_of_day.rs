//! A time of day, as in `18:00` or `18:00:30`.

use super::quantity::Unit;
use meshsim_core::SimDuration;
use std::str::FromStr;

/// Time since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub SimDuration);

impl Unit for TimeOfDay {
    const UNIT: &'static str = "a time of day, as in \"18:00\"";
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a time of day: write it as in `18:00` or `18:00:30`");
        let parts: Vec<&str> = text.trim().split(':').collect();
        let number = |part: &str, below: u64| {
            let is_plain = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u64>().ok().filter(|number| is_plain && *number < below)
        };
        let seconds = match parts[..] {
            [hours, minutes] => Some((hours, minutes, "0")),
            [hours, minutes, seconds] => Some((hours, minutes, seconds)),
            _ => None,
        };
        let (hours, minutes, seconds) = seconds.ok_or_else(wrong)?;
        let sum = || Some(number(hours, 24)? * 3_600 + number(minutes, 60)? * 60 + number(seconds, 60)?);
        sum().map(|it| Self(SimDuration::from_secs(it))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        let seconds = |text: &str| text.parse::<TimeOfDay>().map(|it| it.0.as_secs_f64()).ok();
        assert_eq!(["18:00", "00:00:30", "9:05"].map(seconds), [Some(64_800.0), Some(30.0), Some(32_700.0)]);
        assert_eq!(["24:00", "18", "18:60", "18:0x", "6pm", "1:2:3:4", "-1:00"].map(seconds), [None; 7]);
    }
}
