//! The `ews` blocks of the cases: what an item in Exchange must be.

use exdav::ews::field::{ExtendedProperty, Key, Set};
use exdav::ews::types::Item;
use exdav::ews::types::write::{Change, Field};
use exdav::model::zone::Zone;

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

fn at_midnight(item: &Item, zone: &str, path: &str, value: &str) -> bool {
    let is_day = item.flag("IsAllDayEvent") || ["StartDate", "DueDate", "CompleteDate"].contains(&path);
    let Some(at) = item.time(path).filter(|_| is_day) else { return false };
    let local = Zone::iana(zone).unwrap().to_local(at);
    local.to_string() == value
        || (local.time() == jiff::civil::Time::midnight() && local.date().to_string() == value)
}

/// What is at a path; `None` when it is absent.
fn texts(item: &Item, path: &str) -> Option<Vec<String>> {
    let one = |text: Option<String>| text.map(|text| vec![text]);
    if let Some(property) = path.strip_prefix("ext:") {
        return one(item.extended(&extended(property)));
    }
    let (_, path) = path.split_once(':')?;
    if let Some(local) = path.strip_suffix("@Id") {
        return one(item.zone(local).map(|zone| zone.id));
    }
    let (path, key) = match path.strip_suffix(']').and_then(|path| path.split_once('[')) {
        Some((path, key)) => (path, Some(key)),
        None => (path, None),
    };
    match (path, key) {
        ("Body", Some(kind)) => {
            item.body().and_then(|(seen, text)| if seen == kind { Some(vec![text]) } else { None })
        }
        ("Categories" | "Children", _) => Some(item.strings(path)).filter(|all| !all.is_empty()),
        ("EmailAddress", Some(key)) => one(entry(item, "EmailAddresses", key)),
        ("PhoneNumber", Some(key)) => one(entry(item, "PhoneNumbers", key)),
        ("ImAddress", Some(key)) => one(entry(item, "ImAddresses", key)),
        (path, Some(key)) if path.starts_with("PhysicalAddress:") => {
            let (_, address) = item.addresses().into_iter().find(|(known, _)| known == key)?;
            let part = match path.rsplit(':').next()? {
                "Street" => address.street,
                "City" => address.city,
                "State" => address.state,
                "PostalCode" => address.postal_code,
                _ => address.country,
            };
            Some(vec![part]).filter(|part| !part[0].is_empty())
        }
        (path, None) if path.contains('/') => one(item.nested(&path.split('/').collect::<Vec<_>>())),
        (path, _) => one(item.text(path)),
    }
}

fn entry(item: &Item, list: &str, key: &str) -> Option<String> {
    item.entries(list).into_iter().find(|(known, _)| known == key).map(|(_, text)| text)
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
pub fn judge_type(changes: &[Change], assertion: &str) -> Option<String> {
    let wanted = extended(assertion.strip_prefix("ext:")?.split_whitespace().next()?);
    changes.iter().find_map(|change| match change.field {
        Field::Extended(is) if is.set == wanted.set && is.key == wanted.key && is.kind != wanted.kind => {
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
