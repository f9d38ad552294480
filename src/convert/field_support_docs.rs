//! What becomes of each property, told from the tables that decide it: the tables of docs/FIDELITY.md.

use super::event::group;
use std::fmt::Write as _;

/// What each group of an event's properties becomes in Exchange.
const EVENT: [(char, &str); 13] = [
    ('T', "Start, End, IsAllDayEvent, StartTimeZone, EndTimeZone"),
    ('R', "Recurrence, with deleted and modified occurrences"),
    ('S', "Subject"),
    ('L', "Location, EnhancedLocation"),
    ('B', "Body, as text or HTML"),
    ('P', "RequiredAttendees, OptionalAttendees, Resources; Exchange itself is the organiser"),
    ('C', "Sensitivity"),
    ('I', "Importance"),
    ('K', "Categories"),
    ('F', "LegacyFreeBusyStatus"),
    ('J', "read only: Exchange makes online meetings; what a client writes is kept on the item"),
    ('H', "Attachments, where it has octets; links are kept on the item"),
    ('A', "ReminderIsSet, ReminderMinutesBeforeStart: the first that fits; the others are kept on the item"),
];

/// The same for tasks.
const TASK: [(char, &str); 10] = [
    ('S', "Subject"),
    ('B', "Body, as text or HTML"),
    ('T', "StartDate, DueDate: days, of the first turn that is not excluded; times are kept on the item"),
    ('R', "Recurrence"),
    ('V', "Status, PercentComplete, CompleteDate"),
    ('I', "Importance"),
    ('C', "Sensitivity"),
    ('K', "Categories"),
    ('H', "Attachments, where it has octets; links are kept on the item"),
    ('A', "ReminderIsSet, ReminderDueBy: the first that fits; the others are kept on the item"),
];

/// The same for contacts.
const CONTACT: [(char, &str); 18] = [
    ('N', "DisplayName, CompleteName, Nickname, FileAs"),
    ('Y', "YomiFirstName, YomiLastName, YomiCompanyName"),
    ('X', "custom fields 1 to 4"),
    ('O', "CompanyName, Department, JobTitle, Profession"),
    ('E', "EmailAddresses, three; more are kept on the item"),
    ('T', "PhoneNumbers, one for each kind; more are kept on the item"),
    ('A', "PhysicalAddresses, three; more are kept on the item"),
    ('U', "BusinessHomePage, PersonalHomePage; more are kept on the item"),
    ('G', "PidTagGender"),
    ('R', "SpouseName, Manager, AssistantName, Children; others are kept on the item"),
    ('I', "ImAddresses, three; more are kept on the item"),
    ('D', "Birthday, WeddingAnniversary; other dates are kept on the item"),
    ('H', "PidTagHobbies"),
    ('F', "PidLidFreeBusyLocation"),
    ('B', "Body, as text"),
    ('K', "Categories"),
    ('C', "Sensitivity"),
    ('P', "the contact's picture, where it has octets; links are kept on the item"),
];

/// The same for groups.
const LIST: [(char, &str); 5] = [
    ('N', "DisplayName"),
    ('M', "Members with an address; others are kept on the item"),
    ('B', "Body, as text"),
    ('K', "Categories"),
    ('C', "Sensitivity"),
];

/// Tables in Markdown, one for each kind: property, and what it becomes.
pub fn tables() -> String {
    let events = group::ALL.iter().map(|group| (group.letter, group.names()));
    let plain = |groups: &[(char, &[&'static str])]| -> Vec<(char, Vec<&'static str>)> {
        groups.iter().map(|(letter, names)| (*letter, names.to_vec())).collect()
    };
    let mut tasks = plain(super::task::GROUPS);
    tasks.iter_mut().filter(|(_, names)| names.is_empty()).for_each(|(_, names)| names.push("VALARM"));
    let mut text = String::new();
    table(&mut text, "events", &events.collect::<Vec<_>>(), &EVENT);
    table(&mut text, "tasks", &tasks, &TASK);
    table(&mut text, "contacts", &plain(super::contact::GROUPS), &CONTACT);
    table(&mut text, "groups", &plain(super::group::GROUPS), &LIST);
    text
}

fn table(text: &mut String, kind: &str, groups: &[(char, Vec<&str>)], fields: &[(char, &str)]) {
    let _ = writeln!(text, "| {kind}: property | Exchange's field |\n| --- | --- |");
    for (letter, names) in groups {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let field = fields.iter().find(|(known, _)| known == letter).map_or("kept on the item", |(_, f)| f);
        let _ = writeln!(text, "| {} | {field} |", names.join(", "));
    }
    let _ = writeln!(text, "| every other property, parameter and component | kept on the item |\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn each_group_that_is_written_says_what_it_becomes() {
        let has = |fields: &[(char, &str)], letter: char| fields.iter().any(|(known, _)| *known == letter);
        assert!(group::ALL.iter().all(|group| has(&EVENT, group.letter)));
        assert!(super::super::task::GROUPS.iter().all(|(letter, _)| has(&TASK, *letter)));
        assert!(super::super::contact::GROUPS.iter().all(|(letter, _)| has(&CONTACT, *letter)));
        assert!(super::super::group::GROUPS.iter().all(|(letter, _)| has(&LIST, *letter)));
    }
}
