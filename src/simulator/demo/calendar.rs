//! Events: single ones, series with exceptions, meetings, birthdays.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::file;
use super::words::{CATEGORIES, Dice, TITLES, person};
use crate::simulator::calendar::{pattern::day_name, series, write, zone};
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{Exception, FolderKey, Item, ItemKind};
use crate::simulator::mailbox::{Mailbox, NewItem};
use crate::simulator::view::mailbox_element;

const BERLIN: &str = "W. Europe Standard Time";
const ZONES: [&str; 5] =
    [BERLIN, "Eastern Standard Time", "Tokyo Standard Time", "GMT Standard Time", "India Standard Time"];

const PLACES: [&str; 8] = [
    "Room 4.12",
    "Café Einstein",
    "",
    "Building 7, 2nd floor",
    "Teams",
    "Main street 5; ring twice",
    "",
    "Kitchen",
];

pub(super) fn event(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    (today, days): (Date, usize),
    now: Timestamp,
) {
    let recurs = number % 20 == 9;
    let mut item = NewItem::new(ItemKind::CalendarItem);
    let p = &mut item.properties;
    let zone_id = if number.is_multiple_of(5) { dice.of(&ZONES) } else { BERLIN };
    let its = zone::of_windows(zone_id).unwrap_or(TimeZone::UTC);
    let mut date = today.saturating_add((dice.days(days) - 182).days());
    if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
        date = date.saturating_add(2.days());
    }
    let hour = i8::try_from(8 + dice.roll(9)).unwrap_or(9);
    let quarter = i8::try_from(15 * dice.roll(4)).unwrap_or(0);
    let at = |date: Date, time: Time| zone::instant(date.to_datetime(time), &its);
    let mut start = at(date, Time::new(hour, quarter, 0, 0).unwrap_or_default());
    let minutes = i64::try_from(15 * (1 + dice.roll(8))).unwrap_or(30);
    let mut end = start.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(start);
    p.set_text(field::SUBJECT, format!("{} {number}", dice.of(&TITLES)));
    let place = dice.of(&PLACES);
    if !place.is_empty() {
        p.set_text(field::LOCATION, place);
    }
    let zoned = |name| Element::new(name).with("Id", zone_id);
    p.set(field::START_TIME_ZONE, zoned("StartTimeZone"));
    p.set(field::END_TIME_ZONE, zoned("EndTimeZone"));
    let busy = ["Busy", "Busy", "Tentative", "OOF", "Free", "WorkingElsewhere"];
    p.set_text(field::LEGACY_FREE_BUSY_STATUS, busy.get(number % 6).copied().unwrap_or("Busy"));
    p.set_flag(field::REMINDER_IS_SET, !number.is_multiple_of(3));
    p.set_text(
        field::REMINDER_MINUTES_BEFORE_START,
        ["15", "30", "0", "1440"].get(number % 4).copied().unwrap_or("15"),
    );
    if number % 11 == 3 {
        p.set_flag(field::IS_ALL_DAY_EVENT, true);
        start = at(date, Time::midnight());
        let more = dice.days(3);
        end = at(date.saturating_add((if recurs { 1 } else { 1 + more }).days()), Time::midnight());
    }
    if number % 13 == 4 {
        p.set_text(field::SENSITIVITY, "Private");
    }
    if number % 17 == 5 {
        p.set_text(field::IMPORTANCE, "High");
    }
    if number % 7 == 2 {
        p.set(
            field::CATEGORIES,
            Element::new("Categories").push(Element::of("String", dice.of(&CATEGORIES))),
        );
    }
    match number % 6 {
        1 => {
            let text = "Agenda:\r\n1. Numbers, again; with feeling\r\n2. C:\\temp and other places\r\n\r\nBring a pen.\r\n";
            p.set(field::BODY, Element::of("Body", text).with("BodyType", "Text"));
        }
        2 => {
            let html = "<html><body><p>Please read <a href=\"https://example.org/?a=1&amp;b=2\">this</a> first.</p>\
                        <p><b>Thanks</b> &amp; see you</p></body></html>";
            p.set(field::BODY, Element::of("Body", html).with("BodyType", "HTML"));
        }
        _ => {}
    }
    if number % 8 == 6 {
        let invited = |n: usize, response: &str| {
            let (given, family, address) = person(n);
            Element::new("Attendee")
                .push(mailbox_element(&format!("{given} {family}"), &address))
                .push(Element::of("ResponseType", response))
        };
        let required = Element::new("RequiredAttendees")
            .push(invited(number, "Accept"))
            .push(invited(number + 1, "Unknown"));
        p.set(field::REQUIRED_ATTENDEES, required);
        p.set(
            field::OPTIONAL_ATTENDEES,
            Element::new("OptionalAttendees").push(invited(number + 2, "Tentative")),
        );
        p.set_flag(field::MEETING_REQUEST_WAS_SENT, true);
        if number.is_multiple_of(16) {
            let (given, family, address) = person(number + 5);
            let mailbox = mailbox_element(&format!("{given} {family}"), &address);
            p.set(field::ORGANIZER, Element::new("Organizer").push(mailbox));
            p.set_text(field::MY_RESPONSE_TYPE, "Accept");
        }
    }
    p.set_time(field::START, start);
    p.set_time(field::END, end);
    if recurs {
        p.set(field::RECURRENCE, recurrence(number / 20, date));
    }
    let unique = mailbox.next_unique();
    if write::created(&mut item.properties, Some(zone_id), now, unique).is_err() {
        return;
    }
    if number % 30 == 7 {
        item.attachments.push(file(
            "agenda.txt",
            "text/plain",
            b"1. Numbers\n2. Other\n".to_vec(),
            false,
            now,
        ));
    }
    let key = mailbox.add_item(folder, item, now);
    // Enough series have exceptions; one in a thousand events of a big mailbox has.
    if recurs && (number < 400 || number.is_multiple_of(1009)) {
        mailbox.update_item(key, now, make_exceptions);
    }
}

