//! Moments written as text.
//!
//! # Source
//! RFC 3339, Date and Time on the Internet, section 5.6. The number of days since 1970 is that of
//! Hinnant, chrono-Compatible Low-Level Date Algorithms, `days_from_civil`.

/// Microseconds since 1970 of a moment as `2026-11-24T09:08:07.006Z` or with an offset as `+01:00`.
/// None if it is no such text or before 1970.
pub(super) fn rfc3339_us(text: &str) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let mut next = |digits: usize| whole(parts.next()?, digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let time = time.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let offset_s = offset_seconds(zone)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut next = || whole(parts.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(microseconds(fraction)?)
}

/// A number of exactly so many digits.
fn whole(text: &str, digits: usize) -> Option<i64> {
    let good = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok())?
}

/// The digits after the point, as microseconds; further ones are cut off.
fn microseconds(fraction: &str) -> Option<u64> {
    if fraction.is_empty() || fraction.len() > 30 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<6.6}").parse().ok()
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (whole(hours, 2)? * 3600 + whole(minutes, 2)? * 60))
}

/// Days of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::rfc3339_us;

    #[test]
    fn moments_are_read() {
        assert_eq!(rfc3339_us("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_us("2020-11-25T21:26:18.409Z"), Some(1_606_339_578_409_000));
        assert_eq!(rfc3339_us("2020-11-25T22:26:18.409123456+01:00"), Some(1_606_339_578_409_123));
        assert_eq!(rfc3339_us("2024-02-29t23:59:59.5z"), Some(1_709_251_199_500_000));
    }

    #[test]
    fn other_texts_are_not() {
        for text in ["", "2020-11-25", "2020-13-25T00:00:00Z", "2020-11-25T24:00:00Z", "2020-11-25T00:00:00"]
        {
            assert_eq!(rfc3339_us(text), None, "{text}");
        }
        for text in
            ["1969-12-31T23:59:59Z", "2020-11-25T00:00:00.Z", "20é0-11-25T00:00:00Z", "----------T::Z"]
        {
            assert_eq!(rfc3339_us(text), None, "{text}");
        }
    }
}
