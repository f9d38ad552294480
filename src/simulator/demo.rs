//! What is in the mailboxes: a lively year around today, or as many items as are asked for. The same seed on the same
//! day gives the same contents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::calendar::{pattern::day_name, series, write, zone};
use super::directory::Person;
use super::element::Element;
use super::field;
use super::item::{Attachment, Content, Exception, FolderKey, ItemKind};
use super::mailbox::{Access, FolderKind, Mailbox, NewItem};
use super::server::Settings;
use super::view::mailbox_element;
use super::world::World;

const BERLIN: &str = "W. Europe Standard Time";
const ZONES: [&str; 5] =
    [BERLIN, "Eastern Standard Time", "Tokyo Standard Time", "GMT Standard Time", "India Standard Time"];
const TITLES: [&str; 16] = [
    "Stand-up",
    "Budget review",
    "Kundentermin Müller & Söhne",
    "Interview",
    "Lunch with Carla",
    "1:1",
    "Zahnarzt",
    "Release planning",
    "Bring the car to the garage; winter tyres, please",
    "Webinar",
    "写真レビュー",
    "Deep work",
    "Vendor call",
    "Quarterly numbers",
    "Onboarding 🎉",
    "Retrospective",
];
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
const GIVEN: [&str; 20] = [
    "Anna",
    "Bob",
    "Carla",
    "Dmitri",
    "Élodie",
    "Fatima",
    "Günther",
    "花子",
    "Ivan",
    "Julia",
    "Kofi",
    "Lena",
    "Mateo",
    "Noor",
    "Ольга",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tomás",
];
const FAMILY: [&str; 16] = [
    "Berg",
    "Müller",
    "O'Neill",
    "Dahl",
    "Dupont",
    "Al-Sayed",
    "Weiß",
    "山田",
    "Petrov",
    "Nowak",
    "Mensah",
    "Fischer",
    "García Márquez",
    "Haddad",
    "Иванова",
    "Svensson",
];
const COMPANIES: [&str; 6] =
    ["Example Corp; R&D", "Fabrikam, Inc.", "Contoso GmbH", "Northwind Traders", "株式会社サンプル", ""];
const CATEGORIES: [&str; 5] = ["Team", "Private matters", "Customer, important", "Travel", "Red Category"];
/// A grey JPEG of one pixel.
const PHOTO: &str = "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////\
////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z";

/// Events when nothing else is asked for.
const EVENTS: usize = 260;
const CONTACTS: usize = 150;
const TASKS: usize = 30;
/// People in the directory who have no mailbox here.
const COLLEAGUES: usize = 420;

/// A small generator of numbers: SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or_default() % below.max(1)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.roll(choices.len())).copied().unwrap_or_default()
    }

    fn days(&mut self, below: usize) -> i32 {
        i32::try_from(self.roll(below)).unwrap_or_default()
    }
}

/// All mailboxes.
pub fn world(settings: &Settings, now: Timestamp) -> World {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let mailboxes = (1..=settings.mailboxes.max(1)).map(|number| {
        let address =
            if number == 1 { "demo@example.com".to_owned() } else { format!("demo{number}@example.com") };
        let name = if number == 1 { "Demo User".to_owned() } else { format!("Demo User {number}") };
        let mut guid = [0xD0; 16];
        if let Some(tail) = guid.get_mut(8..) {
            tail.copy_from_slice(&u64::try_from(number).unwrap_or_default().to_be_bytes());
        }
        let mut mailbox = Mailbox::new(&address, &name, guid, now);
        let seed = settings.seed.wrapping_mul(1000).wrapping_add(u64::try_from(number).unwrap_or_default());
        fill(&mut mailbox, settings, &mut Dice(seed), now);
        mailbox
    });
    World { mailboxes: mailboxes.collect(), colleagues: colleagues(), ..World::default() }
}

/// The organisation: a third of it is called Smith or nearly so, as everywhere.
fn colleagues() -> Vec<Person> {
    const SMITHS: [&str; 4] = ["Smith", "Smithers", "Smirnova", "Smit"];
    let people = (0..COLLEAGUES).map(|number| {
        let (given, family, _) = person(number);
        let smith = SMITHS.get(number / 3 % SMITHS.len()).filter(|_| number.is_multiple_of(3));
        let family = smith.copied().unwrap_or(family);
        Person {
            address: format!("colleague{number}@example.com"),
            display_name: format!("{given} {family}"),
            given: given.to_owned(),
            surname: family.to_owned(),
            department: "Research; Development".to_owned(),
            office: format!("4.{:02}", number % 40),
            phone: format!("+49 30 55 {number:04}"),
            mobile: if number.is_multiple_of(2) { format!("+49 171 {number:07}") } else { String::new() },
            is_list: false,
        }
    });
    let everyone = Person {
        address: "everyone@example.com".to_owned(),
        display_name: "Everyone at Example".to_owned(),
        is_list: true,
        ..Person::default()
    };
    people.chain([everyone]).collect()
}

