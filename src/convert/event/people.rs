//! Who: organiser and attendees, and their answers.

use super::super::{Context, identity};
use crate::model::item::{Attendee, Field, Item, Mailbox};
use crate::text::{Line, Parameter, address};

/// A participant as a line needs it.
struct Person {
    uri: String,
    name: String,
    /// `GROUP`, `ROOM`
    kind: Option<&'static str>,
    role: &'static str,
    response: String,
}

/// Lists of people and their roles.
const LISTS: [(Field, &str); 3] = [
    (Field::Required, "REQ-PARTICIPANT"),
    (Field::Optional, "OPT-PARTICIPANT"),
    (Field::Resources, "NON-PARTICIPANT"),
];

/// The calendar user address of a mailbox. X.500 names of people that the directory does not know are hashed,
/// so that the person is seen, but nobody writes to it.
fn uri(context: &Context, mailbox: &Mailbox) -> String {
    let address = mailbox.address.trim();
    let is_smtp = address.contains('@') && !address.starts_with('/');
    let known = context.directory.get(address).map(String::as_str);
    match known.or(is_smtp.then_some(address)) {
        Some(smtp) => address::uri(smtp.strip_prefix("mailto:").unwrap_or(smtp)),
        None => {
            format!("urn:ews-dav:x500:{}", identity::hash(format!("{address}\u{1f}{}", mailbox.name), 32))
        }
    }
}

fn is_owner(context: &Context, uri: &str) -> bool {
    address::smtp(uri).is_some_and(|address| context.is_owner(&address))
}

/// The organiser's address, if the item has one.
fn organizer(context: &Context, item: &Item) -> Option<(String, String)> {
    let owner = || {
        let owns = item.filled(Field::OwnResponse).as_deref() == Some("Organizer");
        context.addresses.first().filter(|_| owns).map(|own| (address::uri(own), String::new()))
    };
    item.organizer().map(|mailbox| (uri(context, &mailbox), mailbox.name)).or_else(owner)
}

/// Everybody but the organiser.
fn invited(context: &Context, item: &Item) -> Vec<Person> {
    let mut people = listed(context, item);
    people.extend(uninvited(context, item, &people));
    people
}

/// Those of them whom Exchange lists.
fn listed(context: &Context, item: &Item) -> Vec<Person> {
    let organizer = organizer(context, item).map(|(uri, _)| uri);
    let person = |role: &'static str, attendee: Attendee| {
        let uri = uri(context, &attendee.mailbox);
        let kind = match (role, attendee.mailbox.kind.as_str()) {
            ("NON-PARTICIPANT", _) => Some("ROOM"),
            (_, "PublicDL" | "PrivateDL" | "GroupMailbox") => Some("GROUP"),
            _ => None,
        };
        // Attendees do not learn of each other's answers; one's own is a property of the item.
        let own = item.filled(Field::OwnResponse).filter(|own| own != "Organizer" && is_owner(context, &uri));
        Person { uri, name: attendee.mailbox.name, kind, role, response: own.unwrap_or(attendee.response) }
    };
    let people = LISTS.iter().flat_map(|(list, role)| item.attendees(*list).into_iter().map(|a| (*role, a)));
    let mut found: Vec<Person> = Vec::new();
    for (role, attendee) in people {
        let is_organizer = attendee.response == "Organizer";
        let person = person(role, attendee);
        let same = |other: &str| address::same_user(other, &person.uri);
        if !is_organizer && !organizer.as_deref().is_some_and(same) && !found.iter().any(|p| same(&p.uri)) {
            found.push(person);
        }
    }
    found
}

/// The owner, where none of the addresses on an invitation is known as theirs: they were invited by a list, or by an alias that
/// the directory does not tell. Without a line of their own they could not answer. RFC 6638 3.2.2.1
fn uninvited(context: &Context, item: &Item, people: &[Person]) -> Option<Person> {
    let response = item.filled(Field::OwnResponse)?;
    let is_asked = matches!(response.as_str(), "NoResponseReceived" | "Accept" | "Tentative" | "Decline");
    let is_there = || people.iter().any(|person| is_owner(context, &person.uri));
    let is_host = || organizer(context, item).is_none_or(|(uri, _)| is_owner(context, &uri));
    if !is_asked || people.is_empty() || is_there() || is_host() {
        return None;
    }
    let own = context.addresses.first()?;
    Some(Person {
        uri: address::uri(own),
        name: String::new(),
        kind: None,
        role: "REQ-PARTICIPANT",
        response,
    })
}

/// Whether the owner has a line that Exchange has no attendee for.
pub fn has_added(context: &Context, item: &Item) -> bool {
    uninvited(context, item, &listed(context, item)).is_some()
}

