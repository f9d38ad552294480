//! Lines that say one thing in several words, for several programs: all of them, and what a client means that
//! changes some and leaves others as they were or leaves them out.
//!
//! One rule for all: a line that a client leaves out because it does not know it is no new value, a line that it
//! changed is one, and a line that says the old value beside a changed one is stale.

use super::body;
use super::write::fields;
use crate::model::field_group::FieldGroup;
use crate::model::zone::Zone;
use crate::text::moment::Zones;
use crate::text::{Component, Line};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One thing that is said in several lines.
struct Fact {
    /// The group that it belongs to.
    which: FieldGroup,
    /// Lines that every program knows, each with what its absence means.
    plain: &'static [(&'static str, &'static str)],
    /// Lines that some programs add.
    companions: &'static [&'static str],
}

/// HTML in a parameter of DESCRIPTION, as Thunderbird writes it; told like a line of that name.
const ALTREP: &str = "ALTREP";

const CLASS: Fact = Fact {
    which: FieldGroup::Class,
    plain: &[("CLASS", "PUBLIC")],
    companions: &["X-CALENDARSERVER-ACCESS"],
};
const IMPORTANCE: Fact = Fact {
    which: FieldGroup::Importance,
    plain: &[("PRIORITY", "0")],
    companions: &["X-MICROSOFT-CDO-IMPORTANCE"],
};
const BODY: Fact = Fact {
    which: FieldGroup::Body,
    plain: &[("DESCRIPTION", "")],
    companions: &["X-ALT-DESC", "STYLED-DESCRIPTION", ALTREP],
};
const PLACE: Fact = Fact {
    which: FieldGroup::Place,
    plain: &[("LOCATION", "")],
    companions: &["GEO", "X-APPLE-STRUCTURED-LOCATION"],
};
const BUSY: Fact = Fact {
    which: FieldGroup::Busy,
    plain: &[("TRANSP", "OPAQUE"), ("STATUS", "CONFIRMED")],
    companions: &["X-MICROSOFT-CDO-BUSYSTATUS"],
};

/// The facts of events:
const OF_EVENTS: [Fact; 5] = [CLASS, IMPORTANCE, BODY, PLACE, BUSY];
/// The facts of tasks: Their STATUS is another thing, see [`settle_state`].
const OF_TASKS: [Fact; 3] = [CLASS, IMPORTANCE, BODY];

fn facts(component: &Component) -> &'static [Fact] {
    if component.name == "VTODO" { &OF_TASKS } else { &OF_EVENTS }
}

/// Whether a client changed a group against what it was served; `None` for groups without companions.
pub(super) fn is_changed(which: FieldGroup, client: &Component, served: &Component) -> Option<bool> {
    let fact = facts(client).iter().find(|fact| fact.which == which)?;
    // Coordinates alone are known to every program.
    let lost_place = which == FieldGroup::Place
        && said(client, "LOCATION", "").is_empty()
        && served.line("GEO").is_some()
        && fact.companions.iter().all(|name| companion(client, name).is_none());
    Some(lost_place || fact.is_changed(client, served) || !fact.news(client, served).is_empty())
}

/// Makes a client's object say one thing in all its words: what it left as it was beside what it changed goes, or
/// follows the change. `served` is what it was given last; a new occurrence was as its series is.
pub(super) fn settle(client: &mut Component, served: Option<&Component>, floating: &Zone) {
    let before = client.clone();
    let (before, served) =
        (CompanionValues::of(&before, floating), served.map(|served| CompanionValues::of(served, floating)));
    for child in client.children.iter_mut().filter(|child| KINDS.contains(&child.name.as_str())) {
        let Some(base) = counterpart(&before, child, served.as_ref()) else { continue };
        for fact in facts(child) {
            fact.settle(child, base);
        }
        if child.name == "VTODO" {
            settle_state(child, base);
        }
    }
}

/// Components with facts.
const KINDS: [&str; 2] = ["VEVENT", "VTODO"];

/// The components of an object by name and occurrence, so that each of many is found at once.
struct CompanionValues<'a> {
    zones: Zones<'a>,
    first: BTreeMap<(&'a str, Option<Timestamp>), &'a Component>,
    masters: BTreeMap<&'a str, &'a Component>,
}

impl<'a> CompanionValues<'a> {
    fn of(object: &'a Component, floating: &'a Zone) -> Self {
        let zones = Zones::new(object, floating);
        let (mut first, mut masters) = (BTreeMap::new(), BTreeMap::new());
        for component in &object.children {
            let name = component.name.as_str();
            first.entry((name, instant(component, &zones))).or_insert(component);
            if component.line("RECURRENCE-ID").is_none() {
                masters.entry(name).or_insert(component);
            }
        }
        Self { zones, first, masters }
    }
}

