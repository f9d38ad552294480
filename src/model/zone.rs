//! One time zone type: UTC, a zone of the IANA database, or custom rules.

use super::recurrence::{Frequency, Rule};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Most transitions of a custom zone that one question looks at.
const MAX_ONSETS: usize = 10_000;
/// Parts of a VTIMEZONE; with all their history the oldest zones have some 150.
const MAX_PARTS: usize = 500;
/// RDATEs of a VTIMEZONE.
const MAX_DATES: usize = 2_000;

/// Names under which the IANA database files UTC itself.
const UTC_NAMES: [&str; 8] =
    ["UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"];

/// How wall clocks of one place relate to instants. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Coordinated Universal Time.
    Utc,
    /// A zone of the IANA database, or a fixed offset.
    Iana(TimeZone),
    /// Rules that came with the data. RFC 5545 3.6.5
    Custom(Arc<CustomZone>),
}

/// A zone that is known only by its rules.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomZone {
    /// What the data calls it (its TZID).
    pub name: String,
    /// Its STANDARD and DAYLIGHT parts; never empty.
    observances: Vec<Observance>,
}

/// A STANDARD or DAYLIGHT part of a VTIMEZONE. RFC 5545 3.6.5
#[derive(Clone, Debug, PartialEq)]
pub struct Observance {
    /// When it first takes effect, on the clock that shows `from`.
    pub onset: DateTime,
    /// When it takes effect again.
    pub rule: Option<Rule>,
    /// Further onsets, on the clock that shows `from`.
    pub dates: Vec<DateTime>,
    /// Offset before.
    pub from: Offset,
    /// Offset while it is in effect.
    pub to: Offset,
    /// TZNAME.
    pub name: Option<String>,
    /// DAYLIGHT rather than STANDARD.
    pub daylight: bool,
}

/// A change of a zone's offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// First instant of the new offset.
    pub at: Timestamp,
    /// Offset until then.
    pub from: Offset,
    /// Offset since then.
    pub to: Offset,
    /// Abbreviation since then.
    pub name: Option<String>,
    /// Whether daylight saving time begins or goes on.
    pub daylight: bool,
}

impl Zone {
    /// The zone of an IANA name, old links (`Asia/Calcutta`, `US/Eastern`) and any case included.
    pub fn iana(name: &str) -> Option<Self> {
        if UTC_NAMES.iter().any(|utc| utc.eq_ignore_ascii_case(name)) {
            return Some(Self::Utc);
        }
        TimeZone::get(name).ok().filter(|zone| !zone.is_unknown()).map(Self::Iana)
    }

    /// A zone that never changes its offset.
    pub fn fixed(offset: Offset) -> Self {
        if offset == Offset::UTC { Self::Utc } else { Self::Iana(TimeZone::fixed(offset)) }
    }

    /// A zone of rules that came with the data; `None` without any rule, and with more than anybody needs.
    pub fn custom(name: impl Into<String>, mut observances: Vec<Observance>) -> Option<Self> {
        let name = name.into();
        let dates: usize = observances.iter().map(|part| part.dates.len()).sum();
        if observances.len() > MAX_PARTS || dates > MAX_DATES {
            return None;
        }
        observances.iter_mut().for_each(Observance::forget_idle_rule);
        (!observances.is_empty()).then(|| Self::Custom(Arc::new(CustomZone { name, observances })))
    }

