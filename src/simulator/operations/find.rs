//! FindItem: paging, calendar views, restrictions, sort orders. MS-OXWSSRCH

use super::{Call, Messages, listed};
use crate::simulator::calendar::series;
use crate::simulator::calendar::write::instant;
use crate::simulator::element::Element;
use crate::simulator::field::{self, Field, ValueKind};
use crate::simulator::item::ItemKind;
use crate::simulator::mailbox::{Folder, Mailbox};
use crate::simulator::mapi;
use crate::simulator::permissions;
use crate::simulator::shape::{Shape, extended_name};
use crate::simulator::soap::Fault;
use crate::simulator::view::{Style, View};
use crate::simulator::world::{self, Refusal, Target};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;

/// Most items of an answer; fewer with a restriction. docs/EXCHANGE.md, Limits
const PAGE: usize = 1000;
const RESTRICTED_PAGE: usize = 250;

/// First row and most rows of an `IndexedPage…View`.
pub fn page(view: Option<&Element>) -> (usize, usize) {
    let number = |name| view.and_then(|v| v.attribute(name)).and_then(|t| t.parse::<usize>().ok());
    let first = match view.and_then(|v| v.attribute("BasePoint")) {
        Some("End") => 0,
        _ => number("Offset").unwrap_or(0),
    };
    (first, number("MaxEntriesReturned").unwrap_or(PAGE).min(PAGE))
}

/// MS-OXWSSRCH 3.1.4.2
pub fn items(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let zone = call.zone.as_ref().map(|(_, zone)| zone);
    let one = |parent: &Element| find_in(mailbox, parent, call.request, zone);
    Ok(listed(call.request, "ParentFolderIds").iter().map(one).collect())
}

fn find_in(
    mailbox: &Mailbox,
    parent: &Element,
    request: &Element,
    zone: Option<&TimeZone>,
) -> Result<Vec<Element>, Refusal> {
    let folder = world::folder(mailbox, parent)?;
    permissions::readable(mailbox, folder)?;
    let shape = Shape::read(request.child("ItemShape").ok_or_else(Refusal::no_folder)?)?;
    if shape.wants_mime() {
        return Err(Refusal::new(
            "ErrorInvalidPropertyForOperation",
            "The property is not valid for this operation.",
        ));
    }
    let utc_zone = TimeZone::UTC;
    let reading = zone.unwrap_or(&utc_zone);
    if let Some(view) = request.child("CalendarView") {
        return calendar_view(mailbox, folder, view, &shape, zone, reading);
    }
    let restriction = request.child("Restriction").and_then(|r| r.children.first());
    if !mailbox.product.traits().finds_octets && restriction.is_some_and(is_of_octets) {
        return Err(Refusal::new("ErrorInvalidRestriction", "E-3241: invalid restriction"));
    }
    let mut found: Vec<View<'_>> = mailbox
        .items_in(folder)
        .filter_map(|item| View::of(mailbox, Target { key: item.key, occurrence: None }))
        .collect();
    if let Some(restriction) = restriction {
        let mut kept = Vec::new();
        for view in found {
            if fits(&view, restriction, reading)? {
                kept.push(view);
            }
        }
        found = kept;
    }
    // The first order is the primary one: what later ones have put in order stays so among equals.
    for order in listed(request, "SortOrder").iter().rev() {
        let path = order.children.first().ok_or_else(Refusal::no_folder)?;
        let mut rows = Vec::with_capacity(found.len());
        for view in found {
            let rank = value(&view, path)?.map(|text| Rank::of(view.item.kind, path, &text, reading));
            rows.push((rank, view));
        }
        let is_descending = order.attribute("Order") == Some("Descending");
        rows.sort_by(|(a, _), (b, _)| {
            let by = match (a, b) {
                (Some(a), Some(b)) => a.compare(b),
                _ => a.is_some().cmp(&b.is_some()),
            };
            if is_descending { by.reverse() } else { by }
        });
        found = rows.into_iter().map(|(_, view)| view).collect();
    }
    let total = found.len();
    let (first, mut most) =
        page(request.child("IndexedPageItemView").or_else(|| request.child("ContactsView")));
    if restriction.is_some() {
        most = most.min(RESTRICTED_PAGE);
    }
    let shown: Result<Vec<Element>, Refusal> =
        found.iter().skip(first).take(most).map(|view| shape.write(view, zone, true)).collect();
    let shown = shown?;
    let next = first + shown.len();
    let root = Element::message("RootFolder")
        .with("IndexedPagingOffset", next.to_string())
        .with("TotalItemsInView", total.to_string())
        .with("IncludesLastItemInRange", (next >= total).to_string());
    Ok(vec![root.push(Element::new("Items").push_all(shown))])
}

/// Whether items are looked for by a UID or by another property of octets.
fn is_of_octets(restriction: &Element) -> bool {
    restriction.attribute("PropertyType") == Some("Binary")
        || restriction.attribute("FieldURI") == Some("calendar:UID")
        || restriction.children.iter().any(is_of_octets)
}

