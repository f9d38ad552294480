//! What contacts and lists have in common: versions, identity, and the client's own vCard.

use super::kept::Kept;
use super::write::line::says_the_same;
use super::{Context, Rendered, identity, phonetic_name, version};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Field, Item, ItemClass};
use crate::model::object::Span;
use crate::text::{Component, Line};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A version of vCard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// RFC 2426
    V3,
    /// RFC 6350
    V4,
}

/// Lines that Exchange changes together: the group and its properties.
pub(super) type Groups = &'static [(FieldGroup, &'static [&'static str])];
/// For each line of a card its place in Exchange as one of a group, empty where the group has no places: what has none
/// stays as the client wrote it.
pub(super) type Held<'a> = &'a dyn Fn(FieldGroup, &Component) -> Vec<Option<&'static str>>;

/// Separates the parts of a fingerprint's text.
pub(super) const UNIT: &str = "\u{1f}";

/// Lines of a card that are labelled or explained by others of their item group.
pub(super) struct Card {
    component: Component,
    version: Version,
    items: usize,
}

impl Card {
    /// A card of that version.
    pub fn new(version: Version, uid: &str) -> Self {
        let mut component = Component::new("VCARD");
        component.push(Line::raw("VERSION", if version == Version::V3 { "3.0" } else { "4.0" }));
        component.push(Line::raw("PRODID", super::PRODID));
        component.push(if version == Version::V3 { Line::text("UID", uid) } else { Line::raw("UID", uid) });
        Self { component, version, items: 0 }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn push(&mut self, line: Line) {
        self.component.push(line);
    }

    /// Adds a TEXT line where there is a text.
    pub fn text(&mut self, name: &str, text: Option<String>) {
        self.component.lines.extend(text.map(|text| Line::text(name, &text)));
    }

    /// Adds a line with Apple's label.
    pub fn labelled(&mut self, line: Line, label: &str) {
        self.items += 1;
        let group = format!("item{}", self.items);
        self.push(line.in_group(&group));
        self.push(Line::raw("X-ABLabel", label).in_group(&group));
    }

    /// Adds REV and gives the card.
    pub fn finish(mut self, item: &Item) -> Component {
        let form = if self.version == Version::V3 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y%m%dT%H%M%SZ" };
        let modified = item.time(Field::Modified);
        self.component.lines.extend(modified.map(|at| Line::raw("REV", at.strftime(form).to_string())));
        self.component
    }
}

/// Renders a contact or list in both versions; `project` makes a card of Exchange's fields.
pub(super) fn render(
    context: &Context,
    item: &Item,
    photo: Option<&[u8]>,
    (groups, held): (Groups, Held),
    sums: &BTreeMap<FieldGroup, String>,
    is_revised: bool,
    project: impl Fn(Version, &str) -> Component,
) -> Rendered {
    let kept = Kept::of(item, "vcf").filter(|kept| kept.is_of(""));
    let uid = identity::card_uid(item);
    let name = item.text(Field::ClientName).or_else(|| identity::davmail_name(item));
    let (mut v3, mut v4) = (project(Version::V3, &uid), project(Version::V4, &uid));
    let mut own = None;
    let mut is_corrected = false;
    let kept = kept.as_ref().and_then(|kept| Some((kept.octets.clone()?, kept)));
    if let Some((octets, kept)) = kept
        && let Ok(text) = Component::parse(&octets)
    {
        let as_kept = octets.clone();
        let (text, octets) = with_photo(text, octets, photo);
        let is_v4 = text.value("VERSION").map(str::trim) == Some("4.0");
        let (same, other) = if is_v4 { (&v4, &mut v3) } else { (&v3, &mut v4) };
        let changed = kept.changed(sums);
        let (text, octets) = if changed.is_empty() {
            (text, octets)
        } else {
            let merged = merge(&text, same, (groups, held), &changed);
            is_corrected = merged.is_corrected;
            let octets = Bytes::from(merged.text.write());
            (merged.text, octets)
        };
        if item.class == ItemClass::DistributionList {
            // Only Exchange knows the addresses of members that are named by UID.
            carry_over(&text, (groups, held), other);
            if changed.is_empty() {
                // The text is older than the item that carries it: its time says nothing.
                other.lines.retain(|line| line.name != "REV");
            }
        } else {
            let mut told = version::to(if is_v4 { Version::V3 } else { Version::V4 }, &text);
            // RFC 2426 3.1.2, RFC 6350 6.2.1: what must be there is.
            for name in ["UID", "FN", "N"] {
                if let (None, Some(line)) = (told.line(name), other.line(name)) {
                    told.push(line.clone());
                }
            }
            *other = told;
        }
        let is_written = octets != as_kept && text.has_spelled_names();
        own = Some((is_v4, octets, is_written));
    }
    let (mut body, mut vcard4) = (Bytes::from(v3.write()), Bytes::from(v4.write()));
    // Revision 1 wrote all names in upper case, and took the labels of what Exchange changed.
    let is_spelled = match own {
        Some((true, octets, is_written)) => {
            vcard4 = octets;
            is_written || v3.has_spelled_names()
        }
        Some((false, octets, is_written)) => {
            body = octets;
            is_written || v4.has_spelled_names()
        }
        None => v3.has_spelled_names() || v4.has_spelled_names(),
    };
    let revision = if is_spelled || is_corrected { 2 } else { u32::from(is_revised) };
    Rendered {
        occurrence: None,
        body,
        vcard4: Some(vcard4),
        name: identity::resource_name(name.as_deref(), &uid, ".vcf", item),
        fallback_name: identity::fallback_name(item, ".vcf"),
        uid,
        etag: identity::etag(context, item, &[], revision),
        schedule_tag: None,
        span: Span::default(),
        last_modified: item.time(Field::Modified).unwrap_or(Timestamp::UNIX_EPOCH),
        attachments: Vec::new(),
    }
}

/// Puts a photo's octets back in their place.
fn with_photo(mut text: Component, octets: Bytes, photo: Option<&[u8]>) -> (Component, Bytes) {
    let is_place = |line: &Line| line.name == "PHOTO" && line.value == super::write::PHOTO_PLACE;
    if !text.lines.iter().any(is_place) {
        return (text, octets);
    }
    let data = photo.map(|photo| STANDARD.encode(photo));
    text.lines.retain(|line| data.is_some() || !is_place(line));
    for line in text.lines.iter_mut().filter(|line| is_place(line)) {
        let data = data.clone().unwrap_or_default();
        line.value = if line.param("ENCODING").is_some() {
            data
        } else {
            format!("data:{};base64,{data}", media_type(photo.unwrap_or_default()))
        };
    }
    let octets = Bytes::from(text.write());
    (text, octets)
}

/// The media type of a picture by its first octets.
pub(super) fn media_type(picture: &[u8]) -> &'static str {
    match picture {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        _ => "image/jpeg",
    }
}

fn is_in_group(line: &Line, name: &str) -> bool {
    line.group.as_deref().is_some_and(|group| group.eq_ignore_ascii_case(name))
}

/// The client's text with what Exchange has changed since.
struct Merged {
    text: Component,
    /// Whether a line has another value and is else as the client wrote it.
    is_corrected: bool,
}

/// Lines that no field of Exchange could hold stay, and lines whose value is still there stay as the client wrote them,
/// with their labels. What is in the same place with another value keeps its types and its label.
fn merge(
    text: &Component,
    fresh: &Component,
    (groups, held): (Groups, Held),
    changed: &BTreeSet<FieldGroup>,
) -> Merged {
    let mut merged = text.clone();
    let mut is_corrected = false;
    let mut items = text.lines.iter().filter(|line| line.group.is_some()).count();
    let respelled = changed
        .contains(&FieldGroup::Phonetic)
        .then(|| phonetic_name::merge_phonetic_name(&mut merged, fresh.clone()));
    let fresh = respelled.as_ref().unwrap_or(fresh);
    for (which, properties) in groups {
        if !changed.contains(which) {
            continue;
        }
        let is_meant =
            |line: &Line| properties.contains(&line.name.as_str()) && !phonetic_name::is_spoken(line);
        let places = held(*which, fresh);
        let mut wanted: Vec<(&Line, Option<&str>)> =
            fresh.lines.iter().zip(places).filter(|(line, _)| is_meant(line)).collect();
        let mut gone: Vec<(usize, &'static str)> = Vec::new();
        let held = held(*which, &merged);
        for (at, (line, place)) in merged.lines.iter().zip(held).enumerate() {
            if !is_meant(line) {
                continue;
            }
            match wanted.iter().position(|(new, _)| says_the_same(new, line)) {
                Some(at) => drop(wanted.remove(at)),
                None => gone.extend(place.map(|place| (at, place))),
            }
        }
        let mut removed: Vec<Line> = Vec::new();
        let mut moved_abroad: Vec<String> = Vec::new();
        for (at, place) in gone {
            let Some(line) = merged.lines.get_mut(at) else { continue };
            let successor = wanted
                .iter()
                .position(|(new, of)| !place.is_empty() && *of == Some(place) && new.name == line.name);
            match successor.map(|at| wanted.remove(at)) {
                Some((new, _)) => {
                    is_corrected = true;
                    if country(line) != country(new) {
                        moved_abroad.extend(line.group.clone());
                    }
                    correct(line, new);
                }
                None => removed.push(line.clone()),
            }
        }
        // Apple's name of the country by which an address is laid out.
        merged.lines.retain(|line| {
            line.name != "X-ABADR" || !moved_abroad.iter().any(|group| is_in_group(line, group))
        });
        for line in &removed {
            merged.lines.retain(|other| {
                let explains = line.group.as_deref().is_some_and(|group| is_in_group(other, group));
                other != line && !(explains && other.name.starts_with("X-AB"))
            });
        }
        let at = merged.lines.iter().rposition(is_meant).map_or(merged.lines.len(), |at| at + 1);
        let mut new: Vec<Line> = Vec::new();
        for (line, _) in wanted {
            let Some(group) = &line.group else {
                new.push(line.clone());
                continue;
            };
            // Item groups are numbered anew: the client has its own.
            items += 1;
            let renamed = format!("ews{items}");
            let members = fresh.lines.iter().filter(|other| is_in_group(other, group));
            new.extend(members.map(|other| other.clone().in_group(&renamed)));
        }
        merged.lines.splice(at..at, new);
    }
    super::kept::set_line(&mut merged, "REV", fresh.line("REV"));
    Merged { text: merged, is_corrected }
}

/// The country of an address.
fn country(line: &Line) -> Option<&str> {
    line.value.rsplit(';').next().filter(|_| line.name == "ADR").map(str::trim)
}

/// Gives a line of the client another value of Exchange's. What else the client said of the old value, such as its form
/// as a URI or an address as one text, is not true of the new one.
fn correct(line: &mut Line, new: &Line) {
    line.params.retain(|parameter| matches!(parameter.name.as_str(), "" | "TYPE" | "PREF"));
    let own = new.params.iter().filter(|parameter| !matches!(parameter.name.as_str(), "" | "TYPE" | "PREF"));
    line.params.extend(own.cloned());
    line.value.clone_from(&new.value);
}

/// Lines that stand for nothing in the other version.
const OF_ONE_VERSION: [&str; 8] =
    ["VERSION", "UID", "REV", "PRODID", "KIND", "SORT-STRING", "X-ADDRESSBOOKSERVER-KIND", "X-ABSHOWAS"];

/// Lines that no field of Exchange holds are part of the other version too.
fn carry_over(text: &Component, (groups, held): (Groups, Held), other: &mut Component) {
    let mut is_held: Vec<bool> =
        text.lines.iter().map(|line| OF_ONE_VERSION.contains(&line.name.as_str())).collect();
    for (which, properties) in groups {
        for ((line, flag), place) in text.lines.iter().zip(&mut is_held).zip(held(*which, text)) {
            *flag |= place.is_some() && properties.contains(&line.name.as_str());
        }
    }
    let group = |line: &Line| line.group.as_deref().map(str::to_ascii_lowercase);
    let lines = || text.lines.iter().zip(&is_held);
    let held_groups: HashSet<String> =
        lines().filter(|(_, held)| **held).filter_map(|(line, _)| group(line)).collect();
    let is_free = |line: &Line| group(line).is_none_or(|group| !held_groups.contains(&group));
    let free = lines().filter(|(line, held)| !**held && is_free(line)).map(|(line, _)| line.clone());
    other.lines.extend(free);
}