    /// IANA name or TZID; `None` for a fixed offset.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Utc => Some("UTC"),
            Self::Iana(zone) => zone.iana_name(),
            Self::Custom(zone) => Some(&zone.name),
        }
    }

    /// Whether this is UTC, under any of its names.
    pub fn is_utc(&self) -> bool {
        matches!(self, Self::Utc)
    }

    /// The instant at which wall clocks show `local`.
    ///
    /// A time that clocks skip is read with the offset before the gap, so it moves forward; of a time that
    /// clocks show twice, the first one. Beyond the range of instants, the nearest one. RFC 5545 3.3.5
    pub fn to_instant(&self, local: DateTime) -> Timestamp {
        let offset = match self {
            Self::Utc => Offset::UTC,
            Self::Iana(zone) => match zone.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset,
                AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
            },
            Self::Custom(zone) => zone.offset_of(local),
        };
        instant(offset, local)
    }

    /// What wall clocks show at an instant.
    pub fn to_local(&self, at: Timestamp) -> DateTime {
        self.offset(at).to_datetime(at)
    }

    /// The day that an instant means where days are asked for. Some write the midnight of the place, some that of
    /// UTC or the second before the next one: these name a day by themselves.
    pub fn day_meant(&self, at: Timestamp) -> Date {
        let utc = Self::Utc.to_local(at);
        let is_edge = [(0, 0, 0), (23, 59, 59)].contains(&(utc.hour(), utc.minute(), utc.second()));
        if is_edge { utc.date() } else { self.to_local(at).date() }
    }

    /// Distance of wall clocks from UTC at an instant.
    pub fn offset(&self, at: Timestamp) -> Offset {
        match self {
            Self::Utc => Offset::UTC,
            Self::Iana(zone) => zone.to_offset(at),
            Self::Custom(zone) => zone.offset(at),
        }
    }

    /// The changes of offset, daylight saving or abbreviation after `from` and before `to`, in order; at
    /// most 10,000.
    pub fn transitions(&self, from: Timestamp, to: Timestamp) -> Vec<Transition> {
        match self {
            Self::Utc => Vec::new(),
            Self::Iana(zone) => {
                let mut offset = zone.to_offset(from);
                zone.following(from)
                    .take_while(|next| next.timestamp() < to)
                    .take(MAX_ONSETS)
                    .map(|next| Transition {
                        at: next.timestamp(),
                        from: std::mem::replace(&mut offset, next.offset()),
                        to: next.offset(),
                        name: Some(next.abbreviation().to_owned()),
                        daylight: next.dst().is_dst(),
                    })
                    .collect()
            }
            Self::Custom(zone) => zone.transitions(from, to),
        }
    }

    /// The rules of a custom zone.
    pub fn observances(&self) -> Option<&[Observance]> {
        match self {
            Self::Custom(zone) => Some(&zone.observances),
            Self::Utc | Self::Iana(_) => None,
        }
    }
}

impl CustomZone {
    fn offset(&self, at: Timestamp) -> Offset {
        self.observances
            .iter()
            .filter_map(|part| part.latest_onset(at).map(|onset| (onset, part.to)))
            .max_by_key(|(onset, _)| *onset)
            .map_or_else(|| self.offset_before_all(), |(_, offset)| offset)
    }

    fn offset_before_all(&self) -> Offset {
        let earliest = self.observances.iter().min_by_key(|part| instant(part.from, part.onset));
        earliest.map_or(Offset::UTC, |part| part.from)
    }

    /// The offset with which a wall-clock time is to be read: the one before, in gaps and folds alike.
    fn offset_of(&self, local: DateTime) -> Offset {
        let day = SignedDuration::from_hours(24);
        let near = instant(Offset::UTC, local);
        let before = self.offset(near.saturating_sub(day).unwrap_or(Timestamp::MIN));
        let after = self.offset(near.saturating_add(day).unwrap_or(Timestamp::MAX));
        let holds = |offset: Offset| self.offset(instant(offset, local)) == offset;
        if before != after && !holds(before) && holds(after) { after } else { before }
    }

    fn transitions(&self, from: Timestamp, to: Timestamp) -> Vec<Transition> {
        let mut onsets: Vec<Transition> = self
            .observances
            .iter()
            .flat_map(|part| part.onsets(from, to))
            .filter(|onset| onset.at > from)
            .collect();
        onsets.sort_by_key(|onset| onset.at);
        onsets.dedup_by_key(|onset| onset.at);
        onsets.truncate(MAX_ONSETS);
        // TZOFFSETFROM is what the data claims; what was in effect is what the onset before it says.
        let mut offset = self.offset(from);
        for onset in &mut onsets {
            onset.from = std::mem::replace(&mut offset, onset.to);
        }
        onsets
    }
}

