//! Moments written as text.
//!
//! # Assumptions
//! A moment without a zone is taken as UTC. Effect: all of a file are shifted by the same hours, which
//! changes nothing but the dates that are shown.
//!
//! # Source
//! RFC 3339, Date and Time on the Internet, section 5.6. Apache `JMeter`, property
//! `jmeter.save.saveservice.timestamp_format` and the formats that its own reader guesses,
//! `CSVSaveService.java`. The number of days since 1970 is that of Hinnant, chrono-Compatible
//! Low-Level Date Algorithms, `days_from_civil`.

/// Microseconds since 1970 of a moment as `2026-11-24T09:08:07.006Z` or with an offset as `+01:00`.
/// None if it is no such text or before 1970.
pub(crate) fn rfc3339_us(text: &str) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = time.split_at(time.find(['Z', 'z', '+', '-'])?);
    at_us(parts(date, '-', [4, 2, 2])?, clock, offset_seconds(zone)?)
}

/// The same of a moment as people and tools write it: the date as `2026-11-24`, `2026/11/24`,
/// `11/24/26` or `11/24/2026` (the month first), then a blank or `T`, the time with or without a fraction,
/// and perhaps a zone.
pub(crate) fn written_us(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let [year, month, day] =
        parts(date, '-', [4, 2, 2]).or_else(|| parts(date, '/', [4, 2, 2])).or_else(|| {
            let [month, day, year] = parts(date, '/', [2, 2, 4]).or_else(|| {
                parts(date, '/', [2, 2, 2]).map(|[month, day, year]| [month, day, 2000 + year])
            })?;
            Some([year, month, day])
        })?;
    let time = time.trim();
    let (clock, zone) = time.split_at(time.find(['Z', 'z', '+', '-']).unwrap_or(time.len()));
    let offset_s = if zone.is_empty() { 0 } else { offset_seconds(zone)? };
    at_us([year, month, day], clock, offset_s)
}

/// The moment of a date, a time of the day as `09:08:07.006`, and an offset from UTC.
fn at_us([year, month, day]: [i64; 3], clock: &str, offset_s: i64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let clock = clock.trim_end();
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
    let [hour, minute, second] = parts(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(microseconds(fraction)?)
}

/// Three numbers of so many digits each.
fn parts(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut next = |digits: usize| whole(parts.next()?, digits);
    let found = [next(digits[0])?, next(digits[1])?, next(digits[2])?];
    parts.next().is_none().then_some(found)
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

/// An offset as `Z`, `+01:00`, or `+0100`.
fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':').or_else(|| zone.get(1..)?.split_at_checked(2))?;
    Some(sign * (whole(hours, 2)? * 3600 + whole(minutes, 2)? * 60))
}

/// A moment so long after 1970 (ms), as `2026-11-24T09:08:07.006Z`.
pub(crate) fn rfc3339_ms(ms: u64) -> String {
    let (days, of_day) = ((ms / 86_400_000) as i64, ms % 86_400_000);
    // Hinnant, `civil_from_days`.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
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
    use super::{rfc3339_ms, rfc3339_us, written_us};

    #[test]
    fn moments_are_read() {
        assert_eq!(rfc3339_us("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_us("2020-11-25T21:26:18.409Z"), Some(1_606_339_578_409_000));
        assert_eq!(rfc3339_us("2020-11-25T22:26:18.409123456+01:00"), Some(1_606_339_578_409_123));
        assert_eq!(rfc3339_us("2024-02-29t23:59:59.5z"), Some(1_709_251_199_500_000));
    }

    #[test]
    fn moments_that_are_written_are_read() {
        for day in 0..60_000 {
            let ms = day * 86_400_000 + 75_678_901;
            assert_eq!(rfc3339_us(&rfc3339_ms(ms)), Some(ms * 1_000));
        }
        assert_eq!(rfc3339_ms(1_606_339_578_409), "2020-11-25T21:26:18.409Z");
    }

    #[test]
    fn moments_of_several_tools_are_read() {
        for text in [
            "2020/11/25 21:26:18.409",
            "2020-11-25 21:26:18,409",
            "2020-11-25T21:26:18.409",
            "2020-11-25 22:26:18.409+0100",
            "2020-11-25 21:26:18.409 Z",
            "11/25/2020 21:26:18.409",
        ] {
            assert_eq!(written_us(text), Some(1_606_339_578_409_000), "{text}");
        }
        assert_eq!(written_us("11/25/20 21:26:18"), Some(1_606_339_578_000_000));
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
        // A day of month 25 is none: the month comes first.
        for text in ["", " ", "T", "25/11/20 21:26:18", "2020/11/25", "20é/11/25 1", "2020/11/25 21:26:18+é0"]
        {
            assert_eq!(written_us(text), None, "{text}");
        }
    }
}
