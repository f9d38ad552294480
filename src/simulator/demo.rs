//! What is in the mailboxes: a lively year around today, or as many items as are asked for. The same seed on the same
//! day gives the same contents.

mod calendar;
mod contacts;
mod tasks;
mod words;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::clock::Clock;
use super::directory::Person;
use super::item::{Attachment, Content, FolderKey};
use super::mailbox::{Access, FolderKind, Mailbox};
use super::server::Settings;
use super::world::World;
use calendar::{birthday, event};
use contacts::{contact, list};
use tasks::task;
use words::{Dice, person};

/// Events when nothing else is asked for.
const EVENTS: usize = 260;
const CONTACTS: usize = 150;
const TASKS: usize = 30;
/// People in the directory who have no mailbox here.
const COLLEAGUES: usize = 420;

/// All mailboxes.
pub fn world(settings: &Settings, clock: Clock) -> World {
    let now = clock.now();
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
        mailbox.product = settings.product;
        mailbox.clock = clock;
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
        event(mailbox, calendar, number, dice, (today, settings.days), now);
    }
    for number in 0..settings.contacts.unwrap_or(CONTACTS) {
        contact(mailbox, contacts, number, dice, today, now);
    }
    for number in 0..settings.tasks.unwrap_or(TASKS) {
        task(mailbox, tasks, number, dice, today, now);
    }
    for number in 0..6 {
        event(mailbox, project, number * 7, dice, (today, settings.days), now);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::field;
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
        world(&sizes, Clock::new(Some("2026-11-21T08:00:00Z".parse().unwrap())))
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