/// Which occurrence a component stands for.
fn instant(component: &Component, zones: &Zones) -> Option<Timestamp> {
    component.line("RECURRENCE-ID").and_then(|line| zones.moment(line)).map(|at| zones.instant(&at))
}

/// What a component was before: the same occurrence, or the series that it was an occurrence of.
fn counterpart<'a>(
    client: &CompanionValues<'a>,
    child: &Component,
    served: Option<&CompanionValues<'a>>,
) -> Option<&'a Component> {
    let name = child.name.as_str();
    let wanted = instant(child, &client.zones);
    let same = served.and_then(|served| served.first.get(&(name, wanted)).copied());
    let series = || {
        let known = served.and_then(|served| served.masters.get(name));
        known.or_else(|| client.masters.get(name)).copied()
    };
    same.or_else(|| child.line("RECURRENCE-ID").and_then(|_| series()))
}

/// What a plain line says; case and white space do not matter where they mean nothing.
fn said(component: &Component, name: &str, absent: &str) -> String {
    let Some(line) = component.line(name) else { return absent.to_owned() };
    let text = match name {
        "DESCRIPTION" => fields::plain(&line.unescaped()),
        "LOCATION" => line.unescaped().trim().to_owned(),
        _ => line.value.trim().to_ascii_uppercase(),
    };
    if text.is_empty() { absent.to_owned() } else { text }
}

/// What a companion says.
fn companion(component: &Component, name: &str) -> Option<String> {
    match name {
        ALTREP => fields::html_parameter(component.line("DESCRIPTION")?),
        "X-ALT-DESC" | "STYLED-DESCRIPTION" => {
            component.lines_named(name).find(|line| fields::is_html(line)).map(Line::unescaped)
        }
        _ => component.line(name).map(|line| {
            let value = line.value.trim().to_ascii_uppercase();
            format!("{value} {}", line.param("X-TITLE").unwrap_or_default())
        }),
    }
}

fn drop_companion(component: &mut Component, name: &str) {
    if name == ALTREP {
        for line in component.lines.iter_mut().filter(|line| line.name == "DESCRIPTION") {
            if fields::html_parameter(line).is_some() {
                line.params.retain(|param| param.name != ALTREP);
            }
        }
    } else {
        // A STYLED-DESCRIPTION may be something else than the HTML of the text.
        let is_html = matches!(name, "X-ALT-DESC" | "STYLED-DESCRIPTION");
        component.lines.retain(|line| line.name != name || is_html && !fields::is_html(line));
    }
}

/// Sets the value of a line that is there.
fn correct(component: &mut Component, name: &str, value: String) {
    for line in component.lines.iter_mut().filter(|line| line.name == name) {
        line.value.clone_from(&value);
    }
}

impl Fact {
    /// Whether the plain lines say something else.
    fn is_changed(&self, client: &Component, served: &Component) -> bool {
        self.plain.iter().any(|(name, absent)| said(client, name, absent) != said(served, name, absent))
    }

