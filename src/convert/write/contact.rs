//! vCard → contacts and distribution lists.

use super::super::card::Version;
use super::super::{Context, contact as projected, group as lists, kept};
use super::{Attached, Current, Plan, fields};
use crate::ews::field::{self, ExtendedProperty};
use crate::ews::types::ItemClass;
use crate::ews::types::write::{Change, Field, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::text::{Component, Line, split_list, split_structured};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// Stands for the octets of a photo, which hang on the item.
pub const PHOTO_PLACE: &str = "X-EWS-ATT";
const NO_YEAR: i16 = 1604;
const SLOTS: [&str; 3] = ["EmailAddress1", "EmailAddress2", "EmailAddress3"];
const IM_SLOTS: [&str; 3] = ["ImAddress1", "ImAddress2", "ImAddress3"];
const ADDRESS_SLOTS: [(&str, ExtendedProperty); 3] =
    [("Business", field::WORK_PO_BOX), ("Home", field::HOME_PO_BOX), ("Other", field::OTHER_PO_BOX)];

/// Where Apple's labels send a phone: THE table of labels.
const PHONE_LABELS: [(&str, &str); 10] = [
    ("mobile", "MobilePhone"),
    ("car", "CarPhone"),
    ("tty", "TtyTddPhone"),
    ("assistant", "AssistantPhone"),
    ("callback", "Callback"),
    ("company", "CompanyMainPhone"),
    ("radio", "RadioPhone"),
    ("telex", "Telex"),
    ("main", "PrimaryPhone"),
    ("primary", "PrimaryPhone"),
];

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
    let is_group = ["KIND", "X-ADDRESSBOOKSERVER-KIND"]
        .iter()
        .any(|name| card.value(name).is_some_and(|kind| kind.trim().eq_ignore_ascii_case("group")));
    let class = if is_group { ItemClass::DistributionList } else { ItemClass::Contact };
    if current.is_some_and(|current| current.item.class != class) {
        return Err(Refusal::new(
            Reason::InvalidData,
            "a person cannot become a group, nor a group a person",
        ));
    }
    let uid = card.line("UID").map(Line::unescaped).filter(|uid| !uid.trim().is_empty());
    let uid = uid.unwrap_or_else(|| name.trim_end_matches(".vcf").to_owned());
    let served = current.and_then(|current| {
        let rendered = match class {
            ItemClass::Contact => projected::render(context, current.item, current.related.photo.as_deref()),
            _ => lists::render(context, current.item, &current.related.uids),
        };
        let body = if version == Version::V3 { Some(rendered.body) } else { rendered.vcard4 };
        Component::parse(&body?).ok()
    });
    let mut text = card.clone();
    let photo = take_photo(&mut text);
    let known = current.and_then(|current| current.related.photo.clone());
    let is_same_photo = photo.as_ref().map(|photo| photo.content.as_slice()) == known.as_deref();
    let old_photo = current.and_then(|current| projected::photo(current.item));
    let text = if text == card { octets.clone() } else { Bytes::from(text.write()) };
    if !kept::fits(&text) {
        return Err(Refusal::new(
            Reason::TooLarge,
            "the vCard is too long to be kept: shorten its properties",
        ));
    }
    let mut changes = own(name, &uid, current);
    let groups = if is_group { lists::GROUPS } else { projected::GROUPS };
    for (letter, properties, _) in groups {
        let lines = |card: &Component| -> BTreeSet<String> {
            card.lines
                .iter()
                .filter(|line| properties.contains(&line.name.as_str()))
                .map(|l| told(card, l))
                .collect()
        };
        if served.as_ref().is_none_or(|served| lines(served) != lines(&card)) {
            changes.extend(if is_group {
                list_group(*letter, &card)
            } else {
                group(*letter, &card, current)
            });
        }
    }
    if current.is_none() {
        changes.retain(|change| change.value.is_some());
    }
    Ok(Plan {
        class,
        uid,
        reply: None,
        outcome: changes.clone(),
        changes,
        notify: Notify::Nobody,
        detach: old_photo.filter(|_| !is_same_photo).into_iter().collect(),
        attach: photo.filter(|_| !is_same_photo).into_iter().collect(),
        delete: Vec::new(),
        moves: Vec::new(),
        edits: Vec::new(),
        // Exchange completes contacts: names to file under, second spellings of addresses.
        is_certain: false,
        text,
    })
}

