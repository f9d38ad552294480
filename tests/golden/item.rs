//! The `ews` blocks of the cases: what an item in Exchange must be.

use exdav::model::item::{Change, Item, ItemClass};
use exdav::model::zone::Zone;
use exdav::upstream::ews::field::{ExtendedProperty, Key, Set};
use exdav::upstream::ews::types::document;
use exdav::upstream::ews::types::table::{At, row};
use exdav::xml::{Element, Reader};

/// Namespaces of FieldURIs that cases speak of.
const SPACES: [&str; 6] = ["item:", "calendar:", "task:", "contacts:", "distributionlist:", "ext:"];
/// What Exchange derives and a predicted item does not have.
const DERIVED: [&str; 5] = ["IsMeeting", "Organizer", "Occurrences", "Attendees", "Resources"];
/// What only an item that comes from Exchange has.
const ATTACHED: [&str; 3] = ["Attachments", "HasAttachments", "HasPicture"];

/// Where the item comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// It was predicted; its days are midnights of this zone.
    Predicted(&'a str),
    /// Exchange gave it out.
    Exchange(&'a str),
}

/// What is wrong with one line; prose, and what this source cannot tell, is nobody's.
pub fn judge(item: &Item, source: Source, assertion: &str) -> Option<String> {
    let (Source::Predicted(zone) | Source::Exchange(zone)) = source;
    let wrong = |seen: String| Some(format!("{assertion}\n      seen: {seen}"));
    if let Some(class) = assertion.strip_prefix("type t:") {
        let seen = format!("{:?}", item.class);
        return if seen == class { None } else { wrong(seen) };
    }
    let path = assertion.split_whitespace().next()?;
    let hidden = |names: &[&str]| source == Source::Predicted(zone) && names.iter().any(|n| path.contains(n));
    if !SPACES.iter().any(|space| path.starts_with(space)) || DERIVED.iter().any(|name| path.contains(name)) {
        return None;
    }
    if hidden(&ATTACHED) || assertion.contains(" or ") || assertion.contains("...") {
        return None;
    }
    let seen = || texts(item, path);
    match assertion.get(path.len()..)?.trim() {
        "absent" => seen().filter(|seen| !seen.is_empty()).and_then(|seen| wrong(seen.join(" | "))),
        "any" => {
            if seen().is_some() {
                None
            } else {
                wrong("nothing".to_owned())
            }
        }
        rest => {
            let value = rest.strip_prefix("= ")?.split(" (").next()?.trim();
            if path.contains("Members[") {
                return if is_member(item, path, value) {
                    None
                } else {
                    wrong(format!("{:?}", item.members()))
                };
            }
            if path.contains("Attachments[") {
                let seen = item.attachments();
                return if is_attachment(item, path, value) { None } else { wrong(format!("{seen:?}")) };
            }
            if value.contains(" when ") || value.contains(" if ") {
                return None;
            }
            let judged = |value: &str| judge_value(item, source, path, value, seen().unwrap_or_default());
            // What stands in parentheses may belong to the value.
            let whole = rest.strip_prefix("= ").unwrap_or_default().trim();
            judged(whole).and_then(|_| judged(value)).and_then(wrong)
        }
    }
}

fn judge_value(item: &Item, source: Source, path: &str, value: &str, seen: Vec<String>) -> Option<String> {
    let (Source::Predicted(zone) | Source::Exchange(zone)) = source;
    if path.starts_with("task:") && seen.is_empty() && source == Source::Predicted(zone) {
        // Exchange derives one from the other.
        return None;
    }
    let value = value.replace("\\r\\n", "\r\n");
    let day = value.strip_prefix("the day ").unwrap_or(&value);
    let joined = seen.join(" | ");
    let local = path.rsplit(':').next().unwrap_or(path);
    // Days are midnights of the item's zone.
    let same = joined == day || at_midnight(item, zone, local, day) || is_moment(&joined, day);
    if same { None } else { Some(joined) }
}

/// The same instant, or a time that begins with what is said of it.
fn is_moment(seen: &str, value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_digit()) && value.len() >= 10 && seen.starts_with(value)
}

/// An item as Exchange tells it.
pub fn told(item: &Item) -> Element {
    Reader::lenient(&document(item)).document().unwrap()
}

/// What an item says in the element of this name.
pub fn text(item: &Item, local: &str) -> Option<String> {
    told(item).find(local).map(|element| element.text().into_owned())
}

fn at_midnight(item: &Item, zone: &str, path: &str, value: &str) -> bool {
    let is_all_day = text(item, "IsAllDayEvent").as_deref() == Some("true");
    let is_day = is_all_day || ["StartDate", "DueDate", "CompleteDate"].contains(&path);
    let at = text(item, path).and_then(|text| text.trim().parse::<jiff::Timestamp>().ok());
    let Some(at) = at.filter(|_| is_day) else { return false };
    let local = Zone::iana(zone).unwrap().to_local(at);
    local.to_string() == value
        || (local.time() == jiff::civil::Time::midnight() && local.date().to_string() == value)
}

