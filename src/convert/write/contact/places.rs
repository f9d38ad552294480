//! Which line of a vCard has which place in Exchange: what finds none is kept in the client's text alone.

use super::line::{HANDLES, by_preference, label, preference, types, value};
use crate::model::field_group::FieldGroup;
use crate::model::item::{EMAILS, MESSENGERS, POSTAL};
use crate::text::{Component, Line};
use jiff::civil::Date;

/// A place in Exchange, and the line that has it.
pub type Place<'a> = (&'static str, &'a Line);

/// A year that stands for none.
const NO_YEAR: i16 = 1604;

/// Where Apple's labels send a phone.
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

/// Where the types of a phone send it, the first one that fits.
const PHONE_TYPES: [(&str, &str); 18] = [
    ("pager", "Pager"),
    ("cell", "MobilePhone"),
    ("iphone", "MobilePhone"),
    ("car", "CarPhone"),
    ("x-car", "CarPhone"),
    ("isdn", "Isdn"),
    ("x-isdn", "Isdn"),
    ("textphone", "TtyTddPhone"),
    ("x-tty", "TtyTddPhone"),
    ("assistant", "AssistantPhone"),
    ("x-assistant", "AssistantPhone"),
    ("callback", "Callback"),
    ("x-callback", "Callback"),
    ("company", "CompanyMainPhone"),
    ("x-evolution-company", "CompanyMainPhone"),
    ("x-evolution-radio", "RadioPhone"),
    ("x-evolution-telex", "Telex"),
    ("main", "PrimaryPhone"),
];

/// Where properties and RELATED's types send a person.
const RELATIONS: [(&str, &str); 9] = [
    ("X-SPOUSE", "SpouseName"),
    ("X-EVOLUTION-SPOUSE", "SpouseName"),
    ("X-MANAGER", "Manager"),
    ("X-MANAGERSNAME", "Manager"),
    ("X-EVOLUTION-MANAGER", "Manager"),
    ("X-ASSISTANT", "AssistantName"),
    ("X-ASSISTANTNAME", "AssistantName"),
    ("X-EVOLUTION-ASSISTANT", "AssistantName"),
    ("X-EVOLUTION-CHILD", "Children"),
];

/// The lines of a group that have a place, which is empty for days and for other dialects of what has one; `None` where all
/// of them have.
pub fn held<'a>(which: FieldGroup, card: &'a Component) -> Option<Vec<Place<'a>>> {
    let mut held: Vec<Place<'a>> = match which {
        FieldGroup::Emails => emails(card, &[]),
        FieldGroup::Phones => phones(card),
        FieldGroup::Addresses => addresses(card),
        FieldGroup::Pages => urls(card),
        FieldGroup::Messengers => messengers(card),
        FieldGroup::Relations => relations(card),
        // Their forms differ too much for a value to be replaced alone.
        FieldGroup::Dates => days(card).into_iter().map(|(_, line, _)| ("", line)).collect(),
        _ => return None,
    };
    // The same in another dialect is held with it.
    let twins = |name: &str| TWINS.iter().find(|names| names.contains(&name));
    let others = card.lines.iter().filter(|line| {
        twins(&line.name).is_some_and(|names| {
            held.iter().any(|(_, h)| h.name != line.name && names.contains(&h.name.as_str()))
        })
    });
    let others: Vec<Place<'a>> = others.map(|line| ("", line)).collect();
    held.extend(others);
    Some(held)
}

/// Names of one thing in the dialects of clients, each said once in a card:
pub const TWINS: [&[&str]; 10] = [
    &["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"],
    &["GENDER", "X-GENDER", "SEX"],
    &["HOBBY", "X-MS-INTERESTS"],
    &["X-SPOUSE", "X-EVOLUTION-SPOUSE"],
    &["X-MANAGER", "X-MANAGERSNAME", "X-EVOLUTION-MANAGER"],
    &["X-ASSISTANT", "X-ASSISTANTNAME", "X-EVOLUTION-ASSISTANT"],
    &["X-CUSTOM1", "CUSTOM1"],
    &["X-CUSTOM2", "CUSTOM2"],
    &["X-CUSTOM3", "CUSTOM3"],
    &["X-CUSTOM4", "CUSTOM4"],
];

/// Those that know their place first, then the others where there is room.
fn settle<'a>(
    keys: &[&'static str],
    lines: impl IntoIterator<Item = &'a Line>,
    own: impl Fn(&Line) -> Option<&'static str>,
) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    let mut left = Vec::new();
    let is_free =
        |places: &[Place], key| keys.contains(&key) && !places.iter().any(|(taken, _)| *taken == key);
    for line in lines {
        match own(line) {
            Some(key) if is_free(&places, key) => places.push((key, line)),
            _ => left.push(line),
        }
    }
    for line in left {
        if let Some(key) = keys.iter().find(|key| is_free(&places, **key)) {
            places.push((key, line));
        }
    }
    places
}

/// Work, home, other, and what is left where there is room; `reserved` slots are Exchange's own.
pub fn emails<'a>(card: &'a Component, reserved: &[String]) -> Vec<Place<'a>> {
    let lines = by_preference(card, "EMAIL").into_iter().filter(|line| !value(line).is_empty());
    let keys: Vec<&'static str> =
        EMAILS.into_iter().filter(|key| !reserved.iter().any(|other| other == key)).collect();
    settle(&keys, lines, |line| {
        let kinds = types(line);
        if kinds.contains("work") {
            Some("EmailAddress1")
        } else if kinds.contains("home") {
            Some("EmailAddress2")
        } else if kinds.contains("other") || label(card, line).as_deref() == Some("other") {
            Some("EmailAddress3")
        } else {
            None
        }
    })
}