fn own(name: &str, uid: &str, current: Option<Current>) -> Vec<Change> {
    let wanted = [(field::DAV_UID, uid), (field::DAV_NAME, name)];
    let differs = |property: &ExtendedProperty, value: &str| {
        current.is_none_or(|current| current.item.extended(property).as_deref() != Some(value))
    };
    let wanted = wanted.into_iter().filter(|(property, value)| differs(property, value));
    wanted.map(|(property, value)| Change::extended(property, Some(value.to_owned()))).collect()
}

/// A line with its label, for comparison.
fn told(card: &Component, line: &Line) -> String {
    let mut params: Vec<String> =
        line.params.iter().map(|p| format!("{}={}", p.name, p.values.join(",")).to_lowercase()).collect();
    params.sort_unstable();
    format!("{};{}:{}|{}", line.name, params.join(";"), line.value, label(card, line).unwrap_or_default())
}

/// Apple's label of a line, without its wrapping, in lower case.
fn label(card: &Component, line: &Line) -> Option<String> {
    let group = line.group.as_deref()?;
    let same = |other: &&Line| other.group.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(group));
    let label = card.lines_named("X-ABLABEL").find(same)?.unescaped();
    Some(label.trim_start_matches("_$!<").trim_end_matches(">!$_").to_lowercase())
}

/// TYPE as one set, lower case.
fn types(line: &Line) -> BTreeSet<String> {
    let own = line.param_values("TYPE").flat_map(|value| value.split(','));
    // The bare types of vCard 2.1.
    let bare = line.param_values("");
    own.chain(bare).map(|kind| kind.trim().to_lowercase()).filter(|kind| !kind.is_empty()).collect()
}

/// Preferred ones first, then as written.
fn preference(line: &Line) -> u32 {
    let number = line.param("PREF").and_then(|pref| pref.parse().ok());
    number.unwrap_or(if types(line).contains("pref") { 1 } else { 101 })
}

fn by_preference<'a>(card: &'a Component, name: &'a str) -> Vec<&'a Line> {
    let mut lines: Vec<&Line> = card.lines_named(name).collect();
    lines.sort_by_key(|line| preference(line));
    lines
}

fn text_of(card: &Component, name: &str) -> Option<String> {
    card.line(name).map(|line| line.unescaped().trim().to_owned()).filter(|text| !text.is_empty())
}