/// What is at a path; `None` when it is absent.
fn texts(item: &Item, path: &str) -> Option<Vec<String>> {
    let item = told(item);
    let one = |element: &Element| Some(vec![element.text().into_owned()]);
    if let Some(property) = path.strip_prefix("ext:") {
        let wanted = extended(property);
        let properties = item.children().filter(|child| child.name().local() == "ExtendedProperty");
        let of = |found: &&Element| found.find("ExtendedFieldURI").is_some_and(|uri| is(uri, &wanted));
        return properties.filter(of).find_map(|found| one(found.find("Value")?));
    }
    let (_, path) = path.split_once(':')?;
    if let Some(local) = path.strip_suffix("@Id") {
        return item.find(local).map(|zone| vec![zone.attribute("Id").unwrap_or_default().to_owned()]);
    }
    let (path, key) = match path.strip_suffix(']').and_then(|path| path.split_once('[')) {
        Some((path, key)) => (path, Some(key)),
        None => (path, None),
    };
    let entry = |list: &str, key: &str| {
        item.find(list)?.children().find(|entry| entry.attribute("Key") == Some(key)).cloned()
    };
    match (path, key) {
        ("Body", Some(kind)) => {
            item.find("Body").filter(|body| body.attribute("BodyType") == Some(kind)).and_then(one)
        }
        ("Categories" | "Children", _) => {
            let all = item.find(path)?.children().map(|child| child.text().into_owned());
            Some(all.collect::<Vec<_>>()).filter(|all| !all.is_empty())
        }
        ("EmailAddress", Some(key)) => one(&entry("EmailAddresses", key)?),
        ("PhoneNumber", Some(key)) => one(&entry("PhoneNumbers", key)?),
        ("ImAddress", Some(key)) => one(&entry("ImAddresses", key)?),
        (path, Some(key)) if path.starts_with("PhysicalAddress:") => {
            let part = one(entry("PhysicalAddresses", key)?.find(path.rsplit(':').next()?)?)?;
            Some(part).filter(|part| !part[0].is_empty())
        }
        (path, None) => one(path.split('/').try_fold(&item, |at, local| at.find(local))?),
        (path, _) => one(item.find(path)?),
    }
}

/// Whether an ExtendedFieldURI is that of this property.
fn is(uri: &Element, wanted: &ExtendedProperty) -> bool {
    let set = match wanted.set {
        Set::Tag => true,
        Set::Distinguished(name) => uri.attribute("DistinguishedPropertySetId") == Some(name),
        Set::Guid(guid) => uri.attribute("PropertySetId").is_some_and(|id| id.eq_ignore_ascii_case(guid)),
    };
    let key = match wanted.key {
        Key::Name(name) => uri.attribute("PropertyName") == Some(name),
        Key::Number(number) if wanted.set == Set::Tag => uri
            .attribute("PropertyTag")
            .is_some_and(|tag| tag.eq_ignore_ascii_case(&format!("0x{number:04X}"))),
        Key::Number(number) => uri.attribute("PropertyId") == Some(number.to_string().as_str()),
    };
    set && key
}

/// `SET/ID/TYPE`
fn extended(path: &str) -> ExtendedProperty {
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let mut parts = path.split('/');
    let (set, id, kind) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or("String"));
    let set = match set {
        "tag" => Set::Tag,
        guid if guid.len() == 36 => Set::Guid(keep(guid)),
        name => Set::Distinguished(keep(name)),
    };
    let key = match id.strip_prefix("0x") {
        Some(hex) => Key::Number(u32::from_str_radix(hex, 16).unwrap()),
        None => Key::Name(keep(id)),
    };
    ExtendedProperty { set, key, kind: keep(kind) }
}

/// What is wrong with the type in which an extended property is written.
pub fn judge_type(class: ItemClass, changes: &[Change], assertion: &str) -> Option<String> {
    let wanted = extended(assertion.strip_prefix("ext:")?.split_whitespace().next()?);
    changes.iter().find_map(|change| match row(class, change.field).at {
        At::Extended(is) if is.set == wanted.set && is.key == wanted.key && is.kind != wanted.kind => {
            Some(format!("{assertion}\n      written as {}", is.kind))
        }
        _ => None,
    })
}

/// The text after a word, up to the next word that is known.
fn after(value: &str, word: &str) -> Option<String> {
    const WORDS: [&str; 9] = [
        "Content",
        "Name",
        "EmailAddress",
        "RoutingType",
        "MailboxType",
        "ItemId",
        "IsContactPhoto",
        "ContentType",
        "the",
    ];
    let mut words = value.split_whitespace().skip_while(|found| *found != word).skip(1);
    let text: Vec<&str> = words.by_ref().take_while(|found| !WORDS.contains(found)).collect();
    (!text.is_empty()).then(|| text.join(" ").trim_end_matches(',').to_owned())
}

fn number(path: &str) -> usize {
    path.split(['[', ']']).nth(1).unwrap().parse::<usize>().unwrap() - 1
}

fn is_member(item: &Item, path: &str, value: &str) -> bool {
    let members = item.members();
    let Some(member) = members.get(number(path)) else { return false };
    let same = |word, seen: &str| after(value, word).is_none_or(|wanted| wanted == seen);
    same("Name", &member.name)
        && same("EmailAddress", &member.address)
        && same("RoutingType", &member.routing)
        && same("MailboxType", &member.kind)
        && value.contains("ItemId") == member.item.is_some()
}

fn is_attachment(item: &Item, path: &str, value: &str) -> bool {
    let attachments = item.attachments();
    let Some(attachment) = attachments.get(number(path)) else { return false };
    after(value, "Name").is_none_or(|name| name == attachment.name)
        && after(value, "IsContactPhoto").is_none_or(|flag| flag == attachment.is_contact_photo.to_string())
        && after(value, "ContentType").is_none_or(|kind| Some(kind) == attachment.content_type)
}
