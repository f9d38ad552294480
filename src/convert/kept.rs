//! The client's own text, kept on the item in Exchange beside fingerprints of what Exchange made of it.
//!
//! `1;KIND;z;LENGTH;SHA;GOID;SUMS;DATA`, see the fields of [`Kept`]. With `zN` instead of `z` the data goes on in other
//! properties, N in all: Exchange is not known to take longer ones.

use super::event::time::{EventTimes, Moment};
use super::identity;
use crate::model::field_group::{FieldGroup, Format};
use crate::model::item::{Change, Field, Item, Value};
use crate::model::windows_zones;
use crate::model::zone::Zone;
use crate::text::{Component, Line};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

/// The longest piece of a packed text: what one property holds.
const MAX_DATA: usize = 30_000;
/// The most pieces.
const MAX_PIECES: usize = 8;
/// The longest text that is unpacked.
const MAX_OCTETS: u64 = 8 << 20;

/// Fingerprints that came after the first, and the groups that they belong to: texts of versions before know
/// nothing of them.
const LATER: [(FieldGroup, FieldGroup); 3] = [
    (FieldGroup::MarkUp, FieldGroup::Body),
    (FieldGroup::PlaceName, FieldGroup::Place),
    (FieldGroup::Occurrences, FieldGroup::Rule),
];
/// The order of the first ones in what is written; the others follow.
const FIRST: &str = "SBLTRFCIKAPHJ";

/// A client's text as it was PUT.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    /// The text; `None` when it was too long to be kept on the item.
    pub octets: Option<Bytes>,
    /// Fingerprint of Exchange's UID when it was written: a copied item has another one.
    owner: String,
    /// Fingerprints of Exchange's fields right after the write, by group.
    sums: BTreeMap<FieldGroup, String>,
}

impl Kept {
    /// What an item keeps; `None` when it is of another version or kind, damaged or not complete.
    pub fn of(item: &Item, kind: &str) -> Option<Self> {
        let (text, more_pieces) = item.kept().split_first()?;
        let mut parts = text.trim().splitn(8, ';');
        let mut next = || parts.next();
        if next()? != "1" || next()? != kind {
            return None;
        }
        let (packing, length, digest, owner, sums, data) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let octets = match packing.strip_prefix('z') {
            Some(pieces) => {
                let more =
                    if pieces.is_empty() { 0 } else { pieces.parse::<usize>().ok()?.checked_sub(1)? };
                let mut data = data.to_owned();
                more_pieces.get(..more)?.iter().for_each(|piece| data.push_str(piece));
                let packed = STANDARD.decode(data).ok()?;
                let mut octets = Vec::new();
                DeflateDecoder::new(packed.as_slice()).take(MAX_OCTETS).read_to_end(&mut octets).ok()?;
                let intact = length.parse() == Ok(octets.len()) && identity::hash(&octets, 16) == digest;
                Some(Bytes::from(intact.then_some(octets)?))
            }
            None if packing == "-" => None,
            None => return None,
        };
        let format = if kind == "ics" { Format::Calendar } else { Format::Card };
        let sums = sums.split(',').filter_map(|sum| {
            let (letter, hash) = sum.split_once(':')?;
            Some((FieldGroup::of_letter(format, letter.chars().next()?)?, hash.to_owned()))
        });
        Some(Self { octets, owner: owner.to_owned(), sums: sums.collect() })
    }

    /// Whether it was written for the item that has this UID in Exchange (empty for items without one).
    pub fn is_of(&self, exchange_uid: &str) -> bool {
        self.owner == fingerprint(exchange_uid)
    }

    /// The fingerprint of a group right after the write.
    pub fn sum(&self, group: FieldGroup) -> Option<&str> {
        self.sums.get(&group).map(String::as_str)
    }

