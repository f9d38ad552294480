//! Readers that are not ours understand what exdav writes: the crates icalendar and vcard4; and rules that are
//! understood by looking at every day happen on the same days in Exchange.

use crate::support::{Stage, USER, calendar, contacts};
use exdav::gateway::Error;
use exdav::gateway::write::{Conditions, NewCollection, ScheduleReply};
use exdav::model::collection::CollectionKind;
use exdav::model::id::CollectionId;
use exdav::model::refusal::Reason;
use exdav::text::{Component, unescape};
use icalendar::parser::{read_calendar, unfold};
use jiff::civil::{Date, Weekday};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// Names of components, and lines with their values, as we see them.
fn ours(component: &Component, out: &mut Vec<(String, String)>) {
    out.push(("BEGIN".to_owned(), component.name.clone()));
    out.extend(component.lines.iter().map(|line| (line.name.clone(), line.value.clone())));
    component.children.iter().for_each(|child| ours(child, out));
}

/// The same as the other reader sees them: it resolves the escapes of texts, and only of these.
fn theirs(component: &icalendar::parser::Component<'_>, out: &mut Vec<(String, String)>) {
    out.push(("BEGIN".to_owned(), component.name.as_str().to_owned()));
    let lines = component.properties.iter();
    out.extend(lines.map(|line| (line.name.as_str().to_owned(), line.val.as_str().to_owned())));
    component.components.iter().for_each(|child| theirs(child, out));
}

#[tokio::test(flavor = "multi_thread")]
async fn icalendar_reads_every_calendar_object_the_same() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let mut read = 0;
    for id in [calendar(), "tasks".parse().unwrap()] {
        for head in mailbox.list(&id).await.unwrap() {
            let object = mailbox.get(&id, &head.name).await.unwrap().unwrap();
            let text = String::from_utf8(object.body.to_vec()).unwrap();
            let unfolded = unfold(&text);
            let other = read_calendar(&unfolded).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let tree = Component::parse(&object.body).unwrap();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            tree.children.iter().for_each(|child| ours(child, &mut a));
            other.components.iter().for_each(|child| theirs(child, &mut b));
            assert_eq!(a.len(), b.len(), "{text}");
            for ((name, value), (other_name, other_value)) in a.iter().zip(&b) {
                assert_eq!(name, other_name, "{text}");
                assert!(
                    value == other_value || unescape(value) == *other_value,
                    "{name}: {value} {other_value}"
                );
            }
            read += 1;
        }
    }
    assert!(read > 250, "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vcard4_reads_every_card_the_same() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let mut read = 0;
    for head in mailbox.list(&contacts()).await.unwrap() {
        let object = mailbox.get(&contacts(), &head.name).await.unwrap().unwrap();
        let text = String::from_utf8(object.vcard4.unwrap().to_vec()).unwrap();
        let cards = vcard4::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let tree = Component::parse(text.as_bytes()).unwrap();
        let [card] = cards.as_slice() else { panic!("{text}") };
        assert_eq!(card.formatted_name[0].value, tree.line("FN").unwrap().unescaped());
        assert_eq!(card.email.len(), tree.lines_named("EMAIL").count(), "{text}");
        assert_eq!(card.tel.len(), tree.lines_named("TEL").count(), "{text}");
        assert_eq!(card.member.len(), tree.lines_named("MEMBER").count(), "{text}");
        read += 1;
    }
    assert!(read > 150, "{read}");
}

/// A rule in the simplest terms, to be understood by looking at every day.
#[derive(Clone, Default)]
struct Plain {
    frequency: &'static str,
    interval: i32,
    months: Vec<i8>,
    month_days: Vec<i8>,
    /// Ordinal, 0 for every one, and weekday.
    weekdays: Vec<(i8, Weekday)>,
    positions: Vec<i8>,
    count: Option<usize>,
    until: Option<Date>,
}

const CODES: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

