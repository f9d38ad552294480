//! Groups of properties that stand or fall together, with what they are made of.
//!
//! A group is what Exchange changes at once: its fingerprint tells whether Exchange has changed it since a client
//! wrote its own text, and then all its lines are made anew.

use super::super::write::fields::coordinates_as_name;
use super::super::{alarm, attachment, body, companions, identity, kept, recurrence};
use super::time::EventTimes;
use super::{RenderContext, people};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Field, Item};
use crate::text::moment::Zones;
use crate::text::{Component, Line, escape};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Separates the parts of a fingerprint's text.
const UNIT: &str = "\u{1f}";
/// Separates the entries of a list in a fingerprint's text.
const RECORD: &str = "\u{1e}";

/// Lines that Exchange changes together.
pub struct Group {
    /// Its name in a kept body.
    pub which: FieldGroup,
    properties: &'static [&'static str],
    child: Option<&'static str>,
    /// Adds the lines that Exchange's fields make.
    pub project: fn(&RenderContext, &mut Component),
    text: fn(&Item) -> String,
}

/// All groups, in the order of their lines.
pub const ALL: &[Group] = &[
    Group {
        which: FieldGroup::Times,
        properties: &["DTSTART", "DTEND", "DURATION"],
        child: None,
        project: times,
        text: times_text,
    },
    Group {
        which: FieldGroup::Rule,
        properties: &["RRULE", "RDATE", "EXDATE", "EXRULE"],
        child: None,
        project: rule,
        text: rule_text,
    },
    Group {
        which: FieldGroup::Subject,
        properties: &["SUMMARY"],
        child: None,
        project: subject,
        text: |i| i.text(Field::Subject).unwrap_or_default(),
    },
    Group {
        which: FieldGroup::Place,
        properties: &["LOCATION", "GEO", "X-APPLE-STRUCTURED-LOCATION"],
        child: None,
        project: place,
        text: place_text,
    },
    Group {
        which: FieldGroup::Body,
        properties: &["DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION"],
        child: None,
        project: |scene, event| event.lines.extend(body::lines(scene.item, scene.context.settings.html)),
        text: |item| body::told_text(item).unwrap_or_default(),
    },
    Group {
        which: FieldGroup::People,
        properties: &["ORGANIZER", "ATTENDEE"],
        child: None,
        project: |scene, event| event.lines.extend(people::lines(scene.context, scene.item)),
        text: people_text,
    },
    Group {
        which: FieldGroup::Class,
        properties: &["CLASS", "X-CALENDARSERVER-ACCESS"],
        child: None,
        project: class,
        text: class_text,
    },
    Group {
        which: FieldGroup::Importance,
        properties: &["PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"],
        child: None,
        project: |scene, event| event.lines.extend(priority(scene.item)),
        text: |item| item.filled(Field::Importance).unwrap_or_else(|| "Normal".to_owned()),
    },
    Group {
        which: FieldGroup::Categories,
        properties: &["CATEGORIES"],
        child: None,
        project: |scene, event| event.lines.extend(categories(scene.item)),
        text: categories_text,
    },
    Group {
        which: FieldGroup::Busy,
        properties: &["TRANSP", "STATUS", "X-MICROSOFT-CDO-BUSYSTATUS"],
        child: None,
        project: busy,
        text: busy_text,
    },
    Group {
        which: FieldGroup::Meeting,
        properties: &[
            "CONFERENCE",
            "X-MICROSOFT-SKYPETEAMSMEETINGURL",
            "X-MICROSOFT-DISALLOW-COUNTER",
            "X-MICROSOFT-DONOTFORWARDMEETING",
            "X-MICROSOFT-CDO-INTENDEDSTATUS",
        ],
        child: None,
        project: online,
        text: online_text,
    },
    Group {
        which: FieldGroup::Files,
        properties: &["ATTACH"],
        child: None,
        project: |scene, event| event.lines.extend(scene.attachments.iter().flatten().cloned()),
        text: attachment::text,
    },
    Group {
        which: FieldGroup::Alarms,
        properties: &[],
        child: Some("VALARM"),
        project: alarm,
        text: alarm_text,
    },
];