fn set_or_remove(uri: &'static str, text: Option<String>) -> Change {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Change::text(uri, text.replace(['\r', '\n'], " ")),
        None => Change::remove(uri),
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

fn group(letter: char, card: &Component, current: Option<Current>) -> Vec<Change> {
    match letter {
        'N' => names(card, current),
        'Y' => {
            let phonetic = |property, name| Change::extended(property, text_of(card, name));
            vec![
                phonetic(field::YOMI_GIVEN, "X-PHONETIC-FIRST-NAME"),
                phonetic(field::YOMI_SURNAME, "X-PHONETIC-LAST-NAME"),
                phonetic(field::YOMI_COMPANY, "X-PHONETIC-ORG"),
            ]
        }
        'O' => {
            let org = parts(card.line("ORG"), ", ");
            vec![
                set_or_remove("contacts:CompanyName", part(&org, 0)),
                set_or_remove("contacts:Department", part(&org, 1)),
                set_or_remove("contacts:JobTitle", text_of(card, "TITLE")),
                set_or_remove("contacts:Profession", text_of(card, "ROLE")),
            ]
        }
        'E' => slots("contacts:EmailAddress", &SLOTS, emails(card)),
        'T' => phones(card, current),
        'A' => addresses(card),
        'U' => urls(card),
        'G' => {
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
            vec![Change::extended(field::GENDER, number.map(str::to_owned))]
        }
        'R' => relations(card),
        'I' => slots("contacts:ImAddress", &IM_SLOTS, messengers(card)),
        'D' => dates(card),
        'B' => {
            let notes: Vec<String> = card.lines_named("NOTE").map(Line::unescaped).collect();
            let text = notes.join("\n\n").replace("\r\n", "\n").replace('\n', "\r\n");
            vec![if text.trim().is_empty() {
                Change::remove("item:Body")
            } else {
                Change::set("item:Body", Value::Body { is_html: false, text })
            }]
        }
        'K' => vec![fields::categories(card)],
        'C' => vec![fields::sensitivity(card)],
        _ => Vec::new(),
    }
}

fn names(card: &Component, current: Option<Current>) -> Vec<Change> {
    let full = text_of(card, "FN");
    let mut name = parts(card.line("N"), " ");
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
        set_or_remove("contacts:DisplayName", full.clone()),
        set_or_remove("contacts:Surname", part(&name, 0)),
        set_or_remove("contacts:GivenName", part(&name, 1)),
        set_or_remove("contacts:MiddleName", part(&name, 2)),
        set_or_remove("contacts:Generation", part(&name, 4)),
        set_or_remove("contacts:Nickname", Some(nicknames)),
        Change::extended(field::TITLE, part(&name, 3)),
    ];
    let filed_by_hand = current.is_some_and(|c| c.item.filled("FileAsMapping").as_deref() == Some("None"));
    if !filed_by_hand {
        let both = part(&name, 0).is_some() && part(&name, 1).is_some();
        changes.push(match (company, both) {
            (true, _) => Change::text("contacts:FileAsMapping", "Company"),
            (false, true) => Change::text("contacts:FileAsMapping", "LastCommaFirst"),
            (false, false) => set_or_remove("contacts:FileAs", full.clone()),
        });
    }
    if current.is_none() {
        changes.push(set_or_remove("item:Subject", full.map(|full| full.chars().take(255).collect())));
    }
    changes
}

fn slots(uri: &'static str, keys: &[&'static str], values: Vec<Option<String>>) -> Vec<Change> {
    let values = values.into_iter().chain(std::iter::repeat(None));
    keys.iter()
        .zip(values)
        .map(|(key, value)| Change { field: Field::Indexed(uri, key), value: value.map(Value::Text) })
        .collect()
}

/// Three addresses: work, home, other, and what is left where there is room.
fn emails(card: &Component) -> Vec<Option<String>> {
    let lines: Vec<&Line> = by_preference(card, "EMAIL");
    let mut slots: Vec<Option<String>> = vec![None; SLOTS.len()];
    let mut left = Vec::new();
    for line in lines {
        let text = line.unescaped();
        let address = text.trim().trim_start_matches("mailto:").to_owned();
        if !address.contains('@') {
            continue;
        }
        let kinds = types(line);
        let at = if kinds.contains("work") {
            Some(0)
        } else if kinds.contains("home") {
            Some(1)
        } else if kinds.contains("other") || label(card, line).as_deref() == Some("other") {
            Some(2)
        } else {
            None
        };
        match at.and_then(|at| slots.get_mut(at)) {
            Some(slot @ None) => *slot = Some(address),
            _ => left.push(address),
        }
    }
    fill(&mut slots, left);
    slots
}

fn fill<T>(slots: &mut [Option<T>], left: Vec<T>) {
    let mut left = left.into_iter();
    for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
        *slot = left.next();
    }
}

