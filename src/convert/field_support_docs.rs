//! What becomes of each property, told from the tables that decide it: the tables of docs/FIDELITY.md.

use super::event::group;
use crate::model::field_group::FieldGroup;
use std::fmt::Write as _;

/// What each group of an event's properties becomes in Exchange.
const EVENT: [(FieldGroup, &str); 13] = [
    (FieldGroup::Times, "Start, End, IsAllDayEvent, StartTimeZone, EndTimeZone"),
    (FieldGroup::Rule, "Recurrence, with deleted and modified occurrences"),
    (FieldGroup::Subject, "Subject"),
    (FieldGroup::Place, "Location, EnhancedLocation"),
    (FieldGroup::Body, "Body, as text or HTML"),
    (FieldGroup::People, "RequiredAttendees, OptionalAttendees, Resources; Exchange itself is the organiser"),
    (FieldGroup::Class, "Sensitivity"),
    (FieldGroup::Importance, "Importance"),
    (FieldGroup::Categories, "Categories"),
    (FieldGroup::Busy, "LegacyFreeBusyStatus"),
    (
        FieldGroup::Meeting,
        "read only: Exchange makes online meetings; what a client writes is kept on the item",
    ),
    (FieldGroup::Files, "Attachments, where it has octets; links are kept on the item"),
    (
        FieldGroup::Alarms,
        "ReminderIsSet, ReminderMinutesBeforeStart: the first that fits; the others are kept on the item",
    ),
];

/// The same for tasks.
const TASK: [(FieldGroup, &str); 10] = [
    (FieldGroup::Subject, "Subject"),
    (FieldGroup::Body, "Body, as text or HTML"),
    (
        FieldGroup::Times,
        "StartDate, DueDate: days, of the first turn that is not excluded; times are kept on the item",
    ),
    (FieldGroup::Rule, "Recurrence"),
    (FieldGroup::State, "Status, PercentComplete, CompleteDate"),
    (FieldGroup::Importance, "Importance"),
    (FieldGroup::Class, "Sensitivity"),
    (FieldGroup::Categories, "Categories"),
    (FieldGroup::Files, "Attachments, where it has octets; links are kept on the item"),
    (
        FieldGroup::Alarms,
        "ReminderIsSet, ReminderDueBy: the first that fits; the others are kept on the item",
    ),
];

/// The same for contacts.
const CONTACT: [(FieldGroup, &str); 18] = [
    (FieldGroup::Names, "DisplayName, CompleteName, Nickname, FileAs"),
    (FieldGroup::Phonetic, "YomiFirstName, YomiLastName, YomiCompanyName"),
    (FieldGroup::Custom, "custom fields 1 to 4"),
    (FieldGroup::Company, "CompanyName, Department, JobTitle, Profession"),
    (FieldGroup::Emails, "EmailAddresses, three; more are kept on the item"),
    (FieldGroup::Phones, "PhoneNumbers, one for each kind; more are kept on the item"),
    (FieldGroup::Addresses, "PhysicalAddresses, three; more are kept on the item"),
    (FieldGroup::Pages, "BusinessHomePage, PersonalHomePage; more are kept on the item"),
    (FieldGroup::Gender, "PidTagGender"),
    (FieldGroup::Relations, "SpouseName, Manager, AssistantName, Children; others are kept on the item"),
    (FieldGroup::Messengers, "ImAddresses, three; more are kept on the item"),
    (FieldGroup::Dates, "Birthday, WeddingAnniversary; other dates are kept on the item"),
    (FieldGroup::Hobbies, "PidTagHobbies"),
    (FieldGroup::FreeBusyUrl, "PidLidFreeBusyLocation"),
    (FieldGroup::Body, "Body, as text"),
    (FieldGroup::Categories, "Categories"),
    (FieldGroup::Class, "Sensitivity"),
    (FieldGroup::Picture, "the contact's picture, where it has octets; links are kept on the item"),
];

/// The same for groups.
const LIST: [(FieldGroup, &str); 5] = [
    (FieldGroup::Names, "DisplayName"),
    (FieldGroup::Members, "Members with an address; others are kept on the item"),
    (FieldGroup::Body, "Body, as text"),
    (FieldGroup::Categories, "Categories"),
    (FieldGroup::Class, "Sensitivity"),
];

/// Tables in Markdown, one for each kind: property, and what it becomes.
pub fn tables() -> String {
    let events = group::ALL.iter().map(|group| (group.which, group.names()));
    let plain = |groups: &[(FieldGroup, &[&'static str])]| -> Vec<(FieldGroup, Vec<&'static str>)> {
        groups.iter().map(|(which, names)| (*which, names.to_vec())).collect()
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

fn table(text: &mut String, kind: &str, groups: &[(FieldGroup, Vec<&str>)], fields: &[(FieldGroup, &str)]) {
    let _ = writeln!(text, "| {kind}: property | Exchange's field |\n| --- | --- |");
    for (which, names) in groups {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let field = fields.iter().find(|(known, _)| known == which).map_or("kept on the item", |(_, f)| f);
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
        let has = |fields: &[(FieldGroup, &str)], which: FieldGroup| {
            fields.iter().any(|(known, _)| *known == which)
        };
        assert!(group::ALL.iter().all(|group| has(&EVENT, group.which)));
        assert!(super::super::task::GROUPS.iter().all(|(which, _)| has(&TASK, *which)));
        assert!(super::super::contact::GROUPS.iter().all(|(which, _)| has(&CONTACT, *which)));
        assert!(super::super::group::GROUPS.iter().all(|(which, _)| has(&LIST, *which)));
    }
}