fn fill(mailbox: &mut Mailbox, settings: &Settings, dice: &mut Dice, now: Timestamp) {
    let folder = |mailbox: &Mailbox, name| mailbox.distinguished(name).unwrap_or(FolderKey(1));
    let (calendar, contacts, tasks) =
        (folder(mailbox, "calendar"), folder(mailbox, "contacts"), folder(mailbox, "tasks"));
    let project = mailbox.add_folder(calendar, FolderKind::Calendar, "IPF.Appointment", "Project X", now);
    let birthdays =
        mailbox.add_folder(calendar, FolderKind::Calendar, "IPF.Appointment.Birthday", "Birthdays", now);
    let suppliers = mailbox.add_folder(contacts, FolderKind::Contacts, "IPF.Contact", "Suppliers", now);
    let today = now.to_zoned(TimeZone::UTC).date();
    for number in 0..settings.events.unwrap_or(EVENTS) {
        event(mailbox, calendar, number, dice, today, now);
    }
    for number in 0..settings.contacts.unwrap_or(CONTACTS) {
        contact(mailbox, contacts, number, dice, today, now);
    }
    for number in 0..settings.tasks.unwrap_or(TASKS) {
        task(mailbox, tasks, number, dice, today, now);
    }
    for number in 0..6 {
        event(mailbox, project, number * 7, dice, today, now);
        contact(mailbox, suppliers, 1000 + number, dice, today, now);
    }
    if settings.contacts.is_none() {
        for (name, members) in [("Board", 3), ("Football, Tuesdays", 8), ("Everyone", 20)] {
            list(mailbox, contacts, name, members, now);
        }
    }
    birthday(mailbox, birthdays, today, now);
    if let Some(folder) = mailbox.folders.get_mut(&birthdays) {
        folder.access = Access::ReadOnly;
    }
}

fn person(number: usize) -> (&'static str, &'static str, String) {
    let given = GIVEN.get(number % GIVEN.len()).copied().unwrap_or_default();
    let family = FAMILY.get(number / GIVEN.len() % FAMILY.len()).copied().unwrap_or_default();
    (given, family, format!("person{number}@example.org"))
}