/// The groups of which the mark of an occurrence is made, in this order.
const OF_OCCURRENCES: [FieldGroup; 12] = [
    FieldGroup::Subject,
    FieldGroup::Body,
    FieldGroup::Place,
    FieldGroup::Times,
    FieldGroup::Rule,
    FieldGroup::Busy,
    FieldGroup::Class,
    FieldGroup::Importance,
    FieldGroup::Categories,
    FieldGroup::Alarms,
    FieldGroup::People,
    FieldGroup::Files,
];

/// The groups that concern the other participants, in the order of the schedule tag.
const OF_SCHEDULING: [FieldGroup; 5] =
    [FieldGroup::Subject, FieldGroup::Times, FieldGroup::Place, FieldGroup::Rule, FieldGroup::People];

/// The text of [`FieldGroup::Meeting`] when a meeting is as most are.
const USUAL_MEETING: &str = "\u{1f}true\u{1f}true\u{1f}false";

/// Fingerprints of a series or single event, one for each group.
pub fn sums(item: &Item, exceptions: &[&Item]) -> BTreeMap<FieldGroup, String> {
    let mut sums = own_sums(item);
    if !exceptions.is_empty() || !item.deleted_occurrences().is_empty() {
        let mut marks: Vec<String> =
            item.deleted_occurrences().iter().map(|at| format!("D{}", kept::utc(*at))).collect();
        for exception in exceptions {
            let original = super::original_start(item, exception).unwrap_or(Timestamp::UNIX_EPOCH);
            let own = own_sums(exception);
            let own: Vec<String> = OF_OCCURRENCES
                .iter()
                .filter_map(|group| own.get(group).map(|sum| format!("{}:{sum}", group.letter())))
                .collect();
            marks.push(format!("M{}>{}", kept::utc(original), kept::fingerprint(&own.join(","))));
        }
        marks.sort_unstable();
        let text = format!("{}{}", rule_text(item), marks.join(UNIT));
        sums.insert(FieldGroup::Rule, kept::fingerprint(&text));
        sums.insert(FieldGroup::Occurrences, kept::fingerprint(&later_marks(item, exceptions).join(UNIT)));
    }
    sums
}

/// What is not part of an occurrence's mark: its mark-up, and the name beside the coordinates of its place.
fn later_marks(item: &Item, exceptions: &[&Item]) -> Vec<String> {
    let mut marks: Vec<String> = exceptions
        .iter()
        .map(|exception| {
            let original = super::original_start(item, exception).unwrap_or(Timestamp::UNIX_EPOCH);
            let (mark_up, place) = (body::mark_up(exception), other_name(exception).unwrap_or_default());
            format!("{}>{mark_up}{RECORD}{place}", kept::utc(original))
        })
        .collect();
    marks.sort_unstable();
    marks
}

/// Whether two states of a series or single event differ in their attachments at most.
pub fn same_but_attachments(one: (&Item, &[Item]), other: (&Item, &[Item])) -> bool {
    let rest = |item: &Item| {
        let mut sums = own_sums(item);
        sums.remove(&FieldGroup::Files);
        sums
    };
    rest(one.0) == rest(other.0)
        && one.0.deleted_occurrences() == other.0.deleted_occurrences()
        && one.1.iter().map(rest).eq(other.1.iter().map(rest))
}

fn own_sums(item: &Item) -> BTreeMap<FieldGroup, String> {
    let texts = ALL.iter().map(|group| (group.which, (group.text)(item)));
    let texts = texts.filter(|(which, text)| *which != FieldGroup::Meeting || text != USUAL_MEETING);
    let later = [
        (FieldGroup::MarkUp, body::mark_up(item)),
        (FieldGroup::PlaceName, other_name(item).unwrap_or_default()),
    ];
    texts.chain(later).map(|(which, text)| (which, kept::fingerprint(&text))).collect()
}

