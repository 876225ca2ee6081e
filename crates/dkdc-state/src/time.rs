//! Moments: what "as of" takes, and how people write them.
//!
//! Owns the one grammar of times, for the shell's `--as-of`, for SQL's
//! `<table>_at(...)` and for timestamps in JSON and CSV. What must hold: a time
//! without an offset is UTC, nothing is rounded, nothing is read from the
//! environment (zone names come from the table that is compiled in), and no
//! text panics.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::{self, DateTime};
use jiff::fmt::{friendly, temporal};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::record::Idx;

/// A point in a store's history: a version's number, or a time.
///
/// What its text may be, in any case and with spaces around it:
///
/// | text | meaning |
/// |---|---|
/// | `1732730565321529` | an [`Idx`]: 14 digits or more, or less than four |
/// | `2026-11-22T10:00:00Z`, `2026-11-22 10:00:00.5+02:00`, `2026-11-22T10:00[Europe/Berlin]` | RFC 3339, with a zone if you like |
/// | `2026-11-22 10:00`, `2026-11-22` | UTC; a day alone is its midnight |
/// | `now`, `today`, `yesterday` | the last two: midnight UTC |
/// | `today 09:30:15`, `yesterday 14:00` | UTC |
/// | `5 minutes ago`, `an hour ago`, `2h30m ago`, `1.5 hours ago`, `3 weeks ago`, `1 year ago` | before now; days and longer are those of the calendar, in UTC |
///
/// Times go down to the microsecond; what is finer is refused. They begin with
/// the year 1 and end at 9999-12-30T22:00:00Z.
///
/// ```
/// use dkdc_state::Moment;
/// let now: jiff::Timestamp = "2026-11-22T10:00:00Z".parse()?;
/// let then = Moment::parse("yesterday 14:00", now)?;
/// assert_eq!(then.to_string(), "2026-11-21T14:00:00Z");
/// assert_eq!(then, "2026-11-21 15:00+01:00".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Everything up to and including the version with this number, and the
    /// rest of its transaction.
    Idx(Idx),
    /// Everything committed at or before this time.
    Time(Timestamp),
}

impl Moment {
    /// The moment that a text means; phrases such as `5 minutes ago` count
    /// from `now`.
    ///
    /// # Errors
    /// [`Error::InvalidTime`], saying what is wrong with the text.
    pub fn parse(text: &str, now: Timestamp) -> Result<Moment> {
        parse(text.trim(), now).map_err(|why| Error::InvalidTime {
            text: crate::record::shorten(text),
            why,
        })
    }
}

impl FromStr for Moment {
    type Err = Error;

    /// As [`Moment::parse`], from the system's clock.
    fn from_str(text: &str) -> Result<Moment> {
        Moment::parse(text, Idx::from_micros(SystemClock.now()).timestamp())
    }
}

impl From<Idx> for Moment {
    fn from(idx: Idx) -> Moment {
        Moment::Idx(idx)
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Moment {
        Moment::Time(time)
    }
}

impl fmt::Display for Moment {
    /// An idx as its number, with zeros in front of one that would be too
    /// short to be read as an idx; a time as RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Idx(idx) if idx.as_micros() < 1000 => f.pad(&idx.to_string()),
            Moment::Idx(idx) => f.pad(&format!("{:0IDX_DIGITS$}", idx.as_micros())),
            Moment::Time(time) => f.pad(&time.to_string()),
        }
    }
}

/// Fewer digits may be a date or a year, so they are no idx; fewer than the
/// four of a year are one again.
const IDX_DIGITS: usize = 14;

const EXAMPLES: &str = "write it like 2026-11-22T10:00:00Z, 2026-11-22 10:00 (UTC), \
                        5 minutes ago, yesterday 14:00, or as a version's idx";

/// Zone names mean the same on every machine, whatever it has installed.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

fn parse(text: &str, now: Timestamp) -> Result<Moment, String> {
    let may_be_idx = (1..4).contains(&text.len()) || text.len() >= IDX_DIGITS;
    if may_be_idx && text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(idx) => Ok(Moment::Idx(idx)),
            Err(_) => Err(format!("no idx is greater than {}", i64::MAX)),
        };
    }
    let lower = text.to_lowercase();
    let time = match relative(&lower, now) {
        Some(relative) => within_years(floor(relative?)?)?,
        // What does not even begin with a year was not meant as a date.
        None if text.bytes().take_while(u8::is_ascii_digit).count() < 4 => {
            return Err(EXAMPLES.to_owned());
        }
        None => parse_timestamp(text).map_err(|why| format!("{why}; {EXAMPLES}"))?,
    };
    Ok(Moment::Time(time))
}

/// The moment of a phrase that counts from now; `None`: the text is no such
/// phrase. In lower case.
fn relative(text: &str, now: Timestamp) -> Option<Result<Timestamp, String>> {
    let mut words = text.split_whitespace();
    let first = words.next()?;
    if text.split_whitespace().next_back() == Some("ago") {
        return Some(ago(text, now));
    }
    let days = match first {
        "now" if words.next().is_none() => return Some(Ok(now)),
        "today" => 0,
        "yesterday" => 1,
        _ => return None,
    };
    let rest: Vec<&str> = words.filter(|word| *word != "at").collect();
    Some(match rest.as_slice() {
        [] => on_day(now, days, civil::Time::midnight()),
        [time] => clock_time(time).and_then(|time| on_day(now, days, time)),
        _ => Err(format!("only a time may follow {first}; {EXAMPLES}")),
    })
}

