//! Contacts → vCard 3.0 and 4.0.

use super::card::{self, Card, Groups, UNIT, Version};
use super::event::group::{categories, categories_text, class_text, sensitivity};
use super::kept::fingerprint;
use super::write::places;
use super::{Context, Rendered, body};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Address, Field, Item, POSTAL};
use crate::model::zone::Zone;
use crate::text::{Component, Line, escape};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use jiff::civil::{Date, Time};
use std::collections::{BTreeMap, HashMap};

/// Lines that Exchange changes together:
pub(super) const GROUPS: Groups = &[
    (FieldGroup::Names, &["FN", "N", "NICKNAME"]),
    (FieldGroup::Phonetic, &["X-PHONETIC-FIRST-NAME", "X-PHONETIC-LAST-NAME", "X-PHONETIC-ORG"]),
    (FieldGroup::Custom, &CUSTOM_NAMES),
    (FieldGroup::Company, &["ORG", "TITLE", "ROLE"]),
    (FieldGroup::Emails, &["EMAIL"]),
    (FieldGroup::Phones, &["TEL", "X-MS-TEL"]),
    (FieldGroup::Addresses, &["ADR"]),
    (FieldGroup::Pages, &["URL"]),
    (FieldGroup::Gender, &["GENDER", "X-GENDER", "SEX"]),
    (
        FieldGroup::Relations,
        &[
            "RELATED",
            "X-ABRELATEDNAMES",
            "X-SPOUSE",
            "X-MANAGER",
            "X-MANAGERSNAME",
            "X-ASSISTANT",
            "X-ASSISTANTNAME",
            "X-EVOLUTION-SPOUSE",
            "X-EVOLUTION-MANAGER",
            "X-EVOLUTION-ASSISTANT",
            "X-EVOLUTION-CHILD",
        ],
    ),
    (FieldGroup::Messengers, &["IMPP", "X-AIM", "X-JABBER", "X-SKYPE", "X-ICQ", "X-MSN"]),
    (FieldGroup::Dates, &["BDAY", "ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-ABDATE"]),
    (FieldGroup::Hobbies, &["HOBBY", "X-MS-INTERESTS"]),
    (FieldGroup::FreeBusyUrl, &["FBURL"]),
    (FieldGroup::Body, &["NOTE"]),
    (FieldGroup::Categories, &["CATEGORIES"]),
    (FieldGroup::Class, &["CLASS"]),
    (FieldGroup::Picture, &["PHOTO"]),
];

/// Custom fields as clients name them, then as DavMail does.
pub(super) const CUSTOM_NAMES: [&str; 8] =
    ["X-CUSTOM1", "X-CUSTOM2", "X-CUSTOM3", "X-CUSTOM4", "CUSTOM1", "CUSTOM2", "CUSTOM3", "CUSTOM4"];

/// For each line its place in Exchange.
fn held(which: FieldGroup, card: &Component) -> Vec<Option<&'static str>> {
    match places::held(which, card) {
        Some(held) => {
            let held: HashMap<*const Line, &'static str> =
                held.into_iter().map(|(place, line)| (std::ptr::from_ref(line), place)).collect();
            card.lines.iter().map(|line| held.get(&std::ptr::from_ref(line)).copied()).collect()
        }
        None => vec![Some(""); card.lines.len()],
    }
}