impl Plain {
    fn text(&self) -> String {
        let mut text = format!("FREQ={};INTERVAL={}", self.frequency, self.interval);
        let mut list = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                write!(text, ";{name}={}", values.join(",")).unwrap();
            }
        };
        let weekday = |(nth, day): &(i8, Weekday)| {
            let code = CODES.iter().find(|(_, known)| known == day).unwrap().0;
            if *nth == 0 { code.to_owned() } else { format!("{nth}{code}") }
        };
        list("BYMONTH", self.months.iter().map(i8::to_string).collect());
        list("BYMONTHDAY", self.month_days.iter().map(i8::to_string).collect());
        list("BYDAY", self.weekdays.iter().map(weekday).collect());
        list("BYSETPOS", self.positions.iter().map(i8::to_string).collect());
        list("COUNT", self.count.iter().map(usize::to_string).collect());
        list("UNTIL", self.until.iter().map(|day| format!("{}T000000Z", day.strftime("%Y%m%d"))).collect());
        text
    }

    /// The period that a day is in, counted from that of the start, weeks from Monday.
    fn period(&self, start: Date, day: Date) -> i32 {
        let monday =
            |day: Date| day - jiff::Span::new().days(i64::from(day.weekday().to_monday_zero_offset()));
        match self.frequency {
            "DAILY" => (day - start).get_days(),
            "WEEKLY" => (monday(day) - monday(start)).get_days() / 7,
            "MONTHLY" => {
                i32::from(day.year() - start.year()) * 12 + i32::from(day.month()) - i32::from(start.month())
            }
            _ => i32::from(day.year() - start.year()),
        }
    }

    fn has(&self, start: Date, day: Date) -> bool {
        let by_month = self.months.is_empty() || self.months.contains(&day.month());
        let from_end = day.day() - day.days_in_month() - 1;
        let by_date = self.month_days.is_empty()
            || self.month_days.contains(&day.day())
            || self.month_days.contains(&from_end);
        let in_year = self.frequency == "YEARLY" && self.months.is_empty();
        let is_nth = |nth: i8| {
            let (at, all) = if in_year {
                (day.day_of_year(), day.days_in_year())
            } else {
                (i16::from(day.day()), i16::from(day.days_in_month()))
            };
            nth == 0 || i16::from(nth) == (at - 1) / 7 + 1 || i16::from(nth) == -((all - at) / 7 + 1)
        };
        let by_day = self.weekdays.is_empty()
            || self.weekdays.iter().any(|(nth, weekday)| *weekday == day.weekday() && is_nth(*nth));
        // What is not said is as at the start. RFC 5545 3.3.10
        let unsaid = self.weekdays.is_empty() && self.month_days.is_empty();
        let as_at_start = match self.frequency {
            "WEEKLY" => !unsaid || day.weekday() == start.weekday(),
            "MONTHLY" => !unsaid || day.day() == start.day(),
            "YEARLY" if unsaid => {
                day.day() == start.day() && (!self.months.is_empty() || day.month() == start.month())
            }
            _ => true,
        };
        by_month && by_date && by_day && as_at_start
    }

    fn days(&self, start: Date, end: Date) -> Vec<Date> {
        let first_of_period = start.first_of_year();
        let mut periods: BTreeMap<i32, Vec<Date>> = BTreeMap::new();
        for day in first_of_period.series(jiff::Span::new().days(1)).take_while(|day| *day < end) {
            let period = self.period(start, day);
            if period >= 0 && period % self.interval == 0 && self.has(start, day) {
                periods.entry(period).or_default().push(day);
            }
        }
        let picked = periods.into_values().flat_map(|days| {
            let all = i8::try_from(days.len()).unwrap();
            let is_picked = |at: i8| {
                self.positions.is_empty()
                    || self.positions.contains(&(at + 1))
                    || self.positions.contains(&(at - all))
            };
            days.into_iter().zip(0..).filter(|(_, at)| is_picked(*at)).map(|(day, _)| day).collect::<Vec<_>>()
        });
        picked
            .filter(|day| *day >= start && self.until.is_none_or(|until| *day <= until))
            .take(self.count.unwrap_or(usize::MAX))
            .collect()
    }
}