/// Single items and occurrences within a window, never masters.
fn calendar_view(
    mailbox: &Mailbox,
    folder: crate::simulator::item::FolderKey,
    view: &Element,
    shape: &Shape<'_>,
    zone: Option<&TimeZone>,
    reading: &TimeZone,
) -> Result<Vec<Element>, Refusal> {
    let at = |name: &str| view.attribute(name).and_then(|text| instant(text, reading));
    let wrong = || Refusal::new("ErrorInvalidArgument", "The calendar view is incomplete.");
    let (from, to) = (at("StartDate").ok_or_else(wrong)?, at("EndDate").ok_or_else(wrong)?);
    if to < from {
        return Err(Refusal::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "EndDate is earlier than StartDate",
        ));
    }
    if to.duration_since(from) > SignedDuration::from_hours(24 * 731) {
        return Err(Refusal::new(
            "ErrorCalendarViewRangeTooBig",
            "The specified view range exceeds the maximum range of two years.",
        ));
    }
    let mut found: Vec<(Timestamp, View<'_>)> =
        occurrences(mailbox, folder, from, to).into_iter().map(|(start, _, view)| (start, view)).collect();
    found.sort_by_key(|(start, _)| *start);
    let total = found.len();
    let most = view.attribute("MaxEntriesReturned").and_then(|t| t.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let shown: Result<Vec<Element>, Refusal> =
        found.iter().take(most).map(|(_, view)| shape.write(view, zone, true)).collect();
    let root = Element::message("RootFolder")
        .with("TotalItemsInView", total.to_string())
        .with("IncludesLastItemInRange", (total <= most).to_string());
    Ok(vec![root.push(Element::new("Items").push_all(shown?))])
}

/// Single items and occurrences that touch a window: start, end and what they are.
pub fn occurrences(
    mailbox: &Mailbox,
    folder: crate::simulator::item::FolderKey,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp, View<'_>)> {
    let touches =
        |start: Timestamp, end: Timestamp| start < to && (end > from || (start == end && start >= from));
    let mut found = Vec::new();
    for item in mailbox.items_in(folder).filter(|item| item.kind == ItemKind::CalendarItem) {
        if item.properties.get(field::RECURRENCE).is_some() {
            // An exception may have been moved into the window from beyond it.
            let last_moved = item.exceptions.modified.keys().next_back().copied().unwrap_or(to);
            let end = last_moved.max(to).checked_add(SignedDuration::from_hours(24)).unwrap_or(to);
            for occurrence in series::until(item, end) {
                if !occurrence.deleted && touches(occurrence.start, occurrence.end) {
                    found.push((
                        occurrence.start,
                        occurrence.end,
                        View::of_occurrence(mailbox, item, occurrence),
                    ));
                }
            }
        } else if let (Some(start), Some(end)) =
            (item.properties.time(field::START), item.properties.time(field::END))
            && touches(start, end)
            && let Some(view) = View::of(mailbox, Target { key: item.key, occurrence: None })
        {
            found.push((start, end, view));
        }
    }
    found
}

/// The text of what a path leads to; `None` when the item does not have it.
fn value(view: &View<'_>, path: &Element) -> Result<Option<String>, Refusal> {
    match path.name {
        "ExtendedFieldURI" => {
            let name = extended_name(path)?;
            let stored = view.extended(&name).cloned().or_else(|| mapi::computed(view, &name));
            Ok(stored.and_then(|value| value.texts.into_iter().next()))
        }
        "IndexedFieldURI" => {
            let list = match path.attribute("FieldURI") {
                Some("contacts:EmailAddress") => field::EMAIL_ADDRESSES,
                Some("contacts:PhoneNumber") => field::PHONE_NUMBERS,
                Some("contacts:ImAddress") => field::IM_ADDRESSES,
                _ => return Ok(None),
            };
            let key = path.attribute("FieldIndex");
            let list = view.stored(list);
            Ok(list
                .and_then(|l| l.children.iter().find(|e| e.attribute("Key") == key))
                .map(|e| e.text.clone()))
        }
        _ => {
            let uri = path.attribute("FieldURI").unwrap_or_default();
            let kind = view.item.kind;
            let Some(field) = Field::of_uri(kind, uri) else { return Ok(None) };
            if !field.row().searchable() {
                return Err(Refusal {
                    field: Some(field.row().uri),
                    ..Refusal::new("ErrorUnsupportedPathForQuery", "The path is not supported in a query.")
                });
            }
            if !kind.has(field.row().class) {
                return Ok(None);
            }
            let style = Style { zone: None, body: "Best" };
            Ok(view.property(field, &style).map(|e| match e.name {
                "ItemId" | "ParentFolderId" => e.attribute("Id").unwrap_or_default().to_owned(),
                "Organizer" => e.at(&["Mailbox", "Name"]).map(|n| n.text.clone()).unwrap_or_default(),
                "Categories" => e.children.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join("\n"),
                _ => e.text,
            }))
        }
    }
}

/// Whether an item fits a restriction. MS-OXWSSRCH 2.2.3
fn fits(view: &View<'_>, test: &Element, zone: &TimeZone) -> Result<bool, Refusal> {
    let all = |wanted: bool| {
        for child in &test.children {
            if fits(view, child, zone)? != wanted {
                return Ok(!wanted);
            }
        }
        Ok(wanted)
    };
    match test.name {
        "And" => all(true),
        "Or" => all(false),
        "Not" => Ok(!fits(view, test.children.first().ok_or_else(Refusal::no_folder)?, zone)?),
        "Exists" => Ok(value(view, test.children.first().ok_or_else(Refusal::no_folder)?)?.is_some()),
        "Contains" => {
            let path = test.children.first().ok_or_else(Refusal::no_folder)?;
            let constant = test.child("Constant").and_then(|c| c.attribute("Value")).unwrap_or_default();
            let found = value(view, path)?.unwrap_or_default();
            Ok(contains(test, &found, constant))
        }
        "Excludes" => Ok(true),
        _ => {
            let path = test.children.first().ok_or_else(Refusal::no_folder)?;
            let other = test.child("FieldURIOrConstant").and_then(|f| f.children.first());
            let constant = match other {
                Some(constant) if constant.name == "Constant" => {
                    constant.attribute("Value").map(str::to_owned)
                }
                Some(path) => value(view, path)?,
                None => None,
            };
            let (Some(found), Some(constant)) = (value(view, path)?, constant) else {
                return Ok(test.name == "IsNotEqualTo");
            };
            let rank = |text: &str| Rank::of(view.item.kind, path, text, zone);
            let order = rank(&found).compare(&rank(&constant));
            Ok(match test.name {
                "IsEqualTo" => order.is_eq(),
                "IsNotEqualTo" => order.is_ne(),
                "IsGreaterThan" => order.is_gt(),
                "IsGreaterThanOrEqualTo" => order.is_ge(),
                "IsLessThan" => order.is_lt(),
                _ => order.is_le(),
            })
        }
    }
}

/// A value as Exchange puts it in order: times as instants, numbers as numbers, all else without regard to case.
enum Rank {
    Time(Timestamp),
    Number(f64),
    Text(String),
}

impl Rank {
    fn of(kind: ItemKind, path: &Element, text: &str, zone: &TimeZone) -> Self {
        let field = path.attribute("FieldURI").and_then(|uri| Field::of_uri(kind, uri));
        let form = match path.attribute("PropertyType") {
            Some("SystemTime") => ValueKind::Time,
            Some("Integer" | "Long" | "Short" | "Double" | "Float") => ValueKind::Number,
            _ => field.map_or(ValueKind::Text, |field| field.row().kind),
        };
        let ranked = match form {
            ValueKind::Time => instant(text, zone).map(Self::Time),
            ValueKind::Number => text.parse().ok().map(Self::Number),
            _ => None,
        };
        ranked.unwrap_or_else(|| Self::Text(text.to_lowercase()))
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(_), _) | (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), _) | (Self::Number(_), Self::Time(_)) => Ordering::Greater,
        }
    }
}