    /// The groups that are no longer what they were.
    pub fn changed(&self, now: &BTreeMap<FieldGroup, String>) -> BTreeSet<FieldGroup> {
        let groups = self.sums.keys().chain(now.keys());
        let changed = groups.filter(|group| self.sums.get(group) != now.get(group)).copied();
        changed
            .filter_map(|group| match LATER.iter().find(|(later, _)| *later == group) {
                Some((_, whole)) => self.sums.contains_key(&group).then_some(*whole),
                None => Some(group),
            })
            .collect()
    }
}

/// The properties that keep a text: `sums` are the fingerprints of the item as Exchange has it after the write. `item`
/// is the one that is written: what it keeps and no longer needs is removed.
///
/// A text that is too long is not kept on the item; its fingerprints still tell whose it was.
pub(super) fn write(
    octets: &[u8],
    kind: &str,
    exchange_uid: &str,
    sums: &BTreeMap<FieldGroup, String>,
    item: &Item,
) -> Vec<Change> {
    let data = pack(octets);
    let pieces = pieces(&data);
    let (packing, pieces) = match pieces.len() {
        0 | 1 => ("z".to_owned(), pieces),
        many @ ..=MAX_PIECES => (format!("z{many}"), pieces),
        _ => ("-".to_owned(), Vec::new()),
    };
    let mut pieces = pieces.into_iter();
    let data = pieces.next().unwrap_or_default();
    let mut groups: Vec<&FieldGroup> = sums.keys().collect();
    groups.sort_by_key(|group| FIRST.find(group.letter()).unwrap_or(FIRST.len()));
    let sums: Vec<String> = groups
        .into_iter()
        .filter_map(|group| sums.get(group).map(|sum| format!("{}:{sum}", group.letter())))
        .collect();
    let (length, digest, owner) = (octets.len(), identity::hash(octets, 16), fingerprint(exchange_uid));
    let head = format!("1;{kind};{packing};{length};{digest};{owner};{};{data}", sums.join(","));
    let mut all: Vec<String> = std::iter::once(head).chain(pieces.map(str::to_owned)).collect();
    // What it keeps beyond that is removed: an empty piece.
    all.resize(all.len().max(item.kept().len()), String::new());
    vec![Change::set(Field::Kept, Value::Strings(all))]
}

/// A packed text, cut into what properties hold.
fn pieces(data: &str) -> Vec<&str> {
    let starts = (0..data.len()).step_by(MAX_DATA);
    starts.filter_map(|start| data.get(start..data.len().min(start + MAX_DATA))).collect()
}

/// Whether a text is short enough to be kept on an item.
pub(super) fn fits(octets: &[u8]) -> bool {
    pack(octets).len() <= MAX_DATA * MAX_PIECES
}