/// The keys that a phone may have, the best one first: THE table of phones.
fn phone_keys(card: &Component, line: &Line) -> Vec<&'static str> {
    let kinds = types(line);
    let has = |kind: &str| kinds.contains(kind);
    let label = label(card, line).unwrap_or_default();
    let labelled = PHONE_LABELS.iter().find(|(word, _)| *word == label).map(|(_, key)| *key);
    if has("fax") {
        return vec![if has("home") {
            "HomeFax"
        } else if has("work") {
            "BusinessFax"
        } else {
            "OtherFax"
        }];
    }
    let typed = [
        ("pager", "Pager"),
        ("cell", "MobilePhone"),
        ("iphone", "MobilePhone"),
        ("car", "CarPhone"),
        ("x-car", "CarPhone"),
        ("isdn", "Isdn"),
        ("x-isdn", "Isdn"),
        ("textphone", "TtyTddPhone"),
        ("x-tty", "TtyTddPhone"),
        ("x-assistant", "AssistantPhone"),
        ("x-callback", "Callback"),
        ("x-evolution-company", "CompanyMainPhone"),
        ("x-evolution-radio", "RadioPhone"),
        ("x-evolution-telex", "Telex"),
        ("main", "PrimaryPhone"),
    ];
    if let Some(key) = typed.iter().find(|(kind, _)| has(kind)).map(|(_, key)| *key).or(labelled) {
        return vec![key];
    }
    if has("work") {
        return vec!["BusinessPhone", "BusinessPhone2"];
    }
    if has("home") {
        return vec!["HomePhone", "HomePhone2"];
    }
    if preference(line) <= 100 && !has("other") { vec!["PrimaryPhone"] } else { vec!["OtherTelephone"] }
}

fn phones(card: &Component, current: Option<Current>) -> Vec<Change> {
    let mut taken: BTreeMap<&'static str, String> = BTreeMap::new();
    for line in by_preference(card, "TEL") {
        let value = line.unescaped();
        let number = match value.trim().strip_prefix("tel:") {
            Some(uri) => uri.replace(";ext=", " ext ").split(';').next().unwrap_or_default().to_owned(),
            None => value.trim().to_owned(),
        };
        if number.is_empty() || number.starts_with("sip:") {
            continue;
        }
        let mut keys = phone_keys(card, line);
        keys.push("OtherTelephone");
        if let Some(key) = keys.into_iter().find(|key| !taken.contains_key(key)) {
            taken.insert(key, number);
        }
    }
    let known = current.map(|current| current.item.entries("PhoneNumbers")).unwrap_or_default();
    let gone = projected::PHONES
        .iter()
        .map(|(key, ..)| *key)
        .filter(|key| known.iter().any(|(old, _)| old == key) && !taken.contains_key(key));
    let mut changes: Vec<Change> =
        gone.map(|key| Change { field: Field::Indexed("contacts:PhoneNumber", key), value: None }).collect();
    changes.extend(taken.into_iter().map(|(key, number)| Change {
        field: Field::Indexed("contacts:PhoneNumber", key),
        value: Some(Value::Text(number)),
    }));
    changes
}

fn addresses(card: &Component) -> Vec<Change> {
    let mut slots: Vec<Option<&Line>> = vec![None; ADDRESS_SLOTS.len()];
    let mut left = Vec::new();
    for line in by_preference(card, "ADR") {
        let kinds = types(line);
        let at = if kinds.contains("work") {
            0
        } else if kinds.contains("home") {
            1
        } else {
            2
        };
        match slots.get_mut(at) {
            Some(slot @ None) => *slot = Some(line),
            _ => left.push(line),
        }
    }
    fill(&mut slots, left);
    let mut changes = Vec::new();
    let mut preferred = None;
    for ((key, po_box), line) in ADDRESS_SLOTS.into_iter().zip(slots) {
        let lists = line.map(|line| split_structured(&line.value)).unwrap_or_default();
        let part = |at: usize, separator: &str| {
            lists.get(at).map(|list| list.join(separator).trim().to_owned()).filter(|text| !text.is_empty())
        };
        let mut street = part(2, "\n");
        changes.push(Change::extended(po_box, part(0, ", ")));
        if key == "Business" {
            changes.push(set_or_remove("contacts:OfficeLocation", part(1, ", ")));
        } else if let Some(extended) = part(1, ", ") {
            street = Some(street.map_or(extended.clone(), |street| format!("{extended}\n{street}")));
        }
        let fields = [
            (
                "contacts:PhysicalAddress:Street",
                street.map(|street| street.replace("\r\n", "\n").replace('\n', "\r\n")),
            ),
            ("contacts:PhysicalAddress:City", part(3, ", ")),
            ("contacts:PhysicalAddress:State", part(4, ", ")),
            ("contacts:PhysicalAddress:CountryOrRegion", part(6, ", ")),
            ("contacts:PhysicalAddress:PostalCode", part(5, ", ")),
        ];
        changes.extend(
            fields
                .into_iter()
                .map(|(uri, text)| Change { field: Field::Indexed(uri, key), value: text.map(Value::Text) }),
        );
        if line.is_some_and(|line| preference(line) <= 100) && preferred.is_none() {
            preferred = Some(key);
        }
    }
    changes.extend(preferred.map(|key| Change::text("contacts:PostalAddressIndex", key)));
    changes
}

