//! Quantities that are not times: sizes, rates of data, rates of requests, CPU.
//!
//! Each is a plain number with its unit in its name, parsed as Kubernetes and people write it.
//! Decimal prefixes are powers of 1000 and binary ones (`Ki`, `Mi`) powers of 1024.

use std::fmt;
use std::str::FromStr;

/// Why a text is not the quantity that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseQuantityError(String);

impl fmt::Display for ParseQuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseQuantityError {}

/// Splits `1.5Gbit/s` into 1.5 and `Gbit/s`, and looks the unit up.
fn parse(text: &str, what: &str, units: &[(&str, f64)]) -> Result<f64, ParseQuantityError> {
    let text = text.trim();
    let error = |why: String| Err(ParseQuantityError(format!("`{text}` is not {what}: {why}")));
    let end = end_of_number(text);
    let (number, unit) = (text[..end].trim(), text[end..].trim());
    let Some(&(_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).filter(|n| !n.is_empty()).collect();
        return error(format!("its unit is one of {}", names.join(", ")));
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value * factor),
        Ok(_) => error("it is zero or more".to_owned()),
        Err(_) => error("it starts with a decimal number".to_owned()),
    }
}

/// Where the number at the beginning of a text ends, its exponent included.
fn end_of_number(text: &str) -> usize {
    let is_unit = |c: char| c.is_ascii_alphabetic() || c == '/';
    let end = text.find(is_unit).unwrap_or(text.len());
    let Some(exponent) = text[end..].strip_prefix(['e', 'E']) else { return end };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    match digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()) {
        0 => end,
        length => text.len() - digits.len() + length,
    }
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $what:literal, $units:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name(pub f64);

        impl FromStr for $name {
            type Err = ParseQuantityError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse(text, $what, &$units).map(Self)
            }
        }
    };
}

quantity!(
    /// A size in bytes, as in `100kB` or `512Mi`.
    Bytes,
    "a size",
    [
        ("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("k", 1e3), ("M", 1e6), ("G", 1e9),
        ("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0),
        ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0),
    ]
);
quantity!(
    /// A rate of data in bits per second, as in `1Gbit/s`.
    BitsPerSecond,
    "a rate of data",
    [("bit/s", 1.0), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9), ("Tbit/s", 1e12)]
);
quantity!(
    /// A rate of requests per second, as in `50/s` or `3000/min`.
    PerSecond,
    "a rate of requests",
    [("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3600.0)]
);
quantity!(
    /// CPU cores, as in `500m`, `2` or `2 cores`.
    Cores,
    "an amount of CPU",
    [("m", 1e-3), ("", 1.0), ("core", 1.0), ("cores", 1.0)]
);

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, exact: f64) -> bool {
        (got - exact).abs() <= 1e-12 * exact
    }

    #[test]
    fn reads_what_people_write() {
        assert!(near("512Mi".parse::<Bytes>().unwrap().0, 536_870_912.0));
        assert!(near("100 kB".parse::<Bytes>().unwrap().0, 100_000.0));
        assert!(near("1Gbit/s".parse::<BitsPerSecond>().unwrap().0, 1e9));
        assert!(near("3000/min".parse::<PerSecond>().unwrap().0, 50.0));
        assert!(near("500m".parse::<Cores>().unwrap().0, 0.5));
        assert!(near("2".parse::<Cores>().unwrap().0, 2.0));
        assert!(near("1.5 cores".parse::<Cores>().unwrap().0, 1.5));
        assert!(near("1e3/s".parse::<PerSecond>().unwrap().0, 1e3));
        assert!(near("2.5E-1 GB".parse::<Bytes>().unwrap().0, 2.5e8));
    }

    #[test]
    fn refuses_the_rest_and_says_what_would_be_right() {
        let error = "1Gb".parse::<BitsPerSecond>().unwrap_err().to_string();
        assert!(error.contains("Gbit/s"), "{error}");
        for text in ["", "-1/s", "50", "x/s", "NaN/s", "1e/s", "1e+/s", "1e999/s"] {
            assert!(text.parse::<PerSecond>().is_err(), "{text}");
        }
    }
}