/// Changes with what concerns the other participants, and with the owner's own answer. RFC 6638 3.2.10
pub fn schedule_tag(item: &Item, exceptions: &[Item]) -> crate::model::id::ScheduleTag {
    let sums = sums(item, &exceptions.iter().collect::<Vec<_>>());
    let mut parts: Vec<String> = OF_SCHEDULING.iter().filter_map(|group| sums.get(group).cloned()).collect();
    parts.extend(item.filled(Field::OwnResponse));
    crate::model::id::ScheduleTag(identity::hash(parts.join(UNIT), 32))
}

/// The lines of a group.
pub fn of(which: FieldGroup) -> impl Iterator<Item = &'static Group> {
    ALL.iter().filter(move |group| group.which == which)
}

impl Group {
    /// Its properties and components.
    pub fn names(&self) -> Vec<&'static str> {
        self.properties.iter().copied().chain(self.child).collect()
    }

    fn owns(&self, line: &Line) -> bool {
        self.properties.contains(&line.name.as_str())
            && match line.name.as_str() {
                "ATTACH" => attachment::is_ours(line),
                "STATUS" => !line.value.eq_ignore_ascii_case("CONFIRMED"),
                _ => true,
            }
    }

    /// Puts the lines of `fresh` in the place of the kept ones.
    pub fn replace(&self, kept: &mut Component, fresh: &Component) {
        if self.which == FieldGroup::Files {
            return attachment::replace(kept, fresh);
        }
        if fresh.lines.iter().any(|line| line.name == "STATUS" && self.owns(line)) {
            kept.lines.retain(|line| line.name != "STATUS");
        }
        kept::replace_lines(kept, fresh, |line| self.owns(line));
        if let Some(child) = self.child {
            kept.children.retain(|old| old.name != child);
            kept.children.extend(fresh.children_named(child).cloned());
        }
    }

    /// Takes over what Exchange has changed into a kept text: what Exchange never held of the group stays. `was` is the
    /// group's fingerprint from when the text was kept, where it is known.
    pub fn take_over(&self, kept: &mut Component, fresh: &Component, zones: &Zones, was: Option<&str>) {
        if self.which == FieldGroup::Alarms {
            alarm::replace(kept, fresh, zones, was);
        } else {
            self.replace(kept, fresh);
        }
    }

    /// Whether a client changed it against what it was served.
    pub fn is_changed(
        &self,
        (client, zones): (&Component, &Zones),
        (served, served_zones): (&Component, &Zones),
        series: Option<&EventTimes>,
    ) -> bool {
        if self.which == FieldGroup::Alarms {
            return alarm::is_changed((client, zones), (served, served_zones));
        }
        companions::is_changed(self.which, client, served).unwrap_or_else(|| match series {
            Some(series) => !self.says_the_same(client, served, series),
            None => !self.has_the_same_lines(client, served),
        })
    }

    /// Whether a kept override says what Exchange says, perhaps in other words.
    pub fn says_the_same(&self, kept: &Component, fresh: &Component, series: &EventTimes) -> bool {
        if self.which == FieldGroup::Times {
            return kept::extent(kept, series) == kept::extent(fresh, series);
        }
        self.has_the_same_lines(kept, fresh)
    }

    fn has_the_same_lines(&self, one: &Component, other: &Component) -> bool {
        let lines = |component: &Component| {
            let mut lines: Vec<(String, String)> = component
                .lines
                .iter()
                .filter(|line| self.owns(line))
                .map(|line| (line.name.clone(), line.unescaped().trim_end().to_owned()))
                .collect();
            lines.sort_unstable();
            lines
        };
        lines(one) == lines(other)
    }
}

fn times(scene: &RenderContext, event: &mut Component) {
    event.push(scene.frame.start().line("DTSTART"));
    // An event of no length has no end: it would have to be later. RFC 5545 3.8.2.2
    if scene.frame.has_length() {
        event.push(scene.frame.end().line("DTEND"));
    }
}

fn times_text(item: &Item) -> String {
    let time = |name| item.time(name).map(kept::utc).unwrap_or_default();
    let zone = |name| item.zone(name).map(|zone| zone.id).unwrap_or_default();
    let all_day = item.flag(Field::AllDay).to_string();
    [time(Field::Start), time(Field::End), all_day, zone(Field::StartZone), zone(Field::EndZone)].join(UNIT)
}