/// The keys that a phone may have, the best one first.
fn phone_keys(card: &Component, line: &Line) -> Vec<&'static str> {
    let kinds = types(line);
    let has = |kind: &str| kinds.contains(kind);
    if has("fax") {
        return vec![if has("home") {
            "HomeFax"
        } else if has("work") {
            "BusinessFax"
        } else {
            "OtherFax"
        }];
    }
    let label = label(card, line).unwrap_or_default();
    let labelled = PHONE_LABELS.iter().find(|(word, _)| *word == label);
    if let Some((_, key)) = PHONE_TYPES.iter().find(|(kind, _)| has(kind)).or(labelled) {
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

/// Each key holds one number; what finds its own taken tries the place of others.
pub fn phones(card: &Component) -> Vec<Place<'_>> {
    let mut places: Vec<Place> = Vec::new();
    let mut lines: Vec<&Line> =
        card.lines.iter().filter(|l| ["TEL", "X-MS-TEL"].contains(&l.name.as_str())).collect();
    lines.sort_by_key(|line| preference(line));
    for line in lines.into_iter().filter(|line| !value(line).is_empty()) {
        let mut keys = phone_keys(card, line);
        keys.push("OtherTelephone");
        let free = keys.into_iter().find(|key| !places.iter().any(|(taken, _)| taken == key));
        places.extend(free.map(|key| (key, line)));
    }
    places
}

/// Work, home, other, and what is left where there is room.
pub fn addresses(card: &Component) -> Vec<Place<'_>> {
    settle(&POSTAL, by_preference(card, "ADR"), |line| {
        let kinds = types(line);
        Some(if kinds.contains("work") {
            "Business"
        } else if kinds.contains("home") {
            "Home"
        } else {
            "Other"
        })
    })
}

/// The page of the work, and another one.
pub fn urls(card: &Component) -> Vec<Place<'_>> {
    let mut places: Vec<Place> = Vec::new();
    for line in card.lines_named("URL").filter(|line| !value(line).is_empty()) {
        let is_work = types(line).contains("work") || label(card, line).as_deref() == Some("work");
        let key = if is_work { "work" } else { "home" };
        if !places.iter().any(|(taken, _)| *taken == key) {
            places.push((key, line));
        }
    }
    places
}

/// URIs first, then the handles that have properties of their own.
pub fn messengers(card: &Component) -> Vec<Place<'_>> {
    let handles = HANDLES.iter().flat_map(|(name, _)| card.lines_named(name));
    let lines = card.lines_named("IMPP").chain(handles).filter(|line| !value(line).is_empty());
    MESSENGERS.into_iter().zip(lines).collect()
}

/// People by what they are to the person; each field but that of the children holds one.
pub fn relations(card: &Component) -> Vec<Place<'_>> {
    let mut places: Vec<Place> = Vec::new();
    let mut put = |key: &'static str, line| {
        let is_free = key == "Children" || !places.iter().any(|(taken, _)| *taken == key);
        let text = value(line);
        if is_free && !text.is_empty() && !text.starts_with("urn:") {
            places.push((key, line));
        }
    };
    for line in card.lines_named("X-ABRELATEDNAMES") {
        match label(card, line).as_deref() {
            Some("spouse" | "partner") => put("SpouseName", line),
            Some("manager") => put("Manager", line),
            Some("assistant") => put("AssistantName", line),
            Some("child" | "son" | "daughter") => put("Children", line),
            _ => {}
        }
    }
    for line in card.lines_named("RELATED") {
        let kinds = types(line);
        let own = [("spouse", "SpouseName"), ("child", "Children"), ("agent", "AssistantName")];
        if let Some((_, key)) = own.into_iter().find(|(kind, _)| kinds.contains(*kind)) {
            put(key, line);
        }
    }
    for (name, key) in RELATIONS {
        card.lines_named(name).for_each(|line| put(key, line));
    }
    places
}

/// The days that Exchange's clocks can tell. MS-DTYP 2.3.3, MS-OXOCAL 2.2.1.44.1
const EARLIEST: Date = Date::constant(1601, 1, 2);
const LATEST: Date = Date::constant(4500, 8, 30);

/// Birthday and anniversary with their days. What is less than a day has no place, and what Exchange has no clock for.
pub fn days(card: &Component) -> Vec<(&'static str, &Line, Date)> {
    let anniversary =
        ["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"].iter().find_map(|name| card.line(name));
    let apple =
        || card.lines_named("X-ABDATE").find(|line| label(card, line).as_deref() == Some("anniversary"));
    let told = [("Birthday", card.line("BDAY")), ("WeddingAnniversary", anniversary.or_else(apple))];
    let told = told.into_iter().filter_map(|(place, line)| Some((place, line?)));
    let told = told.filter(|(_, line)| line.param("VALUE").is_none_or(|v| !v.eq_ignore_ascii_case("text")));
    let days = told.filter_map(|(place, line)| Some((place, line, day(line)?)));
    days.filter(|(.., day)| (EARLIEST..=LATEST).contains(day)).collect()
}

/// Without a year a day is filed under a leap year of long ago.
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