fn on_day(now: Timestamp, days_before: i64, time: civil::Time) -> Result<Timestamp, String> {
    let day = now.to_zoned(TimeZone::UTC).date();
    let day = day.checked_sub(days_before.days()).map_err(reason)?;
    utc(day.to_datetime(time))
}

/// `14:00`, `9:30`, `09:30:15.5`.
fn clock_time(text: &str) -> Result<civil::Time, String> {
    let plain = |b: u8| b.is_ascii_digit() || b == b':' || b == b'.';
    if !text.contains(':') || !text.bytes().all(plain) {
        return Err(format!(
            "{text:?} is no time of day, such as 14:00 or 09:30:15"
        ));
    }
    let padded = if text.as_bytes().get(1) == Some(&b':') {
        format!("0{text}")
    } else {
        text.to_owned()
    };
    refuse_leap_second(&padded)?;
    let time: civil::Time = padded.parse().map_err(reason)?;
    match time.subsec_nanosecond() % 1000 {
        0 => Ok(time),
        _ => Err(TOO_FINE.to_owned()),
    }
}

fn ago(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let counted = text
        .split_whitespace()
        .filter(|word| *word != "and")
        .map(|word| match word {
            "a" | "an" => "1",
            word => word,
        })
        .collect::<Vec<_>>()
        .join(" ");
    let span = friendly::SpanParser::new()
        .parse_span(&counted)
        .map_err(|error| {
            let why = reason(error);
            let known = "failed to parse input in the \"friendly\" duration format: ";
            let why = why.strip_prefix(known).unwrap_or(&why);
            format!("{why}; write it like 5 minutes ago, 2h30m ago, a day ago")
        })?;
    let then = now.to_zoned(TimeZone::UTC).checked_add(span);
    then.map(|then| then.timestamp())
        .map_err(|_| OUT_OF_RANGE.to_owned())
}

const TOO_FINE: &str = "it is finer than a microsecond";
const OUT_OF_RANGE: &str = "it is not between 0001-01-01 and 9999-12-30T22:00:00Z";

/// A time as RFC 3339 writes it, or without an offset, then UTC: what JSON and
/// CSV hold.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_timestamp(text: &str) -> Result<Timestamp, String> {
    let text = joined(text.trim());
    let pieces = temporal::Pieces::parse(&text).map_err(reason)?;
    if let Some((_, time)) = text.split_once(['T', 't', ' ']) {
        refuse_leap_second(time)?;
    }
    let date_time = pieces
        .date()
        .to_datetime(pieces.time().unwrap_or(civil::Time::midnight()));
    let time = if pieces.time_zone_annotation().is_some() {
        temporal::DateTimeParser::new()
            .parse_zoned_with(&ZONES, &text)
            .map_err(reason)?
            .timestamp()
    } else if let Some(offset) = pieces.to_numeric_offset() {
        let time = offset.to_timestamp(date_time);
        time.map_err(|_| OUT_OF_RANGE.to_owned())?
    } else {
        utc(date_time)?
    };
    if time.subsec_nanosecond() % 1000 != 0 {
        return Err(TOO_FINE.to_owned());
    }
    within_years(time)
}

/// A time of day, and what may follow it, that jiff would take for the second
/// before: with colons or without.
fn refuse_leap_second(text: &str) -> Result<(), String> {
    let clock = text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b':');
    let digits: Vec<u8> = clock.filter(u8::is_ascii_digit).collect();
    match digits.as_slice() {
        [_, _, _, _, b'6', b'0'] => Err("a leap second, which no timestamp here is".to_owned()),
        _ => Ok(()),
    }
}

/// Other programs put a space before an offset or a zone, or write `UTC`.
fn joined(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let text = match upper.strip_suffix(" UTC").or(upper.strip_suffix(" Z")) {
        Some(before) => format!("{}Z", &text[..before.len()]),
        None => text.to_owned(),
    };
    text.replace(" +", "+")
        .replace(" -", "-")
        .replace(" [", "[")
}

fn utc(date_time: DateTime) -> Result<Timestamp, String> {
    let zoned = date_time.to_zoned(TimeZone::UTC);
    zoned
        .map(|zoned| zoned.timestamp())
        .map_err(|_| OUT_OF_RANGE.to_owned())
}

/// The microsecond that has begun.
fn floor(time: Timestamp) -> Result<Timestamp, String> {
    let micros = time.as_nanosecond().div_euclid(1000);
    let micros = i64::try_from(micros).map_err(|_| OUT_OF_RANGE.to_owned())?;
    Timestamp::from_microsecond(micros).map_err(|_| OUT_OF_RANGE.to_owned())
}

fn within_years(time: Timestamp) -> Result<Timestamp, String> {
    match time.to_zoned(TimeZone::UTC).year() {
        1..=9999 => Ok(time),
        _ => Err(OUT_OF_RANGE.to_owned()),
    }
}

fn reason(error: jiff::Error) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests;
