//! vCard → contacts and distribution lists.

mod left_out;
pub(in crate::convert) mod line;
mod list;
mod photo;
pub(in crate::convert) mod places;

pub use list::people_named;
pub(in crate::convert) use photo::PHOTO_PLACE;

use super::super::card::Version;
use super::super::phonetic_name::is_spoken;
use super::super::{Context, contact as projected, group as lists, identity, kept};
use super::{Current, NotifyStep, Plan, fields};
use crate::model::field_group::FieldGroup;
use crate::model::item::{AddressPart, Change, EMAILS, Field, ItemClass, MESSENGERS, POSTAL, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::{Component, Line, split_list, split_structured};
use bytes::Bytes;
use line::{label, preference, text_of, value};
use places::Place;
use std::collections::{BTreeMap, BTreeSet};

/// Plans the PUT of a vCard.
pub fn plan(
    context: &Context,
    name: &str,
    octets: &Bytes,
    current: Option<Current>,
) -> Result<Plan, Refusal> {
    let card = Component::parse(octets).map_err(|e| Refusal::new(Reason::InvalidData, e.to_string()))?;
    let version = match card.value("VERSION").map(str::trim) {
        _ if card.name != "VCARD" => return Err(Refusal::new(Reason::InvalidData, "this is no vCard")),
        Some("3.0") => Version::V3,
        Some("4.0") => Version::V4,
        Some(_) => return Err(Refusal::new(Reason::UnsupportedData, "vCard 3.0 and 4.0 are stored")),
        None => return Err(Refusal::new(Reason::InvalidData, "the vCard has no VERSION")),
    };
    let is_group = is_group(&card);
    let class = if is_group { ItemClass::DistributionList } else { ItemClass::Contact };
    // Whoever becomes a group is another item.
    let current = current.filter(|current| current.item.class == class);
    let uid = card.line("UID").map(Line::unescaped).filter(|uid| !uid.trim().is_empty());
    // A card without a UID goes on being who it was.
    let uid = uid.or_else(|| current.map(|current| identity::card_uid(current.item)));
    let uid = uid.unwrap_or_else(|| name.trim_end_matches(".vcf").to_owned());
    let served = current.and_then(|current| {
        let rendered = match class {
            ItemClass::Contact => projected::render(context, current.item, current.related.photo.as_deref()),
            _ => lists::render(context, current.item, &current.related.uids),
        };
        let body = if version == Version::V3 { Some(rendered.body) } else { rendered.vcard4 };
        Component::parse(&body?).ok()
    });
    let sent = card;
    let mut card = sent.clone();
    if let Some(served) = served.as_ref().filter(|_| !is_group) {
        left_out::settle(&mut card, served);
    }
    let mut text = card.clone();
    // A list has no picture in Exchange: it stays in the text.
    let photo = if is_group { None } else { photo::take(&mut text)? };
    let known = current.and_then(|current| current.related.photo.clone());
    let is_same_photo = photo.as_ref().map(|photo| photo.content.as_slice()) == known.as_deref();
    let old_photo = current.and_then(|current| projected::photo(current.item));
    let text = if text == sent { octets.clone() } else { Bytes::from(text.write()) };
    if !kept::fits(&text) {
        return Err(Refusal::new(
            Reason::TooLarge,
            "the vCard is too long to be kept: shorten its properties",
        ));
    }
    let mut changes = own(name, &uid, current);
    let groups = if is_group { lists::GROUPS } else { projected::GROUPS };
    for (which, properties) in groups {
        let lines = |card: &Component| -> BTreeSet<String> {
            card.lines
                .iter()
                .filter(|line| {
                    properties.contains(&line.name.as_str())
                        || *which == FieldGroup::Phonetic && is_spoken(line)
                })
                .map(|l| told(card, l))
                .collect()
        };
        let scene = RenderContext { context, card: &card, served: served.as_ref(), current };
        let has_come = || is_group && *which == FieldGroup::Members && list::has_newcomers(&scene);
        if served.as_ref().is_none_or(|served| lines(served) != lines(&card)) || has_come() {
            changes.extend(if is_group { list::group(*which, &scene) } else { group(*which, &scene) });
        }
    }
    // What is not there, or was never shown, is not removed.
    changes.retain(|change| change.value.is_some() || current.is_some_and(|c| c.item.has(change.field)));
    Ok(Plan {
        class,
        uid,
        calls_off: false,
        reply: None,
        outcome: changes.clone(),
        changes,
        telling: NotifyStep::Never,
        replies: Vec::new(),
        detach: old_photo.filter(|_| !is_same_photo).into_iter().collect(),
        attach: photo.filter(|_| !is_same_photo).into_iter().collect(),
        delete: Vec::new(),
        moves: Vec::new(),
        edits: Vec::new(),
        guests: Vec::new(),
        places: BTreeMap::new(),
        gone: BTreeSet::new(),
        // Exchange completes what lists say of their members. What it adds to contacts, names to file under and second
        // spellings of addresses, is nothing that they are told by.
        is_certain: !is_group,
        is_one_call: false,
        text: Some(text),
    })
}

/// Whether a card is that of a group, in the words of the standard or of Apple.
pub fn is_group(card: &Component) -> bool {
    ["KIND", "X-ADDRESSBOOKSERVER-KIND"]
        .iter()
        .any(|name| card.value(name).is_some_and(|kind| kind.trim().eq_ignore_ascii_case("group")))
}

/// The addresses of a person's card as Exchange holds them, in the order of their slots.
pub fn emails_of(card: &Component) -> Vec<String> {
    let mut emails = places::emails(card, &[]);
    emails.sort_by_key(|(slot, _)| *slot);
    emails.into_iter().map(|(_, line)| value(line)).collect()
}

fn own(name: &str, uid: &str, current: Option<Current>) -> Vec<Change> {
    let wanted = [(Field::ClientUid, uid), (Field::ClientName, name)];
    let differs = |field: Field, value: &str| {
        current.is_none_or(|current| current.item.text(field).as_deref() != Some(value))
    };
    let wanted = wanted.into_iter().filter(|(field, value)| differs(*field, value));
    wanted.map(|(field, value)| Change::text(field, value)).collect()
}

/// A line with its label, for comparison.
fn told(card: &Component, line: &Line) -> String {
    let mut params: Vec<String> =
        line.params.iter().map(|p| format!("{}={}", p.name, p.values.join(",")).to_lowercase()).collect();
    params.sort_unstable();
    format!("{};{}:{}|{}", line.name, params.join(";"), line.value, label(card, line).unwrap_or_default())
}

fn set_or_remove(field: Field, text: Option<String>) -> Change {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Change::text(field, text.replace(['\r', '\n'], " ")),
        None => Change::remove(field),
    }
}