fn rule(scene: &RenderContext, event: &mut Component) {
    if scene.master.is_some() {
        return;
    }
    let Some(recurrence) = scene.item.recurrence() else { return };
    if let Some(rule) = recurrence::rrule(&recurrence, |day| scene.frame.until(day)) {
        event.push(Line::raw("RRULE", rule));
    }
    event.lines.extend(scene.deleted.iter().map(|at| scene.name_of("EXDATE", *at)));
}

fn rule_text(item: &Item) -> String {
    item.recurrence().map(|recurrence| recurrence::text(&recurrence)).unwrap_or_default()
}

fn subject(scene: &RenderContext, event: &mut Component) {
    let subject = scene.item.text(Field::Subject).unwrap_or_default();
    event.push(Line::text("SUMMARY", subject.trim_end()));
}

/// Degrees north and east of an item's place.
pub fn coordinates(item: &Item) -> Option<(String, String)> {
    let place = item.place()?;
    Some((place.latitude.clone()?, place.longitude.clone()?))
}

fn place(scene: &RenderContext, event: &mut Component) {
    let item = scene.item;
    // An occurrence that takes place elsewhere may still have the coordinates of its series.
    let is_elsewhere = scene.master.is_some_and(|master| {
        item.filled(Field::Location) != master.filled(Field::Location)
            && coordinates(item) == coordinates(master)
    });
    if is_elsewhere {
        event.lines.extend(item.filled(Field::Location).map(|place| Line::text("LOCATION", &place)));
        return;
    }
    // Every program writes Location, which is what Outlook shows; not every one writes the name beside the coordinates.
    let place = item.filled(Field::Location);
    let name = name_of_place(item).filter(|name| !is_of_coordinates(item, name));
    // Apple's devices write the address behind the name.
    let is_moved =
        place.as_ref().zip(name.as_ref()).is_some_and(|(place, name)| !place.contains(name.as_str()));
    event.lines.extend(place.as_ref().or(name.as_ref()).map(|place| Line::text("LOCATION", place)));
    let title = name.or(place);
    let Some((latitude, longitude)) = coordinates(item).filter(|_| !is_moved) else { return };
    let degrees = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| format!("{n:.6}"));
    let (Some(latitude), Some(longitude)) = (degrees(&latitude), degrees(&longitude)) else { return };
    event.push(Line::raw("GEO", format!("{latitude};{longitude}")));
    let address = item.place().cloned().unwrap_or_default();
    let town: Vec<String> = [address.postal_code, address.city].into_iter().flatten().collect();
    let town = Some(town.join(" ")).filter(|town| !town.is_empty());
    let parts: Vec<String> =
        [address.street, town, address.state, address.country].into_iter().flatten().collect();
    let mut line =
        Line::raw("X-APPLE-STRUCTURED-LOCATION", format!("geo:{latitude},{longitude}")).with("VALUE", "URI");
    if !parts.is_empty() {
        line = line.with("X-ADDRESS", &parts.join(", "));
    }
    event.push(match title {
        Some(title) => line.with("X-TITLE", &title),
        None => line,
    });
}

/// Whether revisions of rendering before the present one told an item otherwise: where Location and the name beside the
/// coordinates differ, or guests may not pass it on.
pub fn is_revised(item: &Item) -> bool {
    let name = name_of_place(item);
    let is_ruled = [Field::StartZone, Field::EndZone]
        .into_iter()
        .filter_map(|name| item.zone(name))
        .any(|zone| zone.id.ends_with("/Custom") && !zone.eras.is_empty());
    is_ruled || name.is_some() && name != item.filled(Field::Location) || item.has(Field::DoNotForward)
}

/// The name beside the coordinates of a place, where that is called otherwise.
fn other_name(item: &Item) -> Option<String> {
    let name = name_of_place(item).filter(|name| !is_of_coordinates(item, name));
    name.filter(|name| coordinates(item).is_some() && Some(name) != item.filled(Field::Location).as_ref())
}