fn event(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    today: Date,
    now: Timestamp,
) {
    let recurs = number % 20 == 9;
    let mut item = NewItem::new(ItemKind::CalendarItem);
    let p = &mut item.properties;
    let zone_id = if number.is_multiple_of(5) { dice.of(&ZONES) } else { BERLIN };
    let its = zone::of_windows(zone_id).unwrap_or(TimeZone::UTC);
    let mut date = today.saturating_add((dice.days(365) - 182).days());
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
fn make_exceptions(item: &mut super::item::Item) {
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

fn birthday(mailbox: &mut Mailbox, folder: FolderKey, today: Date, now: Timestamp) {
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

fn file(name: &str, kind: &str, octets: Vec<u8>, photo: bool, now: Timestamp) -> Attachment {
    Attachment {
        number: 0,
        name: name.to_owned(),
        content_type: Some(kind.to_owned()),
        content_id: None,
        content_location: None,
        inline: false,
        contact_photo: photo,
        modified: now,
        content: Content::File(octets),
    }
}

fn contact(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    today: Date,
    now: Timestamp,
) {
    let (given, family, address) = person(number);
    let mut item = NewItem::new(ItemKind::Contact);
    let p = &mut item.properties;
    let name = format!("{given} {family}");
    p.set_text(field::FILE_AS, format!("{family}, {given}"));
    p.set_text(field::DISPLAY_NAME, name.clone());
    p.set_text(field::SUBJECT, name.clone());
    p.set_text(field::GIVEN_NAME, given);
    p.set_text(field::SURNAME, family);
    let company = dice.of(&COMPANIES);
    if !company.is_empty() {
        p.set_text(field::COMPANY_NAME, company);
        p.set_text(field::DEPARTMENT, "Sales; North");
        p.set_text(field::JOB_TITLE, "Head of, well, things");
    }
    let entry = |key: &str, text: String| Element::of("Entry", text).with("Key", key);
    let mut mails = Element::new("EmailAddresses").push(entry("EmailAddress1", address));
    if number.is_multiple_of(2) {
        mails = mails.push(entry("EmailAddress2", format!("{number}.home@example.net")));
    }
    p.set(field::EMAIL_ADDRESSES, mails);
    let mut phones =
        Element::new("PhoneNumbers").push(entry("MobilePhone", format!("+49 170 {:07}", number * 7919)));
    if number.is_multiple_of(3) {
        phones = phones.push(entry("BusinessPhone", format!("+1 (555) 01{:02}", number % 100)));
        phones.children.reverse();
    }
    p.set(field::PHONE_NUMBERS, phones);
    if number.is_multiple_of(4) {
        let home = Element::new("Entry")
            .with("Key", "Home")
            .push(Element::of("Street", format!("Hauptstraße {number}\r\nHinterhaus")))
            .push(Element::of("City", "Berlin"))
            .push(Element::of("CountryOrRegion", "Germany"))
            .push(Element::of("PostalCode", format!("{:05}", 10_000 + number)));
        p.set(field::PHYSICAL_ADDRESSES, Element::new("PhysicalAddresses").push(home));
    }
    if number.is_multiple_of(5) {
        let born = Date::new(1960 + i16::try_from(number % 45).unwrap_or(0), 1, 15).unwrap_or(today);
        let day = born.saturating_add(dice.days(330).days());
        p.set_text(field::BIRTHDAY, format!("{day}T11:59:00Z"));
    }
    if number.is_multiple_of(6) {
        let note = "Met at the fair.\r\nLikes tea, not coffee; brings \"cake\".";
        p.set(field::BODY, Element::of("Body", note).with("BodyType", "Text"));
        p.set(
            field::CATEGORIES,
            Element::new("Categories").push(Element::of("String", dice.of(&CATEGORIES))),
        );
    }
    if number.is_multiple_of(10)
        && let Ok(octets) = STANDARD.decode(PHOTO)
    {
        item.attachments.push(file("ContactPicture.jpg", "image/jpeg", octets, true, now));
    }
    mailbox.add_item(folder, item, now);
}

fn list(mailbox: &mut Mailbox, folder: FolderKey, name: &str, members: usize, now: Timestamp) {
    let mut item = NewItem::new(ItemKind::DistributionList);
    item.properties.set_text(field::SUBJECT, name);
    item.properties.set_text(field::LIST_DISPLAY_NAME, name);
    item.properties.set_text(field::LIST_FILE_AS, name);
    let all = (0..members).map(|number| {
        let (given, family, address) = person(number);
        let mut mailbox = mailbox_element(&format!("{given} {family}"), &address);
        if let Some(kind) = mailbox.child_mut("MailboxType") {
            kind.text = "OneOff".to_owned();
        }
        Element::new("Member")
            .with("Key", STANDARD.encode(format!("one-off {number}")))
            .push(mailbox)
            .push(Element::of("Status", "Normal"))
    });
    item.properties.set(field::MEMBERS, Element::new("Members").push_all(all));
    mailbox.add_item(folder, item, now);
}

fn task(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    today: Date,
    now: Timestamp,
) {
    let mut item = NewItem::new(ItemKind::Task);
    let p = &mut item.properties;
    p.set_text(field::SUBJECT, format!("{} (to do {number})", dice.of(&TITLES)));
    let due = today.saturating_add((dice.days(60) - 20).days());
    let midnight = |date: Date| format!("{date}T00:00:00Z");
    if !number.is_multiple_of(7) {
        p.set_text(field::DUE_DATE, midnight(due));
        p.set_text(field::START_DATE, midnight(due.saturating_sub(3.days())));
    }
    match number % 5 {
        0 => {
            p.set_text(field::STATUS, "Completed");
            p.set_text(field::PERCENT_COMPLETE, "100");
            p.set_text(field::COMPLETE_DATE, midnight(due.saturating_sub(1.day())));
        }
        1 => {
            p.set_text(field::STATUS, "InProgress");
            p.set_text(field::PERCENT_COMPLETE, "40");
        }
        2 => p.set_text(field::STATUS, "WaitingOnOthers"),
        _ => p.set_text(field::STATUS, "NotStarted"),
    }
    if number % 6 == 4 {
        p.set_flag(field::REMINDER_IS_SET, true);
        p.set_text(field::REMINDER_DUE_BY, format!("{due}T08:00:00Z"));
    }
    if number % 10 == 3 {
        let pattern = Element::new("WeeklyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::of("DaysOfWeek", day_name(due.weekday())))
            .push(Element::of("FirstDayOfWeek", "Monday"));
        let range = Element::new("NoEndRecurrence").push(Element::of("StartDate", due.to_string()));
        p.set(field::TASK_RECURRENCE, Element::new("Recurrence").push(pattern).push(range));
    }
    mailbox.add_item(folder, item, now);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn world_of(seed: u64) -> World {
        let sizes = Settings {
            mailboxes: 2,
            events: Some(1500),
            contacts: Some(40),
            tasks: Some(30),
            seed,
            ..Settings::default()
        };
        world(&sizes, "2026-11-21T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn each_mailbox_holds_as_many_items_as_are_asked_for_whatever_the_seed() {
        for seed in 1..6 {
            for mailbox in world_of(seed).mailboxes {
                for (folder, count) in [("calendar", 1500), ("contacts", 40), ("tasks", 30)] {
                    let key = mailbox.distinguished(folder).unwrap();
                    assert_eq!(mailbox.items_in(key).count(), count, "{folder} of seed {seed}");
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_contents_and_no_uid_comes_twice() {
        let uids = |seed| -> Vec<String> {
            let all = world_of(seed).mailboxes;
            let mut uids: Vec<String> = Vec::new();
            for mailbox in &all {
                let key = mailbox.distinguished("calendar").unwrap();
                uids.extend(
                    mailbox.items_in(key).filter_map(|i| i.properties.text(field::UID).map(str::to_owned)),
                );
            }
            uids
        };
        let first = uids(7);
        assert_eq!(first, uids(7));
        let different: std::collections::BTreeSet<&String> = first.iter().collect();
        assert_eq!(different.len(), 3000);
    }
}