fn recurrence(kind: usize, date: Date) -> Element {
    let interval = |n: i32| Element::value("Interval", n);
    let day = day_name(date.weekday());
    let pattern = match kind % 6 {
        0 => Element::new("WeeklyRecurrence")
            .push(interval(1))
            .push(Element::of("DaysOfWeek", day))
            .push(Element::of("FirstDayOfWeek", "Monday")),
        1 => Element::new("DailyRecurrence").push(interval(2)),
        2 => Element::new("AbsoluteMonthlyRecurrence")
            .push(interval(1))
            .push(Element::value("DayOfMonth", date.day())),
        3 => Element::new("RelativeMonthlyRecurrence")
            .push(interval(1))
            .push(Element::of("DaysOfWeek", day))
            .push(Element::of("DayOfWeekIndex", "Second")),
        4 => Element::new("WeeklyRecurrence")
            .push(interval(2))
            .push(Element::of("DaysOfWeek", "Monday Wednesday Friday"))
            .push(Element::of("FirstDayOfWeek", "Sunday")),
        _ => Element::new("RelativeMonthlyRecurrence")
            .push(interval(1))
            .push(Element::of("DaysOfWeek", "Weekday"))
            .push(Element::of("DayOfWeekIndex", "Last")),
    };
    let start = Element::of("StartDate", date.to_string());
    let range = match kind % 3 {
        0 => Element::new("NoEndRecurrence").push(start),
        1 => Element::new("NumberedRecurrence").push(start).push(Element::value("NumberOfOccurrences", 25)),
        _ => Element::new("EndDateRecurrence")
            .push(start)
            .push(Element::of("EndDate", date.saturating_add(300.days()).to_string())),
    };
    Element::new("Recurrence").push(pattern).push(range)
}

/// The third occurrence is moved and renamed, the fourth only renamed, the fifth deleted.
fn make_exceptions(item: &mut Item) {
    let found: Vec<_> = series::each(item).skip(2).take(3).map(|o| (o.original, o.start, o.end)).collect();
    for (at, (original, start, end)) in found.into_iter().enumerate() {
        if at == 2 {
            item.exceptions.deleted.insert(original);
            continue;
        }
        let hours = SignedDuration::from_hours(if at == 0 { 2 } else { 0 });
        let mut exception = Exception::default();
        exception.properties.set_time(field::START, start.saturating_add(hours).unwrap_or(start));
        exception.properties.set_time(field::END, end.saturating_add(hours).unwrap_or(end));
        let title = item.properties.text(field::SUBJECT).unwrap_or_default().to_owned();
        let word = if at == 0 { "moved" } else { "with guests" };
        exception.properties.set_text(field::SUBJECT, format!("{title} ({word})"));
        item.exceptions.modified.insert(original, exception);
    }
}

pub(super) fn birthday(mailbox: &mut Mailbox, folder: FolderKey, today: Date, now: Timestamp) {
    for number in 0..5 {
        let (given, family, _) = person(number * 3);
        let date = Date::new(1980, 1, 1)
            .unwrap_or(today)
            .saturating_add((i32::try_from(number).unwrap_or(0) * 70).days());
        let mut item = NewItem::new(ItemKind::CalendarItem);
        let p = &mut item.properties;
        p.set_text(field::SUBJECT, format!("{given} {family}'s birthday"));
        p.set_flag(field::IS_ALL_DAY_EVENT, true);
        p.set_text(field::LEGACY_FREE_BUSY_STATUS, "Free");
        p.set_flag(field::REMINDER_IS_SET, false);
        let its = zone::of_windows(BERLIN).unwrap_or(TimeZone::UTC);
        p.set_time(field::START, zone::instant(date.to_datetime(Time::midnight()), &its));
        p.set_time(
            field::END,
            zone::instant(date.saturating_add(1.day()).to_datetime(Time::midnight()), &its),
        );
        let month = jiff::fmt::strtime::format("%B", date).unwrap_or_default();
        let pattern = Element::new("AbsoluteYearlyRecurrence")
            .push(Element::value("DayOfMonth", date.day()))
            .push(Element::of("Month", month));
        let range = Element::new("NoEndRecurrence").push(Element::of("StartDate", date.to_string()));
        p.set(field::RECURRENCE, Element::new("Recurrence").push(pattern).push(range));
        let unique = mailbox.next_unique();
        if write::created(&mut item.properties, Some(BERLIN), now, unique).is_ok() {
            mailbox.add_item(folder, item, now);
        }
    }
}