/// Components of a structured value, lists joined.
fn parts(line: Option<&Line>, separator: &str) -> Vec<String> {
    let parts = line.map(|line| split_structured(&line.value)).unwrap_or_default();
    parts.into_iter().map(|list| list.join(separator).trim().to_owned()).collect()
}

fn part(parts: &[String], at: usize) -> Option<String> {
    parts.get(at).cloned().filter(|text| !text.is_empty())
}

/// What a group of fields is made of.
struct RenderContext<'a> {
    context: &'a Context,
    card: &'a Component,
    /// What the client was served last.
    served: Option<&'a Component>,
    current: Option<Current<'a>>,
}

fn group(which: FieldGroup, scene: &RenderContext) -> Vec<Change> {
    let RenderContext { context, card, current, .. } = *scene;
    match which {
        FieldGroup::Names => names(scene),
        FieldGroup::Phonetic => {
            let spoken = parts(card.lines_named("N").find(|line| is_spoken(line)), " ");
            let phonetic =
                |field, name, at| Change::optional(field, text_of(card, name).or_else(|| part(&spoken, at)));
            vec![
                phonetic(Field::PhoneticGiven, "X-PHONETIC-FIRST-NAME", 1),
                phonetic(Field::PhoneticSurname, "X-PHONETIC-LAST-NAME", 0),
                Change::optional(Field::PhoneticCompany, text_of(card, "X-PHONETIC-ORG")),
            ]
        }
        FieldGroup::Custom => (1..=4)
            .map(|number| {
                let text = text_of(card, &format!("X-CUSTOM{number}"));
                Change::optional(
                    Field::Custom(number - 1),
                    text.or_else(|| text_of(card, &format!("CUSTOM{number}"))),
                )
            })
            .collect(),
        FieldGroup::Company => {
            let org = parts(card.line("ORG"), ", ");
            vec![
                set_or_remove(Field::Company, part(&org, 0)),
                set_or_remove(Field::Department, part(&org, 1)),
                set_or_remove(Field::JobTitle, text_of(card, "TITLE")),
                set_or_remove(Field::Profession, text_of(card, "ROLE")),
            ]
        }
        FieldGroup::Emails => {
            // What Exchange cannot tell by an address is left to it.
            let known = current.map(|current| projected::hidden_addresses(context, current.item));
            let reserved = known.unwrap_or_default();
            let free: Vec<&'static str> =
                EMAILS.into_iter().filter(|key| !reserved.iter().any(|other| other == key)).collect();
            slots(Field::Email, &free, &places::emails(card, &reserved))
        }
        FieldGroup::Phones => phones(card, current),
        FieldGroup::Addresses => addresses(card),
        FieldGroup::Pages => urls(card),
        FieldGroup::Gender => {
            let word = ["GENDER", "X-GENDER", "SEX"].iter().find_map(|name| text_of(card, name));
            let number = match word
                .as_deref()
                .map(|word| word.split(';').next().unwrap_or(word).to_uppercase())
                .as_deref()
            {
                Some("F" | "1" | "FEMALE") => Some("1"),
                Some("M" | "2" | "MALE") => Some("2"),
                _ => None,
            };
            vec![Change::optional(Field::Gender, number.map(str::to_owned))]
        }
        FieldGroup::Relations => relations(card),
        FieldGroup::Messengers => slots(Field::Messenger, &MESSENGERS, &places::messengers(card)),
        FieldGroup::Dates => dates(card, context.capabilities.first_year),
        FieldGroup::Hobbies => {
            let text = ["HOBBY", "X-MS-INTERESTS"].iter().find_map(|name| text_of(card, name));
            vec![Change::optional(Field::Hobbies, text)]
        }
        FieldGroup::FreeBusyUrl => vec![Change::optional(Field::FreeBusyUrl, text_of(card, "FBURL"))],
        FieldGroup::Body => {
            let notes: Vec<String> = card.lines_named("NOTE").map(Line::unescaped).collect();
            let text = notes.join("\n\n").replace("\r\n", "\n").replace('\n', "\r\n");
            vec![if text.trim().is_empty() {
                Change::remove(Field::Body)
            } else {
                Change::set(Field::Body, Value::text_body(text))
            }]
        }
        FieldGroup::Categories => vec![fields::categories(card)],
        FieldGroup::Class => vec![fields::sensitivity_change(card)],
        _ => Vec::new(),
    }
}