/// Key, types in 3.0, types in 4.0, Apple's label.
pub(super) type Phone =
    (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

/// The types of TEL for each kind of phone.
pub(super) const PHONES: [Phone; 21] = [
    ("BusinessPhone", &["WORK", "VOICE"], &["work", "voice"], None),
    ("BusinessPhone2", &["WORK", "VOICE"], &["work", "voice"], None),
    ("BusinessFax", &["WORK", "FAX"], &["work", "fax"], None),
    ("BusinessMobile", &["WORK", "CELL"], &["work", "cell"], None),
    ("HomePhone", &["HOME", "VOICE"], &["home", "voice"], None),
    ("HomePhone2", &["HOME", "VOICE"], &["home", "voice"], None),
    ("HomeFax", &["HOME", "FAX"], &["home", "fax"], None),
    ("OtherFax", &["FAX"], &["fax"], None),
    ("OtherTelephone", &["VOICE"], &["voice"], None),
    ("MobilePhone", &["CELL"], &["cell"], None),
    ("Pager", &["PAGER"], &["pager"], None),
    ("CarPhone", &["CAR"], &["x-car"], None),
    ("Isdn", &["ISDN"], &["x-isdn"], None),
    ("IPPhone", &["X-IP"], &["x-ip"], None),
    ("TtyTddPhone", &["VOICE"], &["textphone"], Some("TTY")),
    ("AssistantPhone", &["VOICE"], &["voice"], Some("Assistant")),
    ("Callback", &["VOICE"], &["voice"], Some("Callback")),
    ("CompanyMainPhone", &["VOICE"], &["voice"], Some("Company")),
    ("RadioPhone", &["VOICE"], &["voice"], Some("Radio")),
    ("Telex", &["VOICE"], &["voice"], Some("Telex")),
    ("PrimaryPhone", &["VOICE"], &["voice"], Some("Primary")),
];

/// Dates without a year are filed under this one: a leap year before all birthdays.
const NO_YEAR: i16 = 1604;

pub(super) fn render(context: &Context, item: &Item, photo: Option<&[u8]>) -> Rendered {
    card::render(context, item, photo, (GROUPS, &held), &sums(item), is_revised(item), |version, uid| {
        project(context, item, photo, version, uid)
    })
}

/// The attachment that is the photo.
pub(super) fn photo(item: &Item) -> Option<String> {
    let attachments = item.attachments();
    let named = |name: &str| name.to_ascii_lowercase().starts_with("contactpicture.");
    let found = attachments
        .iter()
        .find(|a| a.is_contact_photo)
        .or_else(|| attachments.iter().find(|a| named(&a.name)));
    found.map(|attachment| attachment.id.clone())
}

/// X.500 names among the e-mail addresses that the item itself does not translate.
pub(super) fn x500_addresses(item: &Item) -> Vec<String> {
    let entries = item.emails().into_iter();
    entries
        .filter(|(key, address)| is_x500(address) && original(item, key).is_none())
        .map(|(_, a)| a)
        .collect()
}

/// Slots whose address no client is told: nobody knows an SMTP address for them.
pub(super) fn hidden_addresses(context: &Context, item: &Item) -> Vec<String> {
    let shown: Vec<&str> = emails(context, item).into_iter().map(|(key, _)| key).collect();
    let known = item.emails().into_iter().map(|(key, _)| key);
    known.filter(|key| !shown.contains(key)).map(str::to_owned).collect()
}

fn is_x500(address: &str) -> bool {
    address.starts_with('/')
}

/// The SMTP address behind an X.500 one, as it was when the contact was made.
fn original(item: &Item, slot: &'static str) -> Option<String> {
    let address = item.text(Field::OriginalEmail(slot))?;
    Some(address.trim().to_owned()).filter(|address| address.contains('@'))
}

fn emails(context: &Context, item: &Item) -> Vec<(&'static str, String)> {
    let mut emails = Vec::new();
    for (key, address) in item.emails() {
        let address = if is_x500(&address) {
            original(item, key).or_else(|| context.directory.get(&address).cloned())
        } else {
            Some(address)
        };
        emails.extend(address.map(|address| (key, address)));
    }
    emails
}

struct Name {
    family: String,
    given: String,
    additional: String,
    prefix: String,
    suffix: String,
}

impl Name {
    fn of(item: &Item) -> Self {
        let text = |field| item.filled(field).unwrap_or_default();
        let title = item.text(Field::Title).or_else(|| item.filled(Field::CompleteTitle));
        Self {
            family: text(Field::Surname),
            given: text(Field::GivenName),
            additional: text(Field::MiddleName),
            prefix: title.unwrap_or_default().trim().to_owned(),
            suffix: text(Field::Generation),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.family, &self.given, &self.additional].iter().all(|part| part.is_empty())
    }

    fn full(&self) -> Option<String> {
        let parts = [&self.given, &self.additional, &self.family];
        let parts: Vec<&str> =
            parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn line(&self) -> Line {
        let parts = [&self.family, &self.given, &self.additional, &self.prefix, &self.suffix];
        Line::raw("N", parts.map(|part| escape(part)).join(";"))
    }
}

pub(super) fn project(
    context: &Context,
    item: &Item,
    photo: Option<&[u8]>,
    version: Version,
    uid: &str,
) -> Component {
    let mut card = Card::new(version, uid);
    let name = Name::of(item);
    let company = item.filled(Field::Company);
    let emails = emails(context, item);
    let full = item
        .filled(Field::DisplayName)
        .or_else(|| name.full())
        .or_else(|| item.filled(Field::FileAs))
        .or_else(|| company.clone())
        .or_else(|| emails.first().map(|(_, address)| address.clone()))
        .or_else(|| item.phones().first().map(|(_, number)| number.clone()))
        .unwrap_or_else(|| "(no name)".to_owned());
    card.push(Line::text("FN", &full));
    card.push(name.line());
    if company.is_some() && name.is_empty() {
        card.push(match version {
            Version::V3 => Line::raw("X-ABShowAs", "COMPANY"),
            Version::V4 => Line::raw("KIND", "org"),
        });
    }
    let nicknames = item.filled(Field::Nickname);
    card.component_list("NICKNAME", nicknames.as_deref().map(|all| all.split(", ").collect()));
    card.text("X-PHONETIC-FIRST-NAME", item.text(Field::PhoneticGiven));
    card.text("X-PHONETIC-LAST-NAME", item.text(Field::PhoneticSurname));
    card.text("X-PHONETIC-ORG", item.text(Field::PhoneticCompany));
    for (name, number) in CUSTOM_NAMES.iter().zip(0..4) {
        card.text(name, item.text(Field::Custom(number)));
    }
    match (company, item.filled(Field::Department)) {
        (None, None) => {}
        (company, None) => card.push(Line::text("ORG", &company.unwrap_or_default())),
        (company, Some(unit)) => {
            card.push(Line::raw(
                "ORG",
                format!("{};{}", escape(&company.unwrap_or_default()), escape(&unit)),
            ));
        }
    }
    card.text("TITLE", item.filled(Field::JobTitle));
    card.text("ROLE", item.filled(Field::Profession));
    for (key, address) in &emails {
        email(&mut card, key, address);
    }
    for (key, number) in item.phones() {
        phone(&mut card, key, &number);
    }
    addresses(&mut card, item);
    net(&mut card, item);
    for (name, day) in [("BDAY", birthday(context, item)), ("ANNIVERSARY", anniversary(context, item))] {
        card.push_all(day.map(|day| date_line(version, name, day)));
    }
    let gender = match item.text(Field::Gender).as_deref().map(str::trim) {
        Some("1") => Some("F"),
        Some("2") => Some("M"),
        _ => None,
    };
    card.push_all(
        gender.map(|gender| Line::raw(if version == Version::V3 { "X-GENDER" } else { "GENDER" }, gender)),
    );
    card.text(if version == Version::V3 { "X-MS-INTERESTS" } else { "HOBBY" }, item.text(Field::Hobbies));
    card.text("NOTE", body::text(item));
    card.push_all(categories(item));
    if version == Version::V3 {
        card.push_all(
            item.filled(Field::Sensitivity)
                .and_then(|word| sensitivity(&word))
                .map(|word| Line::raw("CLASS", word)),
        );
    }
    relations(&mut card, item);
    card.push_all(photo.and_then(|octets| photo_line(version, octets)));
    card.finish(item)
}

impl Card {
    fn push_all(&mut self, lines: impl IntoIterator<Item = Line>) {
        lines.into_iter().for_each(|line| self.push(line));
    }

    fn component_list(&mut self, name: &str, values: Option<Vec<&str>>) {
        let Some(values) = values else { return };
        let values: Vec<String> = values.into_iter().map(escape).collect();
        self.push(Line::raw(name, values.join(",")));
    }

    fn typed(&self, line: Line, types: &[&str]) -> Line {
        types.iter().fold(line, |line, kind| {
            line.with(
                "TYPE",
                &if self.version() == Version::V3 { kind.to_uppercase() } else { kind.to_lowercase() },
            )
        })
    }

    /// The preferred one of its kind.
    fn preferred(&self, line: Line) -> Line {
        if self.version() == Version::V3 { line.with("TYPE", "PREF") } else { line.with("PREF", "1") }
    }
}

fn email(card: &mut Card, key: &str, address: &str) {
    let mut line = Line::text("EMAIL", address.strip_prefix("mailto:").unwrap_or(address));
    if card.version() == Version::V3 {
        line = line.with("TYPE", "INTERNET");
    }
    if key == "EmailAddress1" {
        line = card.preferred(line);
    }
    card.push(line);
}

fn phone(card: &mut Card, key: &str, number: &str) {
    if matches!(key, "Mms" | "Msn") {
        return card.push(Line::raw("IMPP", instant_messaging(number)));
    }
    let other = ("", ["VOICE"].as_slice(), ["voice"].as_slice(), None);
    let (_, old, new, label) = PHONES.into_iter().find(|(known, ..)| *known == key).unwrap_or(other);
    let line = Line::text("TEL", number);
    match (card.version(), label) {
        (Version::V4, Some("Primary")) => {
            let line = card.typed(line, new);
            card.push(card.preferred(line));
        }
        (Version::V4, None | Some("TTY")) => card.push(card.typed(line, new)),
        (Version::V4, Some(label)) => card.labelled(card.typed(line, new), label),
        (Version::V3, None) => card.push(card.typed(line, old)),
        (Version::V3, Some(label)) => card.labelled(card.typed(line, old), label),
    }
}

/// Kinds of addresses and their types.
const ADDRESSES: [(&str, Option<&str>); 3] =
    [("Business", Some("WORK")), ("Home", Some("HOME")), ("Other", None)];

fn addresses(card: &mut Card, item: &Item) {
    let known = item.addresses();
    let index = item.filled(Field::MailingAddress);
    for (key, kind) in ADDRESSES {
        let address =
            known.iter().find(|(k, _)| *k == key).map(|(_, address)| address.clone()).unwrap_or_default();
        let po_box = item.text(Field::PostOfficeBox(key)).unwrap_or_default();
        let office = item.filled(Field::Office).filter(|_| key == "Business").unwrap_or_default();
        if address == Address::default() && po_box.is_empty() && office.is_empty() {
            continue;
        }
        let street: Vec<&str> = address.street.lines().map(str::trim).collect();
        let street = street.join("\n");
        let parts = [
            &po_box,
            &office,
            &street,
            &address.city,
            &address.state,
            &address.postal_code,
            &address.country,
        ];
        let mut line = Line::raw("ADR", parts.map(|part| escape(part.trim())).join(";"));
        line = card.typed(line, kind.as_slice());
        if index.as_deref() == Some(key) {
            line = card.preferred(line);
        }
        card.push(line);
    }
}

fn net(card: &mut Card, item: &Item) {
    let work = item.filled(Field::WorkPage);
    for (url, kind) in [(work, "WORK"), (item.text(Field::HomePage), "HOME")] {
        let line = url.map(|url| Line::raw("URL", url.trim()));
        card.push_all(line.map(|line| card.typed(line, &[kind])).into_iter().collect::<Vec<_>>());
    }
    for (_, address) in item.messengers() {
        card.push(Line::raw("IMPP", instant_messaging(&address)));
    }
    card.push_all(item.text(Field::FreeBusyUrl).map(|url| Line::raw("FBURL", url.trim())));
}

/// What an address may hold besides letters and digits.
const ADDRESS: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// An address of instant messaging as a URI.
fn instant_messaging(address: &str) -> String {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    let legal = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    if scheme.is_some_and(legal) {
        return address.replace(char::is_whitespace, "%20");
    }
    format!("im:{}", percent_encoding::utf8_percent_encode(address, ADDRESS))
}

/// The day that a property means: at Outlook's 11:59, at midnight of the owner's zone, or about. The bare day beside
/// it is exact; a day that is further from it than zones are was set by a program that does not know the bare one.
fn day(context: &Context, item: &Item, bare: Field, name: Field) -> Option<Date> {
    let bare = item.day(bare);
    let told = item.time(name).and_then(|at| {
        let utc = Zone::Utc.to_local(at);
        if utc.time() == Time::constant(11, 59, 0, 0) {
            return Some(utc.date());
        }
        let local = Zone::iana(&context.zone).unwrap_or(Zone::Utc).to_local(at);
        if local.time() == Time::midnight() {
            return Some(local.date());
        }
        Some(Zone::Utc.to_local(at.checked_add(SignedDuration::from_hours(12)).ok()?).date())
    });
    match (bare, told) {
        (Some(bare), Some(told)) => {
            let is_near = (bare - told).get_days().abs() <= 1;
            Some(if is_near { bare } else { told })
        }
        (bare, told) => bare.or(told),
    }
}

fn birthday(context: &Context, item: &Item) -> Option<Date> {
    day(context, item, Field::BirthdayDay, Field::Birthday)
}

/// Whether a day is told otherwise than by its bare form alone, or the note has no text of Exchange's.
fn is_revised(item: &Item) -> bool {
    let nowhere = Context::of("");
    let is_other = |bare: Field, name: Field| {
        let told = day(&nowhere, item, bare, name);
        let bare = item.day(bare);
        bare.is_some() && told != bare
    };
    is_other(Field::BirthdayDay, Field::Birthday)
        || is_other(Field::AnniversaryDay, Field::Anniversary)
        || body::is_of_html(item)
}

fn anniversary(context: &Context, item: &Item) -> Option<Date> {
    day(context, item, Field::AnniversaryDay, Field::Anniversary)
}

fn date_line(version: Version, name: &str, day: Date) -> Line {
    let has_year = day.year() > NO_YEAR;
    match version {
        Version::V4 if has_year => Line::raw(name, day.strftime("%Y%m%d").to_string()),
        Version::V4 => Line::raw(name, day.strftime("--%m%d").to_string()),
        Version::V3 => {
            let name = if name == "ANNIVERSARY" { "X-ANNIVERSARY" } else { name };
            let text = |day: Date| day.strftime("%Y-%m-%d").to_string();
            if has_year {
                return Line::raw(name, text(day));
            }
            let leap = Date::new(NO_YEAR, day.month(), day.day()).unwrap_or(day);
            Line::raw(name, text(leap)).with("X-APPLE-OMIT-YEAR", &NO_YEAR.to_string())
        }
    }
}

fn relations(card: &mut Card, item: &Item) {
    let one = |field| item.filled(field).into_iter().collect::<Vec<_>>();
    // Apple's label, RELATED's type, names.
    let related = [
        ("Spouse", Some("spouse"), one(Field::Spouse)),
        ("Manager", None, one(Field::Manager)),
        ("Assistant", Some("agent"), one(Field::Assistant)),
        ("Child", Some("child"), item.strings(Field::Children)),
    ];
    for (label, kind, names) in related {
        for name in names {
            match (card.version(), kind) {
                (Version::V3, _) => {
                    card.labelled(Line::text("X-ABRELATEDNAMES", &name), &format!("_$!<{label}>!$_"));
                }
                (Version::V4, Some(kind)) => {
                    card.push(Line::text("RELATED", &name).with("TYPE", kind).with("VALUE", "text"));
                }
                (Version::V4, None) => card.push(Line::text("X-MANAGER", &name)),
            }
        }
    }
}

/// PHOTO; octets are never changed. `None` for what is no picture.
fn photo_line(version: Version, octets: &[u8]) -> Option<Line> {
    let kind = match octets {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'G', b'I', b'F', ..] => "gif",
        [b'B', b'M', ..] => "bmp",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [] => return None,
        _ => "jpeg",
    };
    let data = STANDARD.encode(octets);
    Some(match version {
        Version::V3 => Line::raw("PHOTO", data).with("ENCODING", "b").with("TYPE", &kind.to_uppercase()),
        Version::V4 => Line::raw("PHOTO", format!("data:image/{kind};base64,{data}")),
    })
}

pub(super) fn sums(item: &Item) -> BTreeMap<FieldGroup, String> {
    let filled = |field| item.filled(field).unwrap_or_default();
    let raw = |field| item.text(field).unwrap_or_default();
    let entries = |entries: Vec<(&str, String)>| {
        let mut entries: Vec<String> =
            entries.into_iter().map(|(key, text)| format!("{key}={text}")).collect();
        entries.sort_unstable();
        entries
    };
    let emails: Vec<String> = item
        .emails()
        .into_iter()
        .map(|(key, address)| {
            // A write changes the address alone; what Exchange makes of the original then is not known beforehand.
            let own = original(item, key).filter(|_| is_x500(&address));
            format!("{key}={}", own.unwrap_or(address).to_lowercase())
        })
        .collect();
    let mut addresses: Vec<String> = item
        .addresses()
        .into_iter()
        .map(|(key, a)| [key.to_owned(), a.street, a.city, a.state, a.postal_code, a.country].join("\u{1e}"))
        .collect();
    addresses.sort_unstable();
    addresses.extend(POSTAL.map(|kind| raw(Field::PostOfficeBox(kind))));
    addresses.extend([filled(Field::Office), filled(Field::MailingAddress)]);
    let mut relations = vec![filled(Field::Spouse), filled(Field::Manager), filled(Field::Assistant)];
    relations.extend(item.strings(Field::Children));
    let days = [(Field::BirthdayDay, Field::Birthday), (Field::AnniversaryDay, Field::Anniversary)];
    // The owner's zone may not matter here: fingerprints are the same everywhere.
    let nowhere = Context::of("");
    let days: Vec<String> = days
        .iter()
        .map(|(bare, name)| day(&nowhere, item, *bare, *name).map(|day| day.to_string()).unwrap_or_default())
        .collect();
    let photo = item.attachments().into_iter().find(|a| Some(&a.id) == photo(item).as_ref());
    let names = [
        Field::DisplayName,
        Field::GivenName,
        Field::MiddleName,
        Field::Surname,
        Field::Generation,
        Field::Nickname,
    ];
    let names: Vec<String> = names.map(filled).into_iter().chain([raw(Field::Title)]).collect();
    let texts = [
        (FieldGroup::Names, names),
        (FieldGroup::Custom, (0..4).map(|number| raw(Field::Custom(number))).collect()),
        (
            FieldGroup::Phonetic,
            [Field::PhoneticGiven, Field::PhoneticSurname, Field::PhoneticCompany].map(raw).to_vec(),
        ),
        (
            FieldGroup::Company,
            [Field::Company, Field::Department, Field::JobTitle, Field::Profession].map(filled).to_vec(),
        ),
        (FieldGroup::Emails, emails),
        (FieldGroup::Phones, entries(item.phones())),
        (FieldGroup::Addresses, addresses),
        (FieldGroup::Pages, vec![filled(Field::WorkPage), raw(Field::HomePage), String::new()]),
        (FieldGroup::Gender, vec![raw(Field::Gender)]),
        (FieldGroup::Relations, relations),
        (FieldGroup::Messengers, entries(item.messengers())),
        (FieldGroup::Hobbies, vec![raw(Field::Hobbies)]),
        (FieldGroup::FreeBusyUrl, vec![raw(Field::FreeBusyUrl)]),
        (FieldGroup::Dates, days),
        (FieldGroup::Body, vec![body::text(item).unwrap_or_default()]),
        (FieldGroup::Categories, vec![categories_text(item)]),
        (FieldGroup::Class, vec![class_text(item)]),
        (FieldGroup::Picture, vec![photo.map(|photo| photo.size.to_string()).unwrap_or_default()]),
    ];
    texts.into_iter().map(|(which, parts)| (which, fingerprint(&parts.join(UNIT)))).collect()
}