/// What the place beside the coordinates is called.
fn name_of_place(item: &Item) -> Option<String> {
    item.place()?.name.clone()
}

/// Whether a place is called by its coordinates for want of a name.
fn is_of_coordinates(item: &Item, name: &str) -> bool {
    coordinates(item).is_some_and(|(north, east)| coordinates_as_name(&north, &east) == name)
}

fn place_text(item: &Item) -> String {
    let place = item.text(Field::Location).unwrap_or_default();
    match coordinates(item) {
        Some((latitude, longitude)) => format!("{place}{UNIT}{latitude},{longitude}"),
        None => place,
    }
}

fn people_text(item: &Item) -> String {
    let lists = [(Field::Required, 'R'), (Field::Optional, 'O'), (Field::Resources, 'X')];
    let mut people: Vec<String> = lists
        .iter()
        .flat_map(|(list, which)| {
            item.attendees(*list)
                .into_iter()
                .map(move |a| format!("{which}:{}", a.mailbox.address.to_lowercase()))
        })
        .collect();
    let others = item.filled(Field::OwnResponse).is_some_and(|own| own != "Organizer" && own != "Unknown");
    people.extend(item.organizer().filter(|_| others).map(|who| format!("G:{}", who.address.to_lowercase())));
    people.sort_unstable();
    people.join(RECORD)
}

fn class(scene: &RenderContext, event: &mut Component) {
    // Exceptions of a private series are private.
    let mut words =
        [Some(scene.item), scene.master].into_iter().flatten().filter_map(|i| i.filled(Field::Sensitivity));
    let class = words.find_map(|word| sensitivity(&word));
    event.lines.extend(class.map(|class| Line::raw("CLASS", class)));
}

/// CLASS of a sensitivity: MS-OXCICAL 2.1.3.1.1.20.3
pub fn sensitivity(word: &str) -> Option<&'static str> {
    match word {
        "Private" | "Personal" => Some("PRIVATE"),
        "Confidential" => Some("CONFIDENTIAL"),
        _ => None,
    }
}

pub fn class_text(item: &Item) -> String {
    item.filled(Field::Sensitivity).unwrap_or_else(|| "Normal".to_owned())
}

/// PRIORITY of an importance: MS-OXCICAL 2.1.3.1.1.20.17
pub fn priority(item: &Item) -> Option<Line> {
    match item.filled(Field::Importance).as_deref() {
        Some("High") => Some(Line::raw("PRIORITY", "1")),
        Some("Low") => Some(Line::raw("PRIORITY", "9")),
        _ => None,
    }
}

pub fn categories(item: &Item) -> Option<Line> {
    let names: Vec<String> = item.strings(Field::Categories).iter().map(|name| escape(name)).collect();
    (!names.is_empty()).then(|| Line::raw("CATEGORIES", names.join(",")))
}

pub fn categories_text(item: &Item) -> String {
    let mut names = item.strings(Field::Categories);
    names.sort_unstable();
    names.join(RECORD)
}

fn busy_text(item: &Item) -> String {
    let status = item.filled(Field::BusyStatus).unwrap_or_default();
    if item.flag(Field::Cancelled) { format!("{status}{UNIT}cancelled") } else { status }
}

/// TRANSP, STATUS and Microsoft's word of a busy status:
fn busy(scene: &RenderContext, event: &mut Component) {
    let item = scene.item;
    let words = match item.filled(Field::BusyStatus).as_deref() {
        Some("Free") => Some(("TRANSPARENT", "FREE")),
        Some("Tentative") => Some(("OPAQUE", "TENTATIVE")),
        Some("Busy") => Some(("OPAQUE", "BUSY")),
        Some("OOF") => Some(("OPAQUE", "OOF")),
        Some("WorkingElsewhere") => Some(("OPAQUE", "WORKINGELSEWHERE")),
        _ => None,
    };
    let status = if item.flag(Field::Cancelled) {
        Some("CANCELLED")
    } else {
        // Of an invitation, the owner's own PARTSTAT says it.
        let tentative = words.is_some_and(|(_, word)| word == "TENTATIVE");
        (tentative && !people::is_invitation(scene.context, item)).then_some("TENTATIVE")
    };
    event.lines.extend(words.map(|(transparency, _)| Line::raw("TRANSP", transparency)));
    event.lines.extend(status.map(|status| Line::raw("STATUS", status)));
    event.lines.extend(words.map(|(_, word)| Line::raw("X-MICROSOFT-CDO-BUSYSTATUS", word)));
}