fn urls(card: &Component) -> Vec<Change> {
    let (mut work, mut home) = (None, None);
    for line in card.lines_named("URL") {
        let is_work = types(line).contains("work") || label(card, line).as_deref() == Some("work");
        let slot = if is_work { &mut work } else { &mut home };
        let url = line.unescaped().trim().to_owned();
        if slot.is_none() && !url.is_empty() {
            *slot = Some(url);
        }
    }
    // The field takes URIs only; the property behind it takes anything.
    let is_uri = |url: &String| url.is_ascii() && url.contains(':') && !url.contains(char::is_whitespace);
    let work = match work {
        Some(url) if !is_uri(&url) => Change::extended(field::BUSINESS_HOME_PAGE, Some(url)),
        url => set_or_remove("contacts:BusinessHomePage", url),
    };
    vec![work, Change::extended(field::PERSONAL_HOME_PAGE, home)]
}

fn relations(card: &Component) -> Vec<Change> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut note = |kind: &'static str, text: String| {
        if !text.trim().is_empty() && !text.starts_with("urn:") {
            found.entry(kind).or_default().push(text.trim().to_owned());
        }
    };
    for line in card.lines_named("X-ABRELATEDNAMES") {
        match label(card, line).as_deref() {
            Some("spouse" | "partner") => note("spouse", line.unescaped()),
            Some("manager") => note("manager", line.unescaped()),
            Some("assistant") => note("assistant", line.unescaped()),
            Some("child" | "son" | "daughter") => note("child", line.unescaped()),
            _ => {}
        }
    }
    for line in card.lines_named("RELATED") {
        let kinds = types(line);
        for (kind, own) in [("spouse", "spouse"), ("child", "child"), ("agent", "assistant")] {
            if kinds.contains(kind) {
                note(own, line.unescaped());
            }
        }
    }
    let own = [
        ("X-SPOUSE", "spouse"),
        ("X-EVOLUTION-SPOUSE", "spouse"),
        ("X-MANAGER", "manager"),
        ("X-EVOLUTION-MANAGER", "manager"),
        ("X-ASSISTANT", "assistant"),
        ("X-EVOLUTION-ASSISTANT", "assistant"),
    ];
    for (name, kind) in own {
        card.lines_named(name).for_each(|line| note(kind, line.unescaped()));
    }
    let first = |kind: &str| found.get(kind).and_then(|names| names.first().cloned());
    let children = found.get("child").cloned().unwrap_or_default();
    vec![
        set_or_remove("contacts:SpouseName", first("spouse")),
        set_or_remove("contacts:Manager", first("manager")),
        set_or_remove("contacts:AssistantName", first("assistant")),
        if children.is_empty() {
            Change::remove("contacts:Children")
        } else {
            Change::set("contacts:Children", Value::Strings(children))
        },
    ]
}

fn messengers(card: &Component) -> Vec<Option<String>> {
    let mut uris: Vec<String> =
        card.lines_named("IMPP").map(|line| line.unescaped().trim().to_owned()).collect();
    for (name, scheme) in
        [("X-AIM", "aim"), ("X-JABBER", "xmpp"), ("X-SKYPE", "skype"), ("X-ICQ", "icq"), ("X-MSN", "msnim")]
    {
        uris.extend(card.lines_named(name).map(|line| format!("{scheme}:{}", line.unescaped().trim())));
    }
    uris.into_iter().filter(|uri| !uri.is_empty()).take(IM_SLOTS.len()).map(Some).collect()
}