fn names(scene: &RenderContext) -> Vec<Change> {
    let RenderContext { card, served, current, .. } = *scene;
    let full = text_of(card, "FN");
    let written = card.lines_named("N").find(|line| !is_spoken(line));
    let mut name = parts(written, " ");
    let kind = text_of(card, "KIND").unwrap_or_default().to_lowercase();
    let company = text_of(card, "ORG").is_some()
        && (name.iter().all(String::is_empty) && card.line("N").is_some()
            || kind == "org"
            || text_of(card, "X-ABSHOWAS").is_some_and(|word| word.eq_ignore_ascii_case("COMPANY")));
    if card.line("N").is_none() && !company {
        let full = full.clone().unwrap_or_default();
        name = match full.rsplit_once(' ') {
            Some((given, family)) => vec![family.to_owned(), given.to_owned()],
            None => vec![full],
        };
    }
    let nicknames =
        card.lines_named("NICKNAME").flat_map(|line| split_list(&line.value)).collect::<Vec<_>>().join(", ");
    let mut changes = vec![
        set_or_remove(Field::DisplayName, full.clone()),
        set_or_remove(Field::Surname, part(&name, 0)),
        set_or_remove(Field::GivenName, part(&name, 1)),
        set_or_remove(Field::MiddleName, part(&name, 2)),
        set_or_remove(Field::Generation, part(&name, 4)),
        set_or_remove(Field::Nickname, Some(nicknames)),
        Change::optional(Field::Title, part(&name, 3)),
    ];
    let filed_by_hand =
        current.is_some_and(|c| c.item.filled(Field::FileAsMapping).as_deref() == Some("None"));
    let is_renamed = served.is_none_or(|served| {
        served.value("N") != card.value("N")
            || (card.line("N").is_none() && served.value("FN") != card.value("FN"))
    });
    if !filed_by_hand && is_renamed {
        let both = part(&name, 0).is_some() && part(&name, 1).is_some();
        changes.push(match (company, both) {
            (true, _) => Change::text(Field::FileAsMapping, "Company"),
            (false, true) => Change::text(Field::FileAsMapping, "LastCommaFirst"),
            (false, false) => set_or_remove(Field::FileAs, full.clone()),
        });
    }
    if current.is_none() {
        changes.push(set_or_remove(Field::Subject, full.map(|full| full.chars().take(255).collect())));
    }
    changes
}

