use super::*;
use crate::convert::kept::MOMENTS_READ;
use crate::model::item::{ItemClass, Pattern, RangeEnd, Recurrence, Value};
use std::fmt::Write as _;

fn item(fields: Vec<(Field, Value)>) -> Item {
    Item::new(ItemClass::CalendarItem, ItemRef { id: "a".to_owned(), version: "b".to_owned() }, fields)
}

/// A daily series of so many occurrences, each of them changed, as a client stored it. Of each Outlook changed the subject
/// since.
fn series(number: usize) -> (Item, Vec<Item>) {
    let day = |at: usize| {
        let days = jiff::Span::new().days(i64::try_from(at).unwrap());
        jiff::civil::date(2027, 1, 1).checked_add(days).unwrap()
    };
    let time = |at: usize, hour: &str| Value::Time(format!("{}T{hour}:00:00Z", day(at)).parse().unwrap());
    let times = |at: usize| [(Field::Start, time(at, "09")), (Field::End, time(at, "10"))];
    let named = |text: String, at: usize| {
        std::iter::once((Field::Subject, Value::Text(text))).chain(times(at)).collect::<Vec<_>>()
    };
    let rule = Recurrence {
        pattern: Pattern::Daily { interval: 1 },
        start: day(0),
        end: RangeEnd::After(u32::try_from(number).unwrap()),
    };
    let mut master = named("daily".to_owned(), 0);
    master.extend([(Field::Uid, Value::Text("u".to_owned())), (Field::Recurrence, Value::Recurrence(rule))]);
    let master = item(master);
    let changed = |subject: &str| -> Vec<Item> {
        let one = |at: usize| {
            let mut fields = named(format!("{subject} {at}"), at);
            fields.push((Field::OriginalStart, time(at, "09")));
            item(fields)
        };
        (0..number).map(one).collect()
    };
    let mut text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20270101T090000Z\r\nDTEND:20270101T100000Z\r\n\
         RRULE:FREQ=DAILY;COUNT={number}\r\nSUMMARY:daily\r\nX-CLIENT:1\r\nEND:VEVENT\r\n"
    );
    for at in 0..number {
        let day = day(at).strftime("%Y%m%d").to_string();
        let _ = write!(
            text,
            "BEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:{day}T090000Z\r\nDTSTART:{day}T090000Z\r\nDTEND:{day}T100000Z\r\n\
             SUMMARY:client {at}\r\nX-CLIENT:{at}\r\nEND:VEVENT\r\n"
        );
    }
    text.push_str("END:VCALENDAR\r\n");
    let before = changed("client");
    let known = sums(&master, &before.iter().collect::<Vec<_>>());
    let keep = kept::write(text.as_bytes(), "ics", "u", &known, &master);
    let master = Item::predicted(ItemClass::CalendarItem, Some(&master), master.id.clone(), &keep);
    (master, changed("outlook"))
}

#[test]
fn a_series_of_twice_as_many_changed_occurrences_is_twice_the_work() {
    let context = Context::of("demo@example.com");
    let work = |number: usize| {
        let (master, exceptions) = series(number);
        MOMENTS_READ.set(0);
        let rendered = render(&context, &master, &exceptions).unwrap();
        let text = String::from_utf8(rendered.body.to_vec()).unwrap();
        assert_eq!(text.matches("SUMMARY:outlook").count(), number, "{text}");
        assert_eq!(text.matches("X-CLIENT").count(), number + 1, "the client's own lines stay");
        MOMENTS_READ.get()
    };
    let (one, two) = (work(100), work(200));
    assert!(one >= 100 && two <= 2 * one + 20, "{one} lines are read for 100 overrides, {two} for 200");
}