fn pack(octets: &[u8]) -> String {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = packer.write_all(octets).and_then(|()| packer.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

/// A fingerprint of a text.
pub(super) fn fingerprint(text: &str) -> String {
    identity::hash(text, 8)
}

/// An instant as fingerprints have it.
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
thread_local! {
    /// How many lines were read as moments: what the work for a series with many overrides grows by.
    pub(super) static MOMENTS_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A DATE or DATE-TIME line as an instant or day; zones that are not known, and none, are those of the series.
fn moment(line: &Line, series: &EventTimes) -> Option<Moment> {
    #[cfg(test)]
    MOMENTS_READ.with(|count| count.set(count.get() + 1));
    let value = line.value.trim();
    if let Some(utc) = value.strip_suffix('Z') {
        return Some(Moment::Utc(Zone::Utc.to_instant(local(utc)?)));
    }
    if !value.contains('T') {
        return Date::strptime("%Y%m%d", value).ok().map(Moment::Date);
    }
    let named = |name: &str| Zone::iana(name).or_else(|| Zone::iana(windows_zones::to_iana(name)?));
    let zone = line.param("TZID").and_then(named).unwrap_or_else(|| series.zone().clone());
    Some(Moment::Utc(zone.to_instant(local(value)?)))
}

fn local(value: &str) -> Option<DateTime> {
    DateTime::strptime("%Y%m%dT%H%M%S", value).ok()
}

/// Whether a component is the override of this occurrence.
pub(super) fn is_override_of(event: &Component, original: Timestamp, series: &EventTimes) -> bool {
    !Overrides::of(std::iter::once(event), series).find(original, series).is_empty()
}

/// The places of the overrides among the events of a text, so that each of many is found without reading all.
#[derive(Default)]
pub(super) struct Overrides {
    at: BTreeMap<Timestamp, Vec<usize>>,
    /// Those that a day names, and those of whole days whatever names them.
    on: BTreeMap<Date, Vec<usize>>,
}

impl Overrides {
    /// Reads the RECURRENCE-ID of each event once.
    pub fn of<'a>(events: impl Iterator<Item = &'a Component>, series: &EventTimes) -> Self {
        let mut found = Self::default();
        for (place, event) in events.enumerate() {
            match event.line("RECURRENCE-ID").and_then(|line| moment(line, series)) {
                Some(Moment::Utc(at)) if series.is_all_day() => {
                    found.on.entry(series.zone().day_meant(at)).or_default().push(place);
                }
                Some(Moment::Utc(at)) => found.at.entry(at).or_default().push(place),
                Some(Moment::Date(day)) => found.on.entry(day).or_default().push(place),
                _ => {}
            }
        }
        found
    }

    /// The overrides of an occurrence, in their order: one, unless a text names it twice.
    pub fn find(&self, original: Timestamp, series: &EventTimes) -> Vec<usize> {
        let days = [series.at(original), series.day_of(original)];
        let of_days = days.iter().filter_map(|day| match day {
            Moment::Date(day) => self.on.get(day),
            _ => None,
        });
        let places = self.at.get(&original).into_iter().chain(of_days).flatten();
        let places: BTreeSet<usize> = places.copied().collect();
        places.into_iter().collect()
    }
}

/// Start and end of a component, comparable.
pub(super) fn extent(event: &Component, series: &EventTimes) -> Option<(Moment, Option<Moment>)> {
    let start = moment(event.line("DTSTART")?, series)?;
    let end = match (event.line("DTEND"), event.value("DURATION"), &start) {
        (Some(line), _, _) => moment(line, series),
        (None, Some(length), Moment::Utc(at)) => {
            let length: jiff::Span = length.parse().ok()?;
            let zoned = at.to_zoned(jiff::tz::TimeZone::UTC).checked_add(length).ok()?;
            Some(Moment::Utc(zoned.timestamp()))
        }
        (None, _, _) => None,
    };
    Some((start, end))
}

/// Sets the only line of a name, in the place of the old one.
pub(super) fn set_line(component: &mut Component, name: &str, new: Option<&Line>) {
    let Some(new) = new else { return };
    match component.lines.iter_mut().find(|line| line.name == name) {
        Some(old) => *old = new.clone(),
        None => component.push(new.clone()),
    }
}

/// Takes over the times of Exchange's change, and its SEQUENCE where that is higher.
pub(super) fn restamp(kept: &mut Component, fresh: &Component) {
    for name in ["DTSTAMP", "LAST-MODIFIED"] {
        set_line(kept, name, fresh.line(name));
    }
    let number =
        |component: &Component| component.value("SEQUENCE").and_then(|n| n.trim().parse::<i64>().ok());
    if number(fresh) > number(kept) {
        set_line(kept, "SEQUENCE", fresh.line("SEQUENCE"));
    }
}

/// Puts the lines of `fresh` that are meant in the place of the kept ones.
pub(super) fn replace_lines(kept: &mut Component, fresh: &Component, is_meant: impl Fn(&Line) -> bool) {
    let at = kept.lines.iter().position(&is_meant).unwrap_or(kept.lines.len());
    kept.lines.retain(|line| !is_meant(line));
    let new: Vec<Line> = fresh.lines.iter().filter(|line| is_meant(line)).cloned().collect();
    kept.lines.splice(at..at, new);
}