fn slots(field: fn(&'static str) -> Field, keys: &[&'static str], places: &[Place]) -> Vec<Change> {
    let text = |key| places.iter().find(|(place, _)| *place == key).map(|(_, line)| value(line));
    keys.iter().map(|key| Change::optional(field(key), text(*key))).collect()
}

fn phones(card: &Component, current: Option<Current>) -> Vec<Change> {
    let taken = places::phones(card);
    let known = current.map(|current| current.item.phones()).unwrap_or_default();
    let gone = projected::PHONES
        .iter()
        .map(|(key, ..)| *key)
        .filter(|key| known.iter().any(|(old, _)| old == key) && !taken.iter().any(|(new, _)| new == key));
    let mut changes: Vec<Change> = gone.map(|key| Change::remove(Field::Phone(key))).collect();
    changes.extend(taken.into_iter().map(|(key, line)| Change::text(Field::Phone(key), value(line))));
    changes
}

fn addresses(card: &Component) -> Vec<Change> {
    let slots = places::addresses(card);
    let mut changes = Vec::new();
    let mut preferred = None;
    for key in POSTAL {
        let line = slots.iter().find(|(place, _)| *place == key).map(|(_, line)| *line);
        let lists = line.map(|line| split_structured(&line.value)).unwrap_or_default();
        let part = |at: usize, separator: &str| {
            lists.get(at).map(|list| list.join(separator).trim().to_owned()).filter(|text| !text.is_empty())
        };
        let mut street = part(2, "\n");
        changes.push(Change::optional(Field::PostOfficeBox(key), part(0, ", ")));
        if key == "Business" {
            changes.push(set_or_remove(Field::Office, part(1, ", ")));
        } else if let Some(extended) = part(1, ", ") {
            street = Some(street.map_or(extended.clone(), |street| format!("{extended}\n{street}")));
        }
        let street = street.map(|street| street.replace("\r\n", "\n").replace('\n', "\r\n"));
        let parts = [
            (AddressPart::Street, street),
            (AddressPart::City, part(3, ", ")),
            (AddressPart::State, part(4, ", ")),
            (AddressPart::Country, part(6, ", ")),
            (AddressPart::PostalCode, part(5, ", ")),
        ];
        changes.extend(parts.map(|(part, text)| Change::optional(Field::Address(key, part), text)));
        if line.is_some_and(|line| preference(line) <= 100) && preferred.is_none() {
            preferred = Some(key);
        }
    }
    changes.extend(preferred.map(|key| Change::text(Field::MailingAddress, key)));
    changes
}

fn urls(card: &Component) -> Vec<Change> {
    let places = places::urls(card);
    let url = |key| places.iter().find(|(place, _)| *place == key).map(|(_, line)| value(line));
    vec![set_or_remove(Field::WorkPage, url("work")), Change::optional(Field::HomePage, url("home"))]
}

fn relations(card: &Component) -> Vec<Change> {
    let places = places::relations(card);
    let all =
        |key: &str| places.iter().filter(|(place, _)| *place == key).map(|(_, line)| value(line)).collect();
    let first = |key: &str| -> Option<String> {
        let names: Vec<String> = all(key);
        names.into_iter().next()
    };
    let children: Vec<String> = all("Children");
    vec![
        set_or_remove(Field::Spouse, first("SpouseName")),
        set_or_remove(Field::Manager, first("Manager")),
        set_or_remove(Field::Assistant, first("AssistantName")),
        if children.is_empty() {
            Change::remove(Field::Children)
        } else {
            Change::set(Field::Children, Value::Strings(children))
        },
    ]
}

fn dates(card: &Component, first_year: i16) -> Vec<Change> {
    let mut days = places::days(card);
    days.retain(|(.., day)| day.year() >= first_year);
    let told = [
        ("Birthday", Field::Birthday, Field::BirthdayDay),
        ("WeddingAnniversary", Field::Anniversary, Field::AnniversaryDay),
    ];
    let mut changes = Vec::new();
    for (place, instant, bare) in told {
        let day = days.iter().find(|(known, ..)| *known == place).map(|(.., day)| *day);
        // Nearly noon: no zone shifts the day.
        let noon = day.map(|day| Zone::Utc.to_instant(day.at(11, 59, 0, 0)));
        changes.push(Change { field: instant, value: noon.map(Value::Time) });
        changes.push(Change { field: bare, value: day.map(Value::Day) });
    }
    changes
}
