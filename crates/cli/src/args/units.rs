//! Sizes, times and rates as people write them: `1MiB`, `1.5G`, `500k`, `5s`, `2m`, `250ms`, `5/s`.
//!
//! Owns: the units, the words for values that aren't understood.
//! Does not own: which option takes which.

use std::time::Duration;

/// The longest time that an option takes.
const SECONDS_MAX: f64 = 1e9;
/// The shortest time but none.
const SECONDS_MIN: f64 = 0.001;

/// Parses a number of bytes. Units of a thousand: k, M, G, T, with or without B; of 1024: KiB, MiB, GiB, TiB, or Ki and
/// so on. Letter case doesn't matter.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text)
        .ok_or_else(|| "expected a number of bytes, such as 500000, 500k, 1.5G or 1MiB".to_owned())
}

/// Parses a number of bytes per second, as [`bytes`] does; "/s" may follow.
pub(super) fn speed(text: &str) -> Result<u64, String> {
    let speed = parse_bytes(text.strip_suffix("/s").unwrap_or(text)).filter(|speed| *speed > 0);
    speed.ok_or_else(|| "expected bytes per second, such as 500000, 500k, 1.5M or 1MiB".to_owned())
}

/// Parses requests per second; "/s" may follow.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("expected a number of requests per second from 0.001 to 1000000".to_owned()),
    }
}

/// Parses a time; without a unit, it is in seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
    let (number, unit) = split(text);
    let factor = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)).map(|(_, factor)| *factor);
    let factor = if unit.is_empty() { Some(1.0) } else { factor };
    let seconds = factor.and_then(|factor| Some(number.parse::<f64>().ok()? * factor));
    match seconds {
        Some(seconds) if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("expected a time of at least 1ms, such as 5 (seconds), 5s, 250ms, 2m or 1h".to_owned()),
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let unit = unit.to_ascii_lowercase();
    let (prefix, base) = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('i')) {
        Some(prefix) if !prefix.is_empty() => (prefix, 1_024_u64),
        _ => (unit.strip_suffix('b').unwrap_or(&unit), 1_000),
    };
    let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == prefix)?;
    let factor = base.pow(power as u32);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    // Half a byte is a mistake.
    let bytes = (power > 0).then(|| number.parse::<f64>().ok()).flatten()? * factor as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// The number at the start, and what follows it. A number has digits and at most one point, nothing else.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_speeds_have_units() {
        for (text, number) in [
            ("1", 1),
            ("7B", 7),
            ("500k", 500_000),
            ("500KB", 500_000),
            ("2M", 2_000_000),
            ("1.5G", 1_500_000_000),
            ("3G", 3_000_000_000),
            ("1T", 1_000_000_000_000),
            ("1MiB", 1 << 20),
            ("1mib", 1 << 20),
            ("0.5Gi", 1 << 29),
            ("4KiB", 4_096),
        ] {
            assert_eq!((bytes(text), speed(text)), (Ok(number), Ok(number)), "{text}");
            assert_eq!(speed(&format!("{text}/s")), Ok(number), "{text}");
        }
        assert_eq!(bytes("0"), Ok(0));
        for text in [
            "",
            "0",
            "k",
            "i",
            "ib",
            "-1",
            "+1",
            "1.5",
            "1.5.5M",
            "1 M",
            "1x",
            "1e3",
            "99999999999999G",
            "inf",
        ] {
            assert!(speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("5", 5_000),
            ("0.2", 200),
            ("5s", 5_000),
            ("250ms", 250),
            ("2m", 120_000),
            ("2min", 120_000),
            ("1.5h", 5_400_000),
            ("1D", 86_400_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "s", "-1", "1 s", "1w", "inf", "NaN", "1e3", "0.0001", "99999999999"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
