//! Dates in cookies, in any of their many forms.
//!
//! Owns: parsing Expires.
//! Does not own: dates in other fields, which have three forms only.
//!
//! Source: RFC 6265bis, section 5.1.1. The calendar algorithm is from Howard Hinnant, "chrono-Compatible Low-Level Date
//! Algorithms".

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The parts of a date found so far.
#[derive(Default)]
struct DateParts {
    time: Option<(u64, u64, u64)>,
    day: Option<u64>,
    month: Option<u64>,
    year: Option<u64>,
}

/// The date in `text`, in seconds from 1970; 0 for earlier dates, `None` if it isn't a date.
pub(super) fn parse(text: &[u8]) -> Option<u64> {
    let mut parts = DateParts::default();
    for token in text.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        parts.take(token);
    }
    let (Some((hour, minute, second)), Some(day), Some(month)) = (parts.time, parts.day, parts.month) else {
        return None;
    };
    let year = match parts.year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let is_date = (1..=days_in(year, month)).contains(&day) && year >= 1601;
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_year_0(year, month, day).saturating_sub(days_from_year_0(1970, 1, 1));
    let is_before = year < 1970;
    Some(if is_before { 0 } else { ((days * 24 + hour) * 60 + minute) * 60 + second })
}

impl DateParts {
    /// Takes each token as the first part that it may be and that hasn't been found yet.
    fn take(&mut self, token: &[u8]) {
        if self.time.is_none()
            && let Some(time) = time(token)
        {
            self.time = Some(time);
        } else if self.day.is_none()
            && let Some(day) = number(token, 1, 2)
        {
            self.day = Some(day);
        } else if self.month.is_none()
            && let Some(month) = month(token)
        {
            self.month = Some(month);
        } else if self.year.is_none() {
            self.year = number(token, 2, 4);
        }
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number at the beginning of `token`, if it has that many digits and no digit follows.
fn number(token: &[u8], digits_min: usize, digits_max: usize) -> Option<u64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let counts = (digits_min..=digits_max).contains(&digits);
    counts.then(|| token[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn time(token: &[u8]) -> Option<(u64, u64, u64)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let mut whole = || parts.next().filter(|part| part.iter().all(u8::is_ascii_digit));
    let (hour, minute) = (number(whole()?, 1, 2)?, number(whole()?, 1, 2)?);
    Some((hour, minute, number(parts.next()?, 1, 2)?))
}

fn month(token: &[u8]) -> Option<u64> {
    let name = token.get(..3)?;
    let index = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    Some(index as u64 + 1)
}

fn days_in(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years begin in March here, so that a leap day is the last day of its year.
fn days_from_year_0(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        let known = Some(784_111_777);
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", known),
            ("Sunday, 06-Nov-94 08:49:37 GMT", known),
            ("Sun, 06-Nov-1994 08:49:37 GMT", known),
            ("Sun Nov  6 08:49:37 1994", known),
            ("1994 november 6 8:49:37", known),
            ("06 Nov 1994 08:49:37.5 anything", known),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 01 Jan 1601 00:00:00 GMT", Some(0)),
            ("Thu, 31 Dec 1969 23:59:59 GMT", Some(0)),
            ("29 Feb 2000 00:00:00", Some(951_782_400)),
            ("31 Dec 9999 23:59:59", Some(253_402_300_799)),
            ("1 Jan 69 00:00:00", Some(3_124_224_000)),
            ("29 Feb 2100 00:00:00", None),
            ("31 Apr 2000 00:00:00", None),
            ("0 Jan 2000 00:00:00", None),
            ("1 Jan 2000 24:00:00", None),
            ("1 Jan 2000 00:60:00", None),
            ("1 Jan 2000 00:00:60", None),
            ("1 Jan 1600 00:00:00", None),
            ("1 Jan 20000 00:00:00", None),
            ("1 Jan 2000 000:00:00", None),
            ("1 Jan 2000", None),
            ("Jan 2000 00:00:00", None),
            ("1 2000 00:00:00", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), seconds, "{text}");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut days = days_from_year_0(1600, 12, 31);
        for year in 1601..2401 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    days += 1;
                    assert_eq!(days_from_year_0(year, month, day), days);
                }
            }
        }
    }
}
