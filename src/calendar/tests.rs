use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

fn daily(hour: &str, zone: Tz) -> Rhythm {
    Rhythm {
        time: time(hour),
        weekdays: Weekdays::ALL,
        not_before: None,
        zone,
    }
}

#[test]
fn the_day_is_that_of_the_persons_own_clock() {
    let day = local_day(at("2026-01-05T20:30:00Z"), Tz::Asia__Dhaka);
    assert_eq!(
        day,
        (at("2026-01-05T18:00:00Z"), at("2026-01-06T18:00:00Z"))
    );
}

#[test]
fn a_day_without_midnight_begins_when_the_clocks_have_been_put_forward() {
    // Beirut, 2026-03-29: from 00:00 the clocks went to 01:00.
    let day = local_day(at("2026-03-29T09:00:00Z"), Tz::Asia__Beirut);
    assert_eq!(
        day,
        (at("2026-03-28T22:00:00Z"), at("2026-03-29T21:00:00Z"))
    );
}

#[test]
fn a_time_that_a_clock_skips_is_the_first_instant_after_the_gap() {
    let new_york = Tz::America__New_York;
    let gap = date("2027-03-14");
    for hour in ["02:00", "02:07", "02:30", "02:59", "03:00"] {
        let instant = instant_on(gap, time(hour), new_york);
        assert_eq!(instant, Some(at("2027-03-14T07:00:00Z")), "{hour}");
    }
    // By half an hour only.
    let instant = instant_on(date("2026-10-04"), time("02:10"), Tz::Australia__Lord_Howe);
    assert_eq!(instant, Some(at("2026-10-03T15:30:00Z")));
}

#[test]
fn a_time_that_a_clock_shows_twice_is_the_first_of_the_two() {
    let instant = instant_on(date("2026-11-01"), time("01:30"), Tz::America__New_York);
    assert_eq!(instant, Some(at("2026-11-01T05:30:00Z")));
}

#[test]
fn a_date_that_a_zone_left_out_has_no_instant() {
    // Samoa went over the date line, and had no 30 December 2011.
    let apia = Tz::Pacific__Apia;
    assert_eq!(instant_on(date("2011-12-30"), time("10:00"), apia), None);
    assert!(instant_on(date("2011-12-29"), time("10:00"), apia).is_some());
    assert!(instant_on(date("2011-12-31"), time("10:00"), apia).is_some());
}

#[test]
fn weekdays_are_kept_as_bits_from_monday_on() {
    let days = Weekdays::of([Weekday::Sun, Weekday::Mon, Weekday::Mon]);
    assert_eq!(days.bits(), 0b100_0001);
    assert_eq!(
        days.iter().collect::<Vec<_>>(),
        [Weekday::Mon, Weekday::Sun]
    );
    assert_eq!(Weekdays::from_bits(-1), Weekdays::ALL);
    assert_eq!(Weekdays::of([]).iter().count(), 0);
}

#[test]
fn whoever_is_new_is_not_told_of_what_is_past() {
    let rhythm = daily("10:00", Tz::UTC);
    let look = rhythm.look(None, at("2026-01-05T12:00:00Z"));
    assert_eq!(look.due, None);
    assert_eq!(look.next, Some(at("2026-01-06T10:00:00Z")));
    let look = rhythm.look(None, at("2026-01-05T09:00:00Z"));
    assert_eq!(look.next, Some(at("2026-01-05T10:00:00Z")));
}

#[test]
fn what_is_late_on_its_own_date_is_done_up_to_six_hours_and_then_missed() {
    let rhythm = daily("10:00", Tz::UTC);
    let yesterday = Some(date("2026-01-04"));
    for (now, due, missed) in [
        ("2026-01-05T09:59:59.999Z", false, 0),
        ("2026-01-05T10:00:00Z", true, 0),
        ("2026-01-05T15:59:59.999Z", true, 0),
        ("2026-01-05T16:00:00Z", false, 1),
        ("2026-01-06T09:00:00Z", false, 1),
        ("2026-01-08T10:00:00Z", true, 3),
    ] {
        let look = rhythm.look(yesterday, at(now));
        assert_eq!(look.due.is_some(), due, "{now}");
        assert_eq!(look.missed, missed, "{now}");
    }
    // Not into the next day, however short of six hours.
    let late = daily("23:00", Tz::UTC);
    let look = late.look(yesterday, at("2026-01-06T00:00:00Z"));
    assert_eq!((look.due, look.missed), (None, 1));
    let look = late.look(yesterday, at("2026-01-05T23:30:00Z"));
    assert_eq!(look.due.unwrap().until, at("2026-01-06T00:00:00Z"));
}

#[test]
fn days_that_were_not_chosen_are_neither_due_nor_missed() {
    let rhythm = Rhythm {
        weekdays: Weekdays::of([Weekday::Wed]),
        not_before: Some(date("2026-01-14")),
        ..daily("10:00", Tz::UTC)
    };
    let look = rhythm.look(Some(date("2026-01-01")), at("2026-01-09T12:00:00Z"));
    assert_eq!((look.due, look.missed), (None, 0));
    assert_eq!(look.next, Some(at("2026-01-14T10:00:00Z")));
    let never = Rhythm {
        weekdays: Weekdays::of([]),
        ..rhythm
    };
    assert_eq!(never.look(None, at("2026-01-09T12:00:00Z")).next, None);
}

#[test]
fn whoever_moves_to_another_zone_is_told_once_on_each_date() {
    // Told on the 6th in Auckland; back in Los Angeles it is the 5th.
    let told = Some(date("2026-01-06"));
    let west = daily("10:00", Tz::America__Los_Angeles);
    let look = west.look(told, at("2026-01-05T22:00:00Z"));
    assert_eq!(look.due, None);
    assert_eq!(look.next, Some(at("2026-01-07T18:00:00Z")));
    assert_eq!(look.decided_on, date("2026-01-06"));
}

#[test]
fn what_would_come_after_the_year_9999_never_comes() {
    let rhythm = Rhythm {
        weekdays: Weekdays::of([Weekday::Mon]),
        not_before: Some(date("9999-12-31")),
        ..daily("20:00", Tz::America__New_York)
    };
    assert_eq!(rhythm.look(None, at("2026-01-05T12:00:00Z")).next, None);
    let rhythm = Rhythm {
        weekdays: Weekdays::ALL,
        ..rhythm
    };
    // There it is the last evening of 9999, and in UTC the year after.
    assert_eq!(rhythm.look(None, at("2026-01-05T12:00:00Z")).next, None);
}