/// Rules of all shapes that people make, each with an end of its own.
fn rules() -> Vec<Plain> {
    let weekday = |nth: i8, at: usize| (nth, CODES[at].1);
    let all = |range: std::ops::Range<usize>| range.map(|at| weekday(0, at)).collect::<Vec<_>>();
    let plain = |frequency| Plain { frequency, ..Plain::default() };
    let mut shapes = vec![
        plain("DAILY"),
        plain("WEEKLY"),
        plain("MONTHLY"),
        plain("YEARLY"),
        Plain { weekdays: all(0..5), ..plain("DAILY") },
        Plain { weekdays: all(0..3), ..plain("WEEKLY") },
        Plain { weekdays: vec![weekday(0, 6), weekday(0, 0)], ..plain("WEEKLY") },
        Plain { weekdays: all(0..5), positions: vec![-1], ..plain("MONTHLY") },
        Plain { weekdays: all(0..5), positions: vec![2], ..plain("MONTHLY") },
        Plain { weekdays: all(5..7), positions: vec![1], ..plain("MONTHLY") },
        Plain { weekdays: all(0..7), positions: vec![-1], ..plain("MONTHLY") },
        Plain { weekdays: vec![weekday(0, 1)], positions: vec![2], ..plain("MONTHLY") },
        Plain { weekdays: vec![weekday(0, 4)], month_days: (8..15).collect(), ..plain("MONTHLY") },
        Plain { weekdays: vec![weekday(0, 4)], month_days: vec![13], ..plain("MONTHLY") },
        Plain { weekdays: vec![weekday(5, 0)], ..plain("MONTHLY") },
        Plain { months: vec![1, 4, 7, 10], ..plain("YEARLY") },
        Plain { months: vec![3, 9], ..plain("MONTHLY") },
        Plain { months: vec![3, 5], ..plain("YEARLY") },
        Plain { months: vec![2], month_days: vec![29], ..plain("YEARLY") },
        Plain { months: vec![11], weekdays: vec![weekday(4, 3)], ..plain("YEARLY") },
        Plain { weekdays: vec![weekday(1, 0)], ..plain("YEARLY") },
        Plain { weekdays: vec![weekday(-1, 0)], ..plain("YEARLY") },
        Plain { weekdays: vec![weekday(20, 0)], ..plain("YEARLY") },
        Plain { weekdays: vec![weekday(0, 2)], ..plain("YEARLY") },
    ];
    for day in [1, 15, 28, 29, 30, 31, -1, -2] {
        shapes.push(Plain { month_days: vec![day], ..plain("MONTHLY") });
    }
    for nth in [1, 2, 3, 4, -1, -2] {
        shapes.push(Plain { weekdays: vec![weekday(nth, 3)], ..plain("MONTHLY") });
    }
    let mut rules = Vec::new();
    for shape in shapes {
        for interval in [1, 2, 5] {
            let rule = Plain { interval, ..shape.clone() };
            rules.push(Plain { count: Some(9), ..rule.clone() });
            rules.push(Plain { until: Some(Date::constant(2027, 9, 30)), ..rule.clone() });
        }
    }
    rules
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_repeats_what_it_takes_on_the_days_that_the_rule_says_day_by_day() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let id: CollectionId = "oracle".parse().unwrap();
    let new = NewCollection { id: id.clone(), kind: CollectionKind::Calendar, properties: Vec::new() };
    let folder = mailbox.create_collection(new).await.unwrap().upstream.0;
    let view = format!(
        "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>\
         <m:CalendarView StartDate='2026-01-20T00:00:00Z' EndDate='2027-12-31T22:00:00Z'/>\
         <m:ParentFolderIds><t:FolderId Id='{folder}'/></m:ParentFolderIds></m:FindItem>"
    );
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let (mut taken, mut refused) = (0, Vec::new());
    let horizon = Date::constant(2028, 1, 1);
    for (number, rule) in rules().into_iter().enumerate() {
        // From the first day that the rule itself has.
        let mut start = Date::constant(2026, 1, 29);
        for _ in 0..4 {
            start = rule.days(start, Date::constant(2034, 1, 1)).first().copied().unwrap_or(start);
        }
        let expected = rule.days(start, horizon);
        // Some end before they begin.
        if expected.is_empty() {
            continue;
        }
        let (text, uid) = (rule.text(), format!("oracle {number}"));
        let day = start.strftime("%Y%m%d");
        let object = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{uid}\r\n\
             DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:{day}T003000\r\n\
             DTEND;TZID=Europe/Berlin:{day}T010000\r\nRRULE:{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let name = format!("oracle-{number}.ics").parse().unwrap();
        match mailbox.put(&id, &name, &Conditions::default(), object.into()).await {
            Ok(_) => taken += 1,
            Err(Error::Refused(refusal)) => {
                assert_eq!(refusal.reason, Reason::UnsupportedRecurrence, "{text}: {refusal}");
                refused.push(format!("{text}: {refusal}"));
                continue;
            }
            Err(error) => panic!("{text}: {error}"),
        }
        let answer = stage.colleague(USER, &view).await;
        let mut seen: Vec<Date> = answer
            .split("<t:CalendarItem>")
            .skip(1)
            .map(|item| item.split("<t:Start>").nth(1).unwrap().split('<').next().unwrap())
            .map(|at| at.parse::<jiff::Timestamp>().unwrap().to_zoned(berlin.clone()).date())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, expected, "{text} from {start}");
        mailbox.delete(&id, &name, &Conditions::default(), ScheduleReply::Send).await.unwrap();
    }
    println!("{taken} rules are taken, {} refused", refused.len());
    for text in refused {
        println!("  {text}");
    }
    assert!(taken > 150, "{taken}");
}