/// The day of a date; without a year it is filed under a leap year of long ago. What is less than a day has no place.
fn day(line: &Line) -> Option<Date> {
    let value = line.value.trim();
    let value = value.split('T').next().unwrap_or(value);
    let without_year = line.param("X-APPLE-OMIT-YEAR").is_some();
    let parsed = match value.strip_prefix("--") {
        Some(rest) => {
            let digits = rest.replace('-', "");
            let (month, day) = digits.split_at_checked(2)?;
            Date::new(NO_YEAR, month.parse().ok()?, day.parse().ok()?).ok()
        }
        None => Date::strptime("%Y-%m-%d", value).or_else(|_| Date::strptime("%Y%m%d", value)).ok(),
    }?;
    if without_year { Date::new(NO_YEAR, parsed.month(), parsed.day()).ok() } else { Some(parsed) }
}

fn dates(card: &Component) -> Vec<Change> {
    let anniversary =
        ["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"].iter().find_map(|name| card.line(name));
    let apple =
        || card.lines_named("X-ABDATE").find(|line| label(card, line).as_deref() == Some("anniversary"));
    let told = [
        ("contacts:Birthday", field::BIRTHDAY_LOCAL, card.line("BDAY")),
        ("contacts:WeddingAnniversary", field::WEDDING_ANNIVERSARY_LOCAL, anniversary.or_else(apple)),
    ];
    let mut changes = Vec::new();
    for (uri, local, line) in told {
        let day = line
            .filter(|line| line.param("VALUE").is_none_or(|v| !v.eq_ignore_ascii_case("text")))
            .and_then(day);
        // Nearly noon: no zone shifts the day.
        changes.push(set_or_remove(uri, day.map(|day| format!("{day}T11:59:00Z"))));
        changes.push(Change::extended(local, day.map(|day| format!("{day}T00:00:00Z"))));
    }
    changes
}

/// Takes the octets of a photo out of a card; links to pictures elsewhere stay.
fn take_photo(card: &mut Component) -> Option<Attached> {
    let line = card.lines.iter_mut().find(|line| line.name == "PHOTO")?;
    let encoded =
        line.param("ENCODING").is_some_and(|word| ["B", "BASE64"].contains(&word.to_uppercase().as_str()));
    let data = if encoded {
        line.value.clone()
    } else {
        let rest = line.value.trim().strip_prefix("data:")?;
        rest.split_once(";base64,")?.1.to_owned()
    };
    let content = STANDARD.decode(data.split_whitespace().collect::<String>()).ok()?;
    PHOTO_PLACE.clone_into(&mut line.value);
    let (extension, media_type) = match content.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => ("png", "image/png"),
        [b'G', b'I', b'F', ..] => ("gif", "image/gif"),
        _ => ("jpg", "image/jpeg"),
    };
    Some(Attached {
        name: format!("ContactPicture.{extension}"),
        media_type: media_type.to_owned(),
        content,
        is_photo: true,
    })
}

fn list_group(letter: char, card: &Component) -> Vec<Change> {
    match letter {
        'N' => {
            vec![set_or_remove("contacts:DisplayName", text_of(card, "FN").or_else(|| text_of(card, "N")))]
        }
        'M' => {
            let lines = card.lines_named("MEMBER").chain(card.lines_named("X-ADDRESSBOOKSERVER-MEMBER"));
            let members: Vec<(String, String, Option<String>)> = lines
                .filter_map(|line| {
                    let address = line.value.trim().strip_prefix("mailto:")?;
                    Some((line.param("CN").unwrap_or(address).to_owned(), address.to_owned(), None))
                })
                .collect();
            if members.is_empty() {
                vec![Change::remove("distributionlist:Members")]
            } else {
                vec![Change::set("distributionlist:Members", Value::Members(members))]
            }
        }
        'B' | 'K' => group(letter, card, None),
        _ => Vec::new(),
    }
}