fn contains(test: &Element, found: &str, constant: &str) -> bool {
    let exact = matches!(test.attribute("ContainmentComparison"), Some("Exact") | None);
    let (found, constant) = if exact {
        (found.to_owned(), constant.to_owned())
    } else {
        (found.to_lowercase(), constant.to_lowercase())
    };
    match test.attribute("ContainmentMode") {
        Some("FullString") | None => found == constant,
        Some("Prefixed" | "PrefixOnWords") => found.starts_with(&constant),
        _ => found.contains(&constant),
    }
}

/// Whether a folder fits a restriction: those that clients send name its class or its name.
pub fn folder_fits(folder: &Folder, test: &Element) -> bool {
    let value = |path: &Element| match (path.attribute("FieldURI"), path.attribute("PropertyTag")) {
        (Some("folder:FolderClass"), _) => Some(folder.class.clone()),
        (Some("folder:DisplayName"), _) => Some(folder.display_name.clone()),
        (_, Some("0x3613" | "0x3613001f")) => Some(folder.class.clone()),
        _ => None,
    };
    match test.name {
        "And" => test.children.iter().all(|t| folder_fits(folder, t)),
        "Or" => test.children.iter().any(|t| folder_fits(folder, t)),
        "Not" => !test.children.iter().all(|t| folder_fits(folder, t)),
        "Exists" => test.children.first().and_then(value).is_some(),
        "Contains" => {
            let constant = test.child("Constant").and_then(|c| c.attribute("Value")).unwrap_or_default();
            test.children.first().and_then(value).is_some_and(|found| contains(test, &found, constant))
        }
        _ => {
            let constant = test.at(&["FieldURIOrConstant", "Constant"]).and_then(|c| c.attribute("Value"));
            let found = test.children.first().and_then(value);
            let equal = found.as_deref() == constant;
            if test.name == "IsNotEqualTo" { !equal } else { equal }
        }
    }
}