    /// The companions that the client wrote or changed.
    fn news(&self, client: &Component, served: &Component) -> Vec<&'static str> {
        let is_new = |name: &&&str| {
            companion(client, name).is_some_and(|text| companion(served, name).as_ref() != Some(&text))
        };
        self.companions.iter().filter(is_new).copied().collect()
    }

    fn settle(&self, client: &mut Component, served: &Component) {
        let news = self.news(client, served);
        let is_changed = self.is_changed(client, served);
        if !is_changed && news.is_empty() {
            return;
        }
        let stale = self.companions.iter().filter(|name| !news.contains(name)).copied();
        for name in stale.collect::<Vec<_>>() {
            if companion(client, name).is_some() && !(is_changed && self.agrees(client, served, name)) {
                drop_companion(client, name);
            }
        }
        if !is_changed {
            self.follow(client, served);
        }
    }

    /// Whether a companion that stayed says what the plain lines say now.
    fn agrees(&self, client: &Component, served: &Component, name: &str) -> bool {
        let without = |names: &[&str]| {
            let mut rest = client.clone();
            rest.lines.retain(|line| !names.contains(&line.name.as_str()));
            rest
        };
        let plain: Vec<&str> = self.plain.iter().map(|(name, _)| *name).collect();
        let (plain, alone) = (without(self.companions), without(&plain));
        match self.which {
            FieldGroup::Class => fields::sensitivity(&plain) == fields::sensitivity(&alone),
            FieldGroup::Importance => fields::importance(&plain) == fields::importance(&alone),
            FieldGroup::Busy => {
                client.value(name).is_some_and(|word| fields::busy_word(word) == Some(fields::busy(&plain)))
            }
            // A place that is given a name stays where it is.
            FieldGroup::Place => said(served, "LOCATION", "").is_empty(),
            _ => false,
        }
    }

    /// Makes the plain lines, which the client left as they were, say what it wrote into a companion.
    fn follow(&self, client: &mut Component, served: &Component) {
        match self.which {
            FieldGroup::Class => {
                let word = match fields::sensitivity(client) {
                    "Normal" => "PUBLIC",
                    "Confidential" => "CONFIDENTIAL",
                    _ => "PRIVATE",
                };
                let mut class = Component::new(&client.name);
                class.lines.extend(client.line("CLASS").cloned());
                if fields::sensitivity(&class) != fields::sensitivity(client) {
                    correct(client, "CLASS", word.to_owned());
                }
            }
            FieldGroup::Importance => {
                let mut companion = client.clone();
                companion.lines.retain(|line| line.name != "PRIORITY");
                let wanted = fields::importance(&companion);
                if fields::importance(client) != wanted {
                    let number = match wanted {
                        "High" => "1",
                        "Low" => "9",
                        _ => "5",
                    };
                    correct(client, "PRIORITY", number.to_owned());
                }
            }
            FieldGroup::Body => {
                let text = fields::html(client).map(|html| body::text_of_html(&html)).unwrap_or_default();
                if fields::plain(&text) != said(client, "DESCRIPTION", "") {
                    correct(client, "DESCRIPTION", Line::text("DESCRIPTION", &text).value);
                }
            }
            FieldGroup::Place => {
                let title = |component: &Component| {
                    component.line("X-APPLE-STRUCTURED-LOCATION")?.param("X-TITLE").map(str::to_owned)
                };
                let place = said(client, "LOCATION", "");
                if let Some(new) = title(client).filter(|_| title(served).is_some_and(|old| old == place)) {
                    correct(client, "LOCATION", Line::text("LOCATION", &new).value);
                }
            }
            _ => follow_busy(client),
        }
    }
}

/// TRANSP and STATUS after Microsoft's word.
fn follow_busy(client: &mut Component) {
    let word = client.value("X-MICROSOFT-CDO-BUSYSTATUS").and_then(fields::busy_word);
    let Some(word) = word else { return };
    let is_free = word == "Free";
    if (said(client, "TRANSP", "OPAQUE") == "TRANSPARENT") != is_free {
        if client.line("TRANSP").is_none() {
            client.push(Line::raw("TRANSP", ""));
        }
        correct(client, "TRANSP", if is_free { "TRANSPARENT" } else { "OPAQUE" }.to_owned());
    }
    let tentative = said(client, "STATUS", "CONFIRMED") == "TENTATIVE";
    if tentative && word != "Tentative" {
        client.lines.retain(|line| line.name != "STATUS");
    }
}

/// STATUS, PERCENT-COMPLETE and COMPLETED of a task: of words that contradict each other those that the client
/// changed count. RFC 5545 3.8.1.8, 3.8.1.11, 3.8.2.1
fn settle_state(client: &mut Component, served: &Component) {
    let word = |component: &Component| said(component, "STATUS", "");
    let percent = |component: &Component| {
        component.value("PERCENT-COMPLETE").and_then(|text| text.trim().parse::<u8>().ok())
    };
    let completed = |component: &Component| component.value("COMPLETED").map(str::to_owned);
    let is_done = word(client) == "COMPLETED";
    if word(client) != word(served) {
        if !is_done {
            if completed(client) == completed(served) {
                client.lines.retain(|line| line.name != "COMPLETED");
            }
            if percent(client) == percent(served) && percent(client) == Some(100) {
                client.lines.retain(|line| line.name != "PERCENT-COMPLETE");
            }
        } else if percent(client) == percent(served) {
            correct(client, "PERCENT-COMPLETE", "100".to_owned());
        }
        return;
    }
    let ends = percent(client) == Some(100) && percent(served) != Some(100)
        || completed(client).is_some() && completed(served).is_none();
    let reopens = percent(client).is_some_and(|now| now < 100 && percent(served) != Some(now));
    if ends && !is_done {
        correct(client, "STATUS", "COMPLETED".to_owned());
        if percent(client) == percent(served) {
            correct(client, "PERCENT-COMPLETE", "100".to_owned());
        }
    } else if reopens && is_done && completed(client) == completed(served) {
        let open = if percent(client) == Some(0) { "NEEDS-ACTION" } else { "IN-PROCESS" };
        correct(client, "STATUS", open.to_owned());
        client.lines.retain(|line| line.name != "COMPLETED");
    }
}
