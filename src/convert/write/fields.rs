//! Lines → fields of Exchange's, group by group. What events and tasks share.

use crate::ews::types::write::{Change, Value};
use crate::text::moment::{Length, length};
use crate::text::{Component, Line, split_list};
use std::collections::BTreeSet;

/// The longest Subject and Location.
const MOST_CHARS: usize = 255;
/// The longest time before the start. MS-OXWSCORE 2.2.4.24
const MOST_MINUTES: i64 = 2_629_800;

/// Text in one line, as far as Exchange holds it.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    plain.chars().take(MOST_CHARS).collect()
}

fn text_or_remove(uri: &'static str, text: Option<String>) -> Change {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Change::text(uri, text),
        None => Change::remove(uri),
    }
}

/// `item:Subject`
pub fn subject(component: &Component) -> Change {
    text_or_remove("item:Subject", component.line("SUMMARY").map(|line| one_line(&line.unescaped())))
}

/// `calendar:Location`
fn location(component: &Component) -> Change {
    text_or_remove("calendar:Location", component.line("LOCATION").map(|line| one_line(&line.unescaped())))
}

/// Degrees north and east of a place.
fn coordinates(component: &Component) -> Option<(String, String)> {
    let apple =
        component.value("X-APPLE-STRUCTURED-LOCATION").and_then(|uri| uri.trim().strip_prefix("geo:"));
    let apple =
        apple.map(|place| place.split(';').next().unwrap_or(place)).and_then(|place| place.split_once(','));
    let (latitude, longitude) = apple.or_else(|| component.value("GEO")?.split_once(';'))?;
    let degrees = |text: &str| {
        text.trim().parse::<f64>().ok().filter(|n| n.abs() <= 180.0).map(|_| text.trim().to_owned())
    };
    Some((degrees(latitude)?, degrees(longitude)?))
}

/// `calendar:Location`, and `calendar:EnhancedLocation` where coordinates are told.
pub fn place(component: &Component, served: Option<&Component>) -> Vec<Change> {
    let mut changes = vec![location(component)];
    match coordinates(component) {
        Some((latitude, longitude)) => {
            let title = component.line("X-APPLE-STRUCTURED-LOCATION").and_then(|line| line.param("X-TITLE"));
            let place = || component.line("LOCATION").map(|line| one_line(&line.unescaped()));
            let name = title.map(one_line).or_else(place).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| format!("{latitude}, {longitude}"));
            changes
                .push(Change::set("calendar:EnhancedLocation", Value::Place { name, latitude, longitude }));
        }
        None if served.and_then(coordinates).is_some() => {
            changes.push(Change::remove("calendar:EnhancedLocation"));
        }
        None => {}
    }
    changes
}

