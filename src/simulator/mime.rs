//! MimeContent: the iCalendar and vCard forms of items, as Exchange makes and takes them. docs/EXCHANGE.md, MimeContent
//!
//! Made anew from the properties on each request, and poorer than these: no attachments, one zone under its Windows
//! name, all-day events as date-times.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icalendar::parser::{read_calendar, unfold};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use vcard4::VcardBuilder;

use super::calendar::{series, zone};
use super::element::Element;
use super::field;
use super::item::{ItemKind, Properties};
use super::view::View;
use super::world::Refusal;

/// The `MimeContent` element; `None` for items that have no such form.
pub fn write(view: &View<'_>) -> Option<Element> {
    let text = match view.item.kind {
        ItemKind::CalendarItem => calendar(view),
        ItemKind::Contact => card(view),
        _ => return None,
    };
    Some(Element::of("MimeContent", STANDARD.encode(text)).with("CharacterSet", "UTF-8"))
}

fn calendar(view: &View<'_>) -> String {
    let id = view.stored(field::START_TIME_ZONE).and_then(|z| z.attribute("Id")).unwrap_or("UTC").to_owned();
    let its = series::zone_of(view.item);
    let mut text = String::from(
        "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nPRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\n",
    );
    vtimezone(&mut text, &id, &its, view.item.created);
    event(&mut text, view, &id, &its);
    text.push_str("END:VCALENDAR\r\n");
    text
}

