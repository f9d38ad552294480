//! Lines → fields of Exchange's, group by group. What events and tasks share.

use crate::model::item::{Change, Field, Place, Value};
use crate::text::{Component, Line, split_list};
use std::collections::BTreeSet;

/// The longest Subject and Location.
const MAX_CHARS: usize = 255;

/// Text in one line, as far as Exchange holds it.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    plain.chars().take(MAX_CHARS).collect()
}

fn text_or_remove(field: Field, text: Option<String>) -> Change {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Change::text(field, text),
        None => Change::remove(field),
    }
}

/// [`Field::Subject`]
pub fn subject(component: &Component) -> Change {
    text_or_remove(Field::Subject, component.line("SUMMARY").map(|line| one_line(&line.unescaped())))
}

/// [`Field::Location`]
fn location(component: &Component) -> Change {
    text_or_remove(Field::Location, component.line("LOCATION").map(|line| one_line(&line.unescaped())))
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

/// [`Field::Location`], and [`Field::Place`] where coordinates are given. `has_coordinates`: Exchange has
/// some, which are those of another place.
pub fn place(component: &Component, has_coordinates: bool) -> Vec<Change> {
    let mut changes = vec![location(component)];
    match coordinates(component) {
        Some((latitude, longitude)) => {
            let title = component.line("X-APPLE-STRUCTURED-LOCATION").and_then(|line| line.param("X-TITLE"));
            let place = || component.line("LOCATION").map(|line| one_line(&line.unescaped()));
            let name = title.map(one_line).or_else(place).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| coordinates_as_name(&latitude, &longitude));
            let (name, latitude, longitude) = (Some(name), Some(latitude), Some(longitude));
            let place = Place { name, latitude, longitude, ..Place::default() };
            changes.push(Change::set(Field::Place, Value::Place(place)));
        }
        None if has_coordinates => changes.push(Change::remove(Field::Place)),
        None => {}
    }
    changes
}

/// What a place without a name is called: Exchange's schema demands a DisplayName.
pub fn coordinates_as_name(latitude: &str, longitude: &str) -> String {
    format!("{latitude}, {longitude}")
}

/// Whether a line is in HTML.
pub fn is_html(line: &Line) -> bool {
    line.param("FMTTYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// The HTML in the ALTREP parameter of a DESCRIPTION.
pub fn html_parameter(line: &Line) -> Option<String> {
    let data = line.param("ALTREP")?.strip_prefix("data:text/html,")?;
    percent_encoding::percent_decode_str(data).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The HTML of a body, whichever way it is carried.
pub fn html(component: &Component) -> Option<String> {
    let own = component.lines_named("X-ALT-DESC").find(|line| is_html(line));
    let own = own.or_else(|| component.lines_named("STYLED-DESCRIPTION").find(|line| is_html(line)));
    own.map(Line::unescaped).or_else(|| html_parameter(component.line("DESCRIPTION")?))
}

/// [`Field::Body`]: the HTML where there is any, else the text.
pub fn body(component: &Component) -> Change {
    if let Some(html) = html(component) {
        return Change::set(Field::Body, Value::html_body(html));
    }
    match component.line("DESCRIPTION").map(Line::unescaped).filter(|text| !text.is_empty()) {
        None => Change::remove(Field::Body),
        Some(text) => {
            let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
            Change::set(Field::Body, Value::text_body(text))
        }
    }
}

/// A text as bodies are compared: white space does not matter.
pub fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of [`Field::Sensitivity`]: A word that is not known means the most. RFC 5545 3.8.1.3
pub fn sensitivity(component: &Component) -> &'static str {
    let access = component.value("X-CALENDARSERVER-ACCESS").or_else(|| component.value("CLASS"));
    match access.map(|word| word.trim().to_ascii_uppercase()).as_deref() {
        None | Some("" | "PUBLIC") => "Normal",
        Some("CONFIDENTIAL") => "Confidential",
        Some("X-PERSONAL") => "Personal",
        Some(_) => "Private",
    }
}

/// [`Field::Sensitivity`]
pub fn sensitivity_change(component: &Component) -> Change {
    Change::text(Field::Sensitivity, sensitivity(component))
}

/// The value of [`Field::Importance`]:
pub fn importance(component: &Component) -> &'static str {
    let number = component.value("PRIORITY").and_then(|text| text.trim().parse::<i32>().ok());
    match (number, component.value("X-MICROSOFT-CDO-IMPORTANCE").map(str::trim)) {
        (Some(1..=4), _) | (None, Some("2")) => "High",
        (Some(6..=9), _) | (None, Some("0")) => "Low",
        _ => "Normal",
    }
}

/// [`Field::Importance`]
pub fn importance_change(component: &Component) -> Change {
    Change::text(Field::Importance, importance(component))
}

/// The value of [`Field::BusyStatus`] that Microsoft's word stands for.
pub fn busy_word(word: &str) -> Option<&'static str> {
    match word.trim().to_ascii_uppercase().as_str() {
        "FREE" => Some("Free"),
        "TENTATIVE" => Some("Tentative"),
        "BUSY" => Some("Busy"),
        "OOF" => Some("OOF"),
        "WORKINGELSEWHERE" => Some("WorkingElsewhere"),
        _ => None,
    }
}

/// The value of [`Field::BusyStatus`]: Microsoft's word counts where TRANSP does not contradict it.
pub fn busy(event: &Component) -> &'static str {
    let word = |name: &str| event.value(name).map(|text| text.trim().to_ascii_uppercase());
    let transparency = word("TRANSP");
    let is_free = transparency.as_deref() == Some("TRANSPARENT");
    let named = event.value("X-MICROSOFT-CDO-BUSYSTATUS").and_then(busy_word);
    let named = named.filter(|named| match (*named, transparency.as_deref()) {
        ("Free", Some("TRANSPARENT") | None) => true,
        ("Free", Some(_)) => false,
        _ => !is_free,
    });
    named.unwrap_or(match word("STATUS").as_deref() {
        _ if is_free => "Free",
        Some("CANCELLED") => "Free",
        Some("TENTATIVE") => "Tentative",
        _ => "Busy",
    })
}

/// [`Field::Categories`]
pub fn categories(component: &Component) -> Change {
    let mut seen = BTreeSet::new();
    let names: Vec<String> = component
        .lines_named("CATEGORIES")
        .flat_map(|line| split_list(&line.value))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && seen.insert(name.to_lowercase()))
        .collect();
    if names.is_empty() {
        Change::remove(Field::Categories)
    } else {
        Change::set(Field::Categories, Value::Strings(names))
    }
}