impl Observance {
    /// A rule that never comes again would be looked for, through all the years, at every question. No clock changes
    /// more often than daily.
    fn forget_idle_rule(&mut self) {
        let (clock, onset) = (Zone::fixed(self.from), self.onset);
        self.rule.take_if(|rule| {
            matches!(rule.frequency, Frequency::Hourly | Frequency::Minutely | Frequency::Secondly)
                || rule.occurrences(onset, &clock).nth(1).is_none()
        });
    }

    fn onsets(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Transition> + '_ {
        let clock = Zone::fixed(self.from);
        let (first, end) = (clock.to_local(from), clock.to_local(to));
        let ruled = self.rule.as_ref().map(|rule| {
            rule.occurrences(self.onset, &clock)
                .starting_at(first)
                .take_while(move |onset| *onset < end)
                .take(MAX_ONSETS)
        });
        std::iter::once(self.onset)
            .chain(self.dates.iter().copied())
            .filter(move |onset| (first..end).contains(onset))
            .chain(ruled.into_iter().flatten())
            .map(|onset| Transition {
                at: instant(self.from, onset),
                from: self.from,
                to: self.to,
                name: self.name.clone(),
                daylight: self.daylight,
            })
    }

    fn latest_onset(&self, at: Timestamp) -> Option<Timestamp> {
        let clock = Zone::fixed(self.from);
        let now = clock.to_local(at);
        let dated = self.dates.iter().copied().chain([self.onset]).filter(|onset| *onset <= now).max();
        // Rules come every year in practice; only the odd ones need a longer look back.
        let ruled = self.rule.as_ref().and_then(|rule| {
            [2, 12, 400].into_iter().find_map(|years| {
                let first = now.checked_sub(jiff::Span::new().years(years)).unwrap_or(DateTime::MIN);
                rule.occurrences(self.onset, &clock)
                    .starting_at(first)
                    .take_while(|onset| *onset <= now)
                    .take(MAX_ONSETS)
                    .last()
            })
        });
        dated.max(ruled).map(|onset| instant(self.from, onset))
    }
}

/// The instant of a clock that shows a fixed offset; beyond the range of instants the nearest one.
fn instant(offset: Offset, local: DateTime) -> Timestamp {
    let nearest = if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    offset.to_timestamp(local).unwrap_or(nearest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn part(rule: &str, dates: usize) -> Observance {
        let onset: DateTime = "1601-01-01T03:00".parse().unwrap();
        Observance {
            onset,
            rule: Some(rule.parse().unwrap()),
            dates: vec![onset; dates],
            from: Offset::constant(2),
            to: Offset::constant(1),
            name: None,
            daylight: false,
        }
    }

    #[test]
    fn rules_that_never_come_again_are_forgotten() {
        for (rule, stays) in [
            ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", true),
            ("FREQ=YEARLY;BYDAY=-1SU;BYSETPOS=10", false),
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", false),
            ("FREQ=SECONDLY", false),
        ] {
            let zone = Zone::custom("x", vec![part(rule, 0)]).unwrap();
            assert_eq!(zone.observances().unwrap()[0].rule.is_some(), stays, "{rule}");
            assert_eq!(zone.offset(Timestamp::UNIX_EPOCH), Offset::constant(1), "{rule}");
        }
    }

    #[test]
    fn a_zone_of_more_parts_than_there_is_history_is_none() {
        assert!(Zone::custom("x", vec![part("FREQ=YEARLY", 0); MAX_PARTS + 1]).is_none());
        assert!(Zone::custom("x", vec![part("FREQ=YEARLY", MAX_DATES + 1)]).is_none());
    }
}