/// Whether anybody but the organiser takes part. Outlook makes an owner the only attendee of plain appointments.
pub fn is_meeting(context: &Context, item: &Item) -> bool {
    organizer(context, item).is_some() && !invited(context, item).is_empty()
}

/// Whether somebody else invited the owner.
pub fn is_invitation(context: &Context, item: &Item) -> bool {
    // Exchange knows it where exdav does not know the owner's addresses.
    is_meeting(context, item)
        && item.filled(Field::OwnResponse).as_deref() != Some("Organizer")
        && organizer(context, item).is_some_and(|(uri, _)| !is_owner(context, &uri))
}

/// PARTSTAT of an answer. MS-OXWSMTGS 2.2.5.12
fn participation(response: &str) -> &'static str {
    match response {
        "Organizer" | "Accept" => "ACCEPTED",
        "Tentative" => "TENTATIVE",
        "Decline" => "DECLINED",
        _ => "NEEDS-ACTION",
    }
}

/// ORGANIZER and ATTENDEE lines; none when there is no meeting. RFC 5545 3.8.4.3
pub fn lines(context: &Context, item: &Item) -> Vec<Line> {
    let Some((organizer, name)) = organizer(context, item) else { return Vec::new() };
    let invited = invited(context, item);
    if invited.is_empty() {
        return Vec::new();
    }
    let named = |property: &str, uri: &str, name: &str| {
        let line = Line::raw(property, uri);
        let says_nothing = name.trim().is_empty() || uri.strip_prefix("mailto:") == Some(name);
        if says_nothing { line } else { line.with("CN", name.trim()) }
    };
    let mut lines = vec![
        named("ORGANIZER", &organizer, &name),
        named("ATTENDEE", &organizer, &name).with("ROLE", "CHAIR").with("PARTSTAT", "ACCEPTED"),
    ];
    let asked = item.flag(Field::AsksForAnswers);
    for person in invited {
        let mut line = named("ATTENDEE", &person.uri, &person.name);
        if let Some(kind) = person.kind {
            line = line.with("CUTYPE", kind);
        }
        line = line.with("ROLE", person.role).with("PARTSTAT", participation(&person.response));
        lines.push(if asked { line.with("RSVP", "TRUE") } else { line });
    }
    lines
}

/// Whom a client's line means: an address of the owner's stands for all of them.
fn meant<'a>(context: &Context, people: &'a [Person], user: &str) -> Option<&'a Person> {
    let exactly = people.iter().find(|person| address::same_user(&person.uri, user));
    let own =
        || people.iter().find(|person| is_owner(context, &person.uri)).filter(|_| is_owner(context, user));
    exactly.or_else(own)
}

/// Lets a client's own lines ask for answers, or not, as Exchange has it now.
pub fn overlay_request(context: &Context, item: &Item, lines: &mut [Line]) {
    let asked = item.flag(Field::AsksForAnswers);
    let host = organizer(context, item).map(|(uri, _)| uri);
    let is_guest = |line: &Line| {
        let is_host = host.as_deref().is_some_and(|host| address::same_user(host, &line.value));
        line.name == "ATTENDEE" && !is_host
    };
    let asks = |line: &Line| line.param("RSVP").is_some_and(|word| word.eq_ignore_ascii_case("TRUE"));
    if lines.iter().any(|line| is_guest(line) && asks(line)) == asked {
        return;
    }
    for line in lines.iter_mut().filter(|line| is_guest(line)) {
        line.params.retain(|parameter| parameter.name != "RSVP");
        let rsvp = Parameter { name: "RSVP".to_owned(), values: vec!["TRUE".to_owned()] };
        line.params.extend(asked.then_some(rsvp));
    }
}

/// Sets the answers that Exchange knows in a client's own lines; whether any of them differed.
pub fn overlay(context: &Context, item: &Item, lines: &mut [Line]) -> bool {
    let invitation = is_invitation(context, item);
    let people = invited(context, item);
    let mut any = false;
    for line in lines.iter_mut().filter(|line| line.name == "ATTENDEE") {
        let Some(person) = meant(context, &people, &line.value) else { continue };
        let unknown = matches!(person.response.as_str(), "" | "Unknown" | "NoResponseReceived");
        if unknown && invitation && !is_owner(context, &person.uri) {
            continue;
        }
        let said = line.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase();
        let known = participation(&person.response);
        // What Exchange has no word for stays while nobody has answered otherwise.
        let finer = unknown && matches!(said.as_str(), "DELEGATED" | "IN-PROCESS" | "COMPLETED");
        if said != known && !finer {
            line.params.retain(|parameter| parameter.name != "PARTSTAT");
            line.params.push(Parameter { name: "PARTSTAT".to_owned(), values: vec![known.to_owned()] });
            any = true;
        }
    }
    any
}
