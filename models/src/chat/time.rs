//! `strftime_now(format)`: the date that some templates write.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The time now, in UTC (transformers takes the machine's time zone).
pub(super) fn strftime_now(format: &str) -> Result<String, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    strftime(now, format)
}

/// `seconds` after 1970 in Python's format, in the C locale.
fn strftime(seconds: u64, format: &str) -> Result<String, Error> {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (year, month, day) = civil(days);
    let weekday = DAYS[(days as usize + 4) % 7];
    let name = MONTHS[month as usize - 1];
    let half = (hour + 11) % 12 + 1;

    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        // glibc's `%-d`: without the leading zero.
        let bare = directive == Some('-');
        if bare {
            directive = chars.next();
        }
        let two = |value: u64| {
            if bare {
                value.to_string()
            } else {
                format!("{value:02}")
            }
        };
        let text = match directive {
            Some('Y') => year.to_string(),
            Some('y') => two(year % 100),
            Some('m') => two(month),
            Some('d') => two(day),
            Some('e') => format!("{day:2}"),
            Some('H') => two(hour),
            Some('I') => two(half),
            Some('M') => two(minute),
            Some('S') => two(second),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_string(),
            Some('B') => name.to_string(),
            Some('b') => name[..3].to_string(),
            Some('A') => weekday.to_string(),
            Some('a') => weekday[..3].to_string(),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('%') => "%".to_string(),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("strftime_now does not know `%{other}`"),
                ));
            }
        };
        out.push_str(&text);
    }
    Ok(out)
}

/// Year, month and day of the day `days` after 1970 began (Hinnant, "chrono-compatible
/// low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dates_are_pythons() {
        // datetime.fromtimestamp(s, timezone.utc).strftime(f), Python 3.11.
        let all = "%d %b %Y|%A %-d %B %y|%a %e|%F %T|%I:%M:%S %p|%H%%";
        for (seconds, text) in [
            (
                0,
                "01 Jan 1970|Thursday 1 January 70|Thu  1|1970-01-01 00:00:00|12:00:00 AM|00%",
            ),
            (
                951_827_696,
                "29 Feb 2000|Tuesday 29 February 00|Tue 29|2000-02-29 12:34:56|12:34:56 PM|12%",
            ),
            (
                1_735_689_599,
                "31 Dec 2024|Tuesday 31 December 24|Tue 31|2024-12-31 23:59:59|11:59:59 PM|23%",
            ),
            (
                4_107_542_400,
                "01 Mar 2100|Monday 1 March 00|Mon  1|2100-03-01 00:00:00|12:00:00 AM|00%",
            ),
        ] {
            assert_eq!(strftime(seconds, all).unwrap(), text);
        }
    }

    #[test]
    fn unknown_directives_are_named() {
        assert!(strftime(0, "%Q").unwrap_err().to_string().contains("`%Q`"));
        assert!(strftime(0, "%").unwrap_err().to_string().contains("`%`"));
    }
}