fn meeting_url(item: &Item) -> Option<String> {
    item.filled(Field::MeetingUrl)
        .or_else(|| item.text(Field::AddInMeetingUrl))
        .map(|url| url.trim().to_owned())
        .filter(|url| !url.is_empty())
}

fn online(scene: &RenderContext, event: &mut Component) {
    let item = scene.item;
    if let Some(url) = meeting_url(item) {
        let conference = Line::raw("CONFERENCE", url.as_str()).with("VALUE", "URI");
        let mut conference = conference.with("FEATURE", "AUDIO");
        if let Some(feature) = conference.params.last_mut() {
            feature.values.push("VIDEO".to_owned());
        }
        event.push(conference.with("LABEL", "Join"));
        event.push(Line::raw("X-MICROSOFT-SKYPETEAMSMEETINGURL", url));
    }
    if !people::is_meeting(scene.context, item) {
        return;
    }
    if item.known_flag(Field::AllowsNewTimes) == Some(false) {
        event.push(Line::raw("X-MICROSOFT-DISALLOW-COUNTER", "TRUE"));
    }
    if item.flag(Field::DoNotForward) {
        event.push(Line::raw("X-MICROSOFT-DONOTFORWARDMEETING", "TRUE"));
    }
    let intended = item.text(Field::IntendedBusyStatus);
    let intended = intended.filter(|_| people::is_invitation(scene.context, item));
    let word = match intended.as_deref().map(str::trim) {
        Some("0") => Some("FREE"),
        Some("1") => Some("TENTATIVE"),
        Some("2") => Some("BUSY"),
        Some("3") => Some("OOF"),
        Some("4") => Some("WORKINGELSEWHERE"),
        _ => None,
    };
    event.lines.extend(word.map(|word| Line::raw("X-MICROSOFT-CDO-INTENDEDSTATUS", word)));
}

fn online_text(item: &Item) -> String {
    let usually = |field| item.known_flag(field).unwrap_or(true).to_string();
    let url = item.filled(Field::MeetingUrl).unwrap_or_default();
    let flags = [
        usually(Field::AsksForAnswers),
        usually(Field::AllowsNewTimes),
        item.flag(Field::DoNotForward).to_string(),
    ];
    format!("{url}{UNIT}{}", flags.join(UNIT))
}

/// Minutes when a reminder is set and nothing else is told.
const USUAL_REMINDER: i64 = 15;

fn alarm(scene: &RenderContext, event: &mut Component) {
    if !scene.item.flag(Field::ReminderSet) {
        return;
    }
    let minutes = scene.item.number(Field::ReminderMinutes).unwrap_or(USUAL_REMINDER).max(0);
    let trigger = if minutes == 0 { "PT0S".to_owned() } else { format!("-PT{minutes}M") };
    event.children.push(display_alarm(scene.item, Line::raw("TRIGGER", trigger)));
}

/// An alarm that shows the subject. RFC 5545 3.6.6
pub fn display_alarm(item: &Item, trigger: Line) -> Component {
    let mut alarm = Component::new("VALARM");
    alarm.push(Line::raw("ACTION", "DISPLAY"));
    let subject = item.filled(Field::Subject).unwrap_or_else(|| "Reminder".to_owned());
    alarm.push(Line::text("DESCRIPTION", &subject));
    alarm.push(trigger);
    alarm
}

fn alarm_text(item: &Item) -> String {
    let is_set = item.flag(Field::ReminderSet);
    let minutes = item.number(Field::ReminderMinutes).filter(|_| is_set);
    let minutes = minutes.map(|minutes| minutes.to_string()).unwrap_or_default();
    format!("{is_set}{UNIT}{minutes}")
}