/// The one current rule only, from the year 1601 on.
fn vtimezone(text: &mut String, id: &str, its: &TimeZone, now: Timestamp) {
    let offset = |seconds: i32| {
        let sign = if seconds < 0 { '-' } else { '+' };
        format!("{sign}{:02}{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
    };
    let year = now.to_zoned(TimeZone::UTC).year();
    let begin = zone::instant(jiff::civil::Date::constant(year, 1, 1).at(0, 0, 0, 0), its);
    let changes: Vec<_> = its.following(begin).take(2).collect();
    let _ = write!(text, "BEGIN:VTIMEZONE\r\nTZID:{id}\r\n");
    let mut part = |name: &str, start: &str, from: i32, to: i32, rule: &str| {
        let _ = write!(
            text,
            "BEGIN:{name}\r\nDTSTART:{start}\r\nTZOFFSETFROM:{}\r\nTZOFFSETTO:{}\r\n{rule}END:{name}\r\n",
            offset(from),
            offset(to)
        );
    };
    if let [first, second] = changes.as_slice() {
        for change in [first, second] {
            let before = change.timestamp().checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(begin);
            let (from, to) = (its.to_offset(before), change.offset());
            let wall = from.to_datetime(change.timestamp());
            let last = wall.day() + 7 > wall.days_in_month();
            let nth = if last { -1 } else { (wall.day() - 1) / 7 + 1 };
            let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
                .get(usize::try_from(wall.weekday().to_monday_zero_offset()).unwrap_or_default())
                .copied()
                .unwrap_or("SU");
            let rule = format!("RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY={nth}{day};BYMONTH={}\r\n", wall.month());
            let start = format!("16010101T{:02}{:02}00", wall.hour(), wall.minute());
            let name = if change.dst().is_dst() { "DAYLIGHT" } else { "STANDARD" };
            part(name, &start, from.seconds(), to.seconds(), &rule);
        }
    } else {
        let fixed = its.to_offset(begin).seconds();
        part("STANDARD", "16010101T000000", fixed, fixed, "");
        part("DAYLIGHT", "16010101T000000", fixed, fixed, "");
    }
    text.push_str("END:VTIMEZONE\r\n");
}

fn event(text: &mut String, view: &View<'_>, id: &str, its: &TimeZone) {
    let local = |at: Timestamp| its.to_datetime(at).strftime("%Y%m%dT%H%M%S").to_string();
    let time = |field| {
        let style = super::view::Style { zone: None, body: "Text" };
        view.property(field, &style).and_then(|e| e.text.parse::<Timestamp>().ok())
    };
    let flag = |field| view.text(field) == Some("true");
    text.push_str("BEGIN:VEVENT\r\n");
    let mut line = |name: &str, value: &str| fold(text, &format!("{name}:{value}"));
    line("UID", view.text(field::UID).unwrap_or_default());
    line("SUMMARY;LANGUAGE=en-US", &escape(view.text(field::SUBJECT).unwrap_or_default()));
    if let Some(start) = time(field::START) {
        line(&format!("DTSTART;TZID={id}"), &local(start));
    }
    if let Some(end) = time(field::END) {
        line(&format!("DTEND;TZID={id}"), &local(end));
    }
    line(
        "CLASS",
        match view.text(field::SENSITIVITY) {
            Some("Private") => "PRIVATE",
            Some("Confidential") => "CONFIDENTIAL",
            _ => "PUBLIC",
        },
    );
    line("DTSTAMP", &view.item.modified.strftime("%Y%m%dT%H%M%SZ").to_string());
    line("TRANSP", "OPAQUE");
    line("STATUS", "CONFIRMED");
    line("SEQUENCE", "0");
    line("LOCATION;LANGUAGE=en-US", &escape(view.text(field::LOCATION).unwrap_or_default()));
    let busy = match view.text(field::LEGACY_FREE_BUSY_STATUS) {
        Some("Free") => "FREE",
        Some("Tentative") => "TENTATIVE",
        Some("OOF") => "OOF",
        _ => "BUSY",
    };
    line("X-MICROSOFT-CDO-BUSYSTATUS", busy);
    let all_day = if flag(field::IS_ALL_DAY_EVENT) { "TRUE" } else { "FALSE" };
    line("X-MICROSOFT-CDO-ALLDAYEVENT", all_day);
    let kind = if view.item.properties.get(field::RECURRENCE).is_some() { "1" } else { "0" };
    line("X-MICROSOFT-CDO-INSTTYPE", kind);
    if let Some(rule) = view.item.properties.get(field::RECURRENCE).and_then(rrule) {
        line("RRULE", &rule);
    }
    for gone in &view.item.exceptions.deleted {
        line(&format!("EXDATE;TZID={id}"), &local(*gone));
    }
    if flag(field::REMINDER_IS_SET) {
        let minutes = view.text(field::REMINDER_MINUTES_BEFORE_START).unwrap_or("15");
        text.push_str("BEGIN:VALARM\r\nDESCRIPTION:REMINDER\r\nTRIGGER;RELATED=START:-PT");
        text.push_str(minutes);
        text.push_str("M\r\nACTION:DISPLAY\r\nEND:VALARM\r\n");
    }
    text.push_str("END:VEVENT\r\n");
}

fn rrule(recurrence: &Element) -> Option<String> {
    let (pattern, range) = (recurrence.children.first()?, recurrence.children.get(1)?);
    let days = |names: &str| {
        let short = names.split_whitespace().map(|name| match name {
            "Day" => "SU,MO,TU,WE,TH,FR,SA".to_owned(),
            "Weekday" => "MO,TU,WE,TH,FR".to_owned(),
            "WeekendDay" => "SU,SA".to_owned(),
            day => day.get(..2).unwrap_or_default().to_uppercase(),
        });
        short.collect::<Vec<_>>().join(",")
    };
    let text = |name| pattern.child_text(name);
    let interval = text("Interval").unwrap_or("1");
    let position = || match text("DayOfWeekIndex") {
        Some("First") => "1",
        Some("Second") => "2",
        Some("Third") => "3",
        Some("Fourth") => "4",
        _ => "-1",
    };
    let mut rule = match pattern.name {
        "DailyRecurrence" => format!("FREQ=DAILY;INTERVAL={interval}"),
        "WeeklyRecurrence" => format!("FREQ=WEEKLY;INTERVAL={interval};BYDAY={}", days(text("DaysOfWeek")?)),
        "AbsoluteMonthlyRecurrence" => {
            format!("FREQ=MONTHLY;INTERVAL={interval};BYMONTHDAY={}", text("DayOfMonth")?)
        }
        "RelativeMonthlyRecurrence" => {
            format!(
                "FREQ=MONTHLY;INTERVAL={interval};BYDAY={};BYSETPOS={}",
                days(text("DaysOfWeek")?),
                position()
            )
        }
        "AbsoluteYearlyRecurrence" => format!("FREQ=YEARLY;BYMONTHDAY={}", text("DayOfMonth")?),
        _ => format!("FREQ=YEARLY;BYDAY={};BYSETPOS={}", days(text("DaysOfWeek")?), position()),
    };
    if let Some(count) = range.child_text("NumberOfOccurrences") {
        let _ = write!(rule, ";COUNT={count}");
    }
    if let Some(end) = range.child_text("EndDate") {
        let _ = write!(rule, ";UNTIL={}T235959Z", end.get(..10)?.replace('-', ""));
    }
    Some(rule)
}

/// A vCard in the form of 3.0, whose words are those of 4.0 here.
fn card(view: &View<'_>) -> String {
    let of = |field| view.text(field).unwrap_or_default().to_owned();
    let name =
        [of(field::SURNAME), of(field::GIVEN_NAME), of(field::MIDDLE_NAME), String::new(), String::new()];
    let card =
        VcardBuilder::new(of(field::DISPLAY_NAME)).name(name).org(vec![of(field::COMPANY_NAME)]).finish();
    card.to_string().replacen("VERSION:4.0", "PROFILE:VCARD\r\nVERSION:3.0", 1)
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace("\r\n", "\\n")
        .replace('\n', "\\n")
}

fn fold(text: &mut String, line: &str) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            text.push_str("\r\n ");
            width = 1;
        }
        text.push(c);
        width += c.len_utf8();
    }
    text.push_str("\r\n");
}

