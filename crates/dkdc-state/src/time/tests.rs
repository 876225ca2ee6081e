//! A time that a person writes means what they think it means, or is refused.
//!
//! The failure to prevent: "5 minutes ago" or a date in another zone silently
//! becomes another moment, and a report about the past is of the wrong past.

use proptest::prelude::*;

use super::*;
use crate::cases::cases;

fn now() -> Timestamp {
    // A leap day, so that calendar units show.
    "2024-02-29T10:20:30.5Z".parse().expect("a time")
}

fn shown(text: &str) -> String {
    match Moment::parse(text, now()) {
        Ok(moment) => moment.to_string(),
        Err(error) => error.to_string(),
    }
}

fn why_not(text: &str) -> String {
    match Moment::parse(text, now()) {
        Err(Error::InvalidTime { why, .. }) => why,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn absolute_times() {
    for (text, meant) in [
        ("1732730565321529", "1732730565321529"),
        ("10000000000000", "10000000000000"),
        ("9223372036854775807", "9223372036854775807"),
        ("2024-11-27T18:02:45.321529Z", "2024-11-27T18:02:45.321529Z"),
        (
            "  2024-11-27 18:02:45.321529\n",
            "2024-11-27T18:02:45.321529Z",
        ),
        ("2024-11-27t18:02:45z", "2024-11-27T18:02:45Z"),
        ("2024-11-27 18:02", "2024-11-27T18:02:00Z"),
        ("2024-11-27", "2024-11-27T00:00:00Z"),
        ("2024-11-27T18:02:45.5", "2024-11-27T18:02:45.5Z"),
        (
            "2024-11-27T18:02:45.123456000",
            "2024-11-27T18:02:45.123456Z",
        ),
        ("2024-11-27T18:02:45+02:00", "2024-11-27T16:02:45Z"),
        ("2024-11-27 18:02:45 +0200", "2024-11-27T16:02:45Z"),
        ("2024-11-27 18:02:45 -05:30", "2024-11-27T23:32:45Z"),
        ("2024-11-27 18:02:45 UTC", "2024-11-27T18:02:45Z"),
        ("2024-11-27T18:02:45[Europe/Berlin]", "2024-11-27T17:02:45Z"),
        ("2024-07-27 18:02 [Europe/Berlin]", "2024-07-27T16:02:00Z"),
        ("2024-07-27[America/New_York]", "2024-07-27T04:00:00Z"),
        (
            "2024-07-27T18:02+02:00[Europe/Berlin]",
            "2024-07-27T16:02:00Z",
        ),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-30 21:59:59.999999", "9999-12-30T21:59:59.999999Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(shown(text), meant, "{text:?}");
    }
}

#[test]
fn a_leap_second_is_no_other_second() {
    for text in [
        "2016-12-31T23:59:60Z",
        "2016-12-31 23:59:60.5",
        "20161231T235960Z",
        "2016-12-31 235960+00:00",
        "2016-12-31t23:59:60[Europe/London]",
        "today 23:59:60",
    ] {
        let why = why_not(text);
        assert!(why.contains("leap second"), "{text:?}: {why}");
    }
}

#[test]
fn times_that_count_from_now() {
    for (text, meant) in [
        ("now", "2024-02-29T10:20:30.5Z"),
        (" NOW ", "2024-02-29T10:20:30.5Z"),
        ("today", "2024-02-29T00:00:00Z"),
        ("Today 09:30:15", "2024-02-29T09:30:15Z"),
        ("yesterday", "2024-02-28T00:00:00Z"),
        ("yesterday 14:00", "2024-02-28T14:00:00Z"),
        ("yesterday at 9:30", "2024-02-28T09:30:00Z"),
        ("today 09:30:15.000001", "2024-02-29T09:30:15.000001Z"),
        ("5 minutes ago", "2024-02-29T10:15:30.5Z"),
        ("5 MINUTES AGO", "2024-02-29T10:15:30.5Z"),
        ("5m ago", "2024-02-29T10:15:30.5Z"),
        ("5 min ago", "2024-02-29T10:15:30.5Z"),
        ("30s ago", "2024-02-29T10:20:00.5Z"),
        ("30 sec ago", "2024-02-29T10:20:00.5Z"),
        ("an hour ago", "2024-02-29T09:20:30.5Z"),
        ("2h30m ago", "2024-02-29T07:50:30.5Z"),
        ("2 hours and 30 minutes ago", "2024-02-29T07:50:30.5Z"),
        ("1.5 hours ago", "2024-02-29T08:50:30.5Z"),
        ("a day ago", "2024-02-28T10:20:30.5Z"),
        ("2d ago", "2024-02-27T10:20:30.5Z"),
        ("1w ago", "2024-02-22T10:20:30.5Z"),
        ("2 weeks ago", "2024-02-15T10:20:30.5Z"),
        ("3 months ago", "2023-11-29T10:20:30.5Z"),
        ("12 months ago", "2023-02-28T10:20:30.5Z"),
        ("1 year ago", "2023-02-28T10:20:30.5Z"),
        ("2023 years ago", "0001-02-28T10:20:30.5Z"),
        ("0s ago", "2024-02-29T10:20:30.5Z"),
    ] {
        assert_eq!(shown(text), meant, "{text:?}");
    }
    let finer: Timestamp = "2024-02-29T10:20:30.123456789Z".parse().expect("a time");
    let moment = Moment::parse("now", finer).expect("now is a moment");
    assert_eq!(moment.to_string(), "2024-02-29T10:20:30.123456Z");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    for (text, says) in [
        ("", "write it like"),
        ("last tuesday", "write it like"),
        ("-1732730565321529", "write it like"),
        ("99999999999999999999", "no idx is greater"),
        ("2024", "write it like"),
        ("2024-13-01", "month"),
        ("2024-02-30", "day"),
        ("2024-11-27T25:00", "hour"),
        ("2024-11-27T18:02:45.1234567", "finer than a microsecond"),
        ("2024-11-27T10:00[Europe/Nowhere]", "Europe/Nowhere"),
        ("2024-11-27T10:00+05:00[Europe/Berlin]", "Europe/Berlin"),
        ("0000-12-31", "not between"),
        ("0001-01-01T00:00+05:00", "not between"),
        ("9999-12-31T23:59:59Z", "not between"),
        ("10000-01-01", "write it like"),
        ("2024 years ago", "not between"),
        ("19998 years ago", "not between"),
        ("99999 years ago", "years"),
        ("in 5 minutes", "write it like"),
        ("99999999999999999999 years ago", "too big"),
        ("5 parsecs ago", "unit"),
        ("1.5 days ago", "fractional days"),
        ("-5m ago", "write it like"),
        ("minutes ago", "write it like"),
        ("ago", "write it like"),
        ("5 minutes", "write it like"),
        ("today 25:00", "hour"),
        ("yesterday 2pm", "no time of day"),
        ("yesterday 14:00+02:00", "no time of day"),
        ("yesterday 14:00:00.1234567", "finer than a microsecond"),
        ("yesterday 14:00 Z", "only a time may follow"),
    ] {
        let why = why_not(text);
        assert!(why.contains(says), "{text:?}: {why}");
        assert!(!why.contains('\n'), "{text:?}: {why}");
    }
}

#[test]
fn values_are_absolute() {
    assert!(parse_timestamp("now").is_err());
    assert!(parse_timestamp("5 minutes ago").is_err());
    assert!(parse_timestamp("1732730565321529").is_err());
    assert!(parse_timestamp("2024-11-27T18:02:45.1234567Z").is_err());
    let time = parse_timestamp("2024-11-27 18:02:45.321529").expect("a time");
    assert_eq!(time.as_microsecond(), 1_732_730_565_321_529);
}

#[test]
fn the_system_clock_serves_where_no_other_is_given() {
    let parsed = |text: &str| match text.parse().expect("a moment") {
        Moment::Time(time) => time,
        Moment::Idx(idx) => panic!("{idx}"),
    };
    let (then, now) = (parsed("1 minute ago"), parsed("now"));
    let minute = now.duration_since(then).as_secs();
    assert!((60..70).contains(&minute), "{minute}");
}

/// The microseconds from the year 1 up to the last that jiff has.
fn micros() -> impl Strategy<Value = i64> {
    let last = Timestamp::MAX.as_microsecond();
    -62_135_596_800_000_000..=last
}

/// Texts made of what times are made of.
fn nearly_a_time() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[0-9]{1,20}",
        "[-+:.,TZ \\[\\]/]{1,3}",
        "(now|today|yesterday|ago|an?|and|at|UTC)",
        "(s|sec|min|m|h|hours?|d|days?|w|weeks?|mo|months?|y|years?)",
        "(2024-02-29|T10:20:30|Europe/Berlin|9999-12-31|0000-01-01|é|\u{0})",
    ];
    let parts = proptest::collection::vec((part, any::<bool>()), 0..6);
    parts.prop_map(|parts| {
        let word = |(part, space): (String, bool)| if space { part + " " } else { part };
        parts.into_iter().map(word).collect()
    })
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_printed_moment_is_read_as_itself(micros in micros(), idx in 0..=i64::MAX) {
        let time = Timestamp::from_microsecond(micros).expect("within jiff's years");
        for moment in [Moment::from(time), Moment::from(Idx::from_micros(idx)),
                       Moment::from(Idx::from_micros(idx % 100_000))] {
            prop_assert_eq!(Moment::parse(&moment.to_string(), now()).ok(), Some(moment));
        }
    }

    #[test]
    fn no_text_panics(any in ".*", near in nearly_a_time(), micros in micros()) {
        let now = Timestamp::from_microsecond(micros).expect("within jiff's years");
        for text in [any, near] {
            for now in [now, Timestamp::MIN, Timestamp::MAX] {
                if let Ok(Moment::Time(time)) = Moment::parse(&text, now) {
                    prop_assert_eq!(time.subsec_nanosecond() % 1000, 0);
                }
            }
            let _ = parse_timestamp(&text).map(|time| time.to_string());
        }
    }
}