/// The HTML of a body, whichever way it is carried.
fn html(component: &Component) -> Option<String> {
    let is_html =
        |line: &&Line| line.param("FMTTYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
    let own = component.lines_named("X-ALT-DESC").find(is_html);
    let own = own.or_else(|| component.lines_named("STYLED-DESCRIPTION").find(is_html)).map(Line::unescaped);
    own.or_else(|| {
        let link = component.line("DESCRIPTION")?.param("ALTREP")?;
        let data = link.strip_prefix("data:text/html,")?;
        percent_encoding::percent_decode_str(data).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    })
}

/// `item:Body`. `served` is what the client saw last: HTML counts where it was changed, else the text does.
pub fn body(component: &Component, served: Option<&Component>) -> Option<Change> {
    let text = |component: &Component| component.line("DESCRIPTION").map(Line::unescaped).unwrap_or_default();
    let html_now = html(component);
    let html_is_stale = served
        .is_some_and(|served| html(served) == html_now && plain(&text(served)) != plain(&text(component)));
    // A client that knows text alone has not changed the mark-up that it did not understand.
    let is_untouched = html_now.is_none()
        && served
            .is_some_and(|served| html(served).is_some() && plain(&text(served)) == plain(&text(component)));
    if is_untouched {
        return None;
    }
    Some(match html_now.filter(|_| !html_is_stale) {
        Some(html) => Change::set("item:Body", Value::Body { is_html: true, text: html }),
        None => match text(component) {
            text if text.is_empty() => Change::remove("item:Body"),
            text => {
                let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
                Change::set("item:Body", Value::Body { is_html: false, text })
            }
        },
    })
}

/// A text as bodies are compared: white space does not matter.
fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `item:Sensitivity`: THE table. A word that is not known means the most. RFC 5545 3.8.1.3
pub fn sensitivity(component: &Component) -> Change {
    let access = component.value("X-CALENDARSERVER-ACCESS").or_else(|| component.value("CLASS"));
    let word = match access.map(|word| word.trim().to_ascii_uppercase()).as_deref() {
        None | Some("" | "PUBLIC") => "Normal",
        Some("CONFIDENTIAL") => "Confidential",
        Some("X-PERSONAL") => "Personal",
        Some(_) => "Private",
    };
    Change::text("item:Sensitivity", word)
}

/// `item:Importance`: THE table.
pub fn importance(component: &Component) -> Change {
    let number = component.value("PRIORITY").and_then(|text| text.trim().parse::<i32>().ok());
    let word = match (number, component.value("X-MICROSOFT-CDO-IMPORTANCE").map(str::trim)) {
        (Some(1..=4), _) | (None, Some("2")) => "High",
        (Some(6..=9), _) | (None, Some("0")) => "Low",
        _ => "Normal",
    };
    Change::text("item:Importance", word)
}

/// `item:Categories`
pub fn categories(component: &Component) -> Change {
    let mut seen = BTreeSet::new();
    let names: Vec<String> = component
        .lines_named("CATEGORIES")
        .flat_map(|line| split_list(&line.value))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && seen.insert(name.to_lowercase()))
        .collect();
    if names.is_empty() {
        Change::remove("item:Categories")
    } else {
        Change::set("item:Categories", Value::Strings(names))
    }
}

/// An alarm's distance from the start in minutes before it, as far as Exchange can hold it. `span` is the length of the
/// event in seconds.
fn minutes_before(alarm: &Component, span: i64, absolute: impl Fn(&Line) -> Option<i64>) -> Option<i64> {
    let action = alarm.value("ACTION").map(|word| word.trim().to_ascii_uppercase());
    let shown = matches!(action.as_deref(), None | Some("DISPLAY" | "AUDIO"));
    if !shown || alarm.line("X-APPLE-DEFAULT-ALARM").is_some() {
        return None;
    }
    let trigger = alarm.line("TRIGGER")?;
    let seconds = match length(&trigger.value) {
        Some(length) => {
            let before = -seconds(length)?;
            let of_end = trigger.param("RELATED").is_some_and(|word| word.eq_ignore_ascii_case("END"));
            if of_end { before - span } else { before }
        }
        None => absolute(trigger)?,
    };
    // Rounded to the earlier minute; what rings after the start has no place.
    let minutes = seconds.checked_add(59)?.div_euclid(60);
    (seconds >= 0 && minutes <= MOST_MINUTES).then_some(minutes)
}

fn seconds(length: Length) -> Option<i64> {
    match length {
        Length::Exact(length) => Some(length.as_secs()),
        Length::Nominal(span) => {
            let relative = jiff::SpanRelativeTo::days_are_24_hours();
            let total = span.total((jiff::Unit::Second, relative)).ok()?;
            #[allow(clippy::cast_possible_truncation, reason = "checked against the range of years")]
            (total.abs() < 1.0e12).then(|| total.round() as i64)
        }
    }
}

/// `item:ReminderIsSet`, `item:ReminderMinutesBeforeStart`: the first alarm that Exchange can hold.
///
/// A missing alarm is told, too: Exchange gives new items one of its own.
pub fn reminder(component: &Component, span: i64, absolute: impl Fn(&Line) -> Option<i64>) -> Vec<Change> {
    let alarm = component.children_named("VALARM").find_map(|alarm| minutes_before(alarm, span, &absolute));
    match alarm {
        Some(minutes) => vec![
            Change::text("item:ReminderIsSet", "true"),
            Change::text("item:ReminderMinutesBeforeStart", minutes.to_string()),
        ],
        None => vec![Change::text("item:ReminderIsSet", "false")],
    }
}