/// Takes over what an iCalendar text says of one event, where the request says nothing itself.
pub fn take(mime: &Element, properties: &mut Properties) -> Result<(), Refusal> {
    let wrong =
        || Refusal::new("ErrorMimeContentInvalid", "The MIME content was invalid or could not be converted.");
    let encoded: String = mime.text.split_whitespace().collect();
    let text = STANDARD.decode(encoded).ok().and_then(|o| String::from_utf8(o).ok()).ok_or_else(wrong)?;
    if text.matches("BEGIN:").count() > 60 {
        return Err(wrong());
    }
    let unfolded = unfold(&text);
    let calendar = read_calendar(&unfolded).map_err(|_| wrong())?;
    let event = calendar.components.iter().find(|c| c.name == "VEVENT").ok_or_else(wrong)?;
    let value =
        |name: &str| event.properties.iter().find(|p| p.name == name).map(|p| p.val.as_str().to_owned());
    let plain = |text: String| {
        text.replace("\\n", "\r\n").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
    };
    for (name, field) in [("SUMMARY", field::SUBJECT), ("LOCATION", field::LOCATION), ("UID", field::UID)] {
        if let (None, Some(text)) = (properties.get(field), value(name)) {
            properties.set_text(field, plain(text));
        }
    }
    if let (None, Some(text)) = (properties.get(field::BODY), value("DESCRIPTION")) {
        properties.set(field::BODY, Element::of("Body", plain(text)).with("BodyType", "Text"));
    }
    for (name, at, its) in
        [("DTSTART", field::START, field::START_TIME_ZONE), ("DTEND", field::END, field::END_TIME_ZONE)]
    {
        let Some(property) = event.properties.iter().find(|p| p.name == name) else { continue };
        let parameter = |wanted: &str| {
            let found = property.params.iter().find(|p| p.key == wanted);
            found.and_then(|p| p.val.as_ref()).map(|v| v.as_str().to_owned())
        };
        let id = parameter("TZID").filter(|id| zone::of_windows(id).is_some());
        if let (None, Some(id)) = (properties.get(its), &id) {
            properties.set(its, Element::new("StartTimeZone").with("Id", id.clone()));
        }
        let text = property.val.as_str();
        let digits = |range: std::ops::Range<usize>| text.get(range).unwrap_or("00").to_owned();
        if properties.get(at).is_none() {
            let date = format!("{}-{}-{}", digits(0..4), digits(4..6), digits(6..8));
            let time = if text.contains('T') {
                format!("{}:{}:{}", digits(9..11), digits(11..13), digits(13..15))
            } else {
                "00:00:00".to_owned()
            };
            let utc = if text.ends_with('Z') { "Z" } else { "" };
            properties.set_text(at, format!("{date}T{time}{utc}"));
        }
        if parameter("VALUE").as_deref() == Some("DATE") {
            properties.set_flag(field::IS_ALL_DAY_EVENT, true);
        }
    }
    Ok(())
}
