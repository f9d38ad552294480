//! The `back` blocks of the cases: what clients must get.

use super::case::Case;
use bytes::Bytes;
use exdav::convert::Rendered;
use exdav::model::recurrence::Rule;
use exdav::model::zone::Zone;
use exdav::text::{Component, Line, split_list};
use jiff::civil::{Date, DateTime};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// What is served of a case's item.
pub struct Served {
    pub name: String,
    pub body: Bytes,
    pub vcard4: Option<Bytes>,
}

impl From<&Rendered> for Served {
    fn from(rendered: &Rendered) -> Self {
        let Rendered { name, body, vcard4, .. } = rendered;
        Self { name: name.to_string(), body: body.clone(), vcard4: vcard4.clone() }
    }
}

/// The answer to a GET, in the form that the case's expectation has.
pub fn body(case: &Case, served: &Served) -> Component {
    let wants4 = |file| case.read(file).is_some_and(|text| text.contains("VERSION:4.0"));
    let wants4 = wants4("expect.vcf") || wants4("input.vcf");
    let octets = if wants4 { served.vcard4.as_ref().expect("a vCard 4.0") } else { &served.body };
    Component::parse(octets).unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

fn all(component: &Component) -> Vec<&Component> {
    std::iter::once(component).chain(component.children.iter().flat_map(all)).collect()
}

/// Lines that a bare name means: those of the whole object but its time zones.
fn lines(root: &Component) -> Vec<&Line> {
    let inside =
        |c: &&Component| !["VTIMEZONE", "STANDARD", "DAYLIGHT", "VCALENDAR"].contains(&c.name.as_str());
    all(root).into_iter().filter(inside).flat_map(|component| component.lines.iter()).collect()
}

fn zone_of(line: &Line) -> Zone {
    line.param("TZID").map_or(Zone::Utc, |name| Zone::iana(name).unwrap_or_else(|| panic!("TZID {name}")))
}

fn local(value: &str) -> DateTime {
    let value = value.trim_end_matches('Z');
    match value.split_once('T') {
        Some(_) => DateTime::strptime("%Y%m%dT%H%M%S", value).unwrap(),
        None => Date::strptime("%Y%m%d", value).unwrap().into(),
    }
}

/// All instances up to a number of them, as the assertions spell them.
fn instances(root: &Component, most: usize) -> Vec<String> {
    let events: Vec<&Component> =
        root.children.iter().filter(|c| c.name == "VEVENT" || c.name == "VTODO").collect();
    let spell = |line: &Line, at: DateTime| {
        if line.value.contains('T') {
            zone_of(line).to_instant(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        } else {
            at.date().to_string()
        }
    };
    let overrides: BTreeMap<String, String> = events
        .iter()
        .filter_map(|event| {
            let (id, start) = (event.line("RECURRENCE-ID")?, event.line("DTSTART")?);
            Some((spell(id, local(&id.value)), spell(start, local(&start.value))))
        })
        .collect();
    let master = events.iter().find(|event| event.line("RECURRENCE-ID").is_none()).expect("a master");
    let start = master.line("DTSTART").expect("DTSTART");
    let gone: BTreeSet<String> =
        master.lines_named("EXDATE").map(|line| spell(line, local(&line.value))).collect();
    let Some(rule) = master.value("RRULE") else { return vec![spell(start, local(&start.value))] };
    let rule: Rule = rule.parse().unwrap();
    let mut found: Vec<String> = rule
        .occurrences(local(&start.value), &zone_of(start))
        .take(most + gone.len() + overrides.len())
        .map(|at| spell(start, at))
        .chain(master.lines_named("RDATE").flat_map(|l| l.value.split(',').map(|v| spell(l, local(v)))))
        .filter(|at| !gone.contains(at))
        .map(|at| overrides.get(&at).cloned().unwrap_or(at))
        .collect();
    found.sort();
    found
}

/// What is wrong with one assertion; prose is nobody's.
pub fn judge(case: &Case, served: &Served, root: &Component, assertion: &str) -> Option<String> {
    let (word, rest) = assertion.split_once(' ').unwrap_or((assertion, ""));
    let wrong = |seen: String| Some(format!("{assertion}\n      seen: {seen}"));
    let named = |name: &str| {
        lines(root)
            .into_iter()
            .filter(|line| line.name.eq_ignore_ascii_case(name))
            .cloned()
            .collect::<Vec<_>>()
    };
    let content = |line: &Line| {
        let mut component = Component::new("X");
        component.push(line.clone());
        let text = component.write().replace("\r\n ", "");
        text.lines().nth(1).unwrap().to_owned()
    };
    match word {
        "octets" => {
            let file = rest.strip_prefix("of ").unwrap();
            let wanted = fs::read(case.dir.join(file)).unwrap();
            if served.body == wanted {
                None
            } else {
                wrong(String::from_utf8_lossy(&served.body).into_owned())
            }
        }
        "line" | "noline" => {
            if rest.contains(" with ") {
                return None;
            }
            let bare = !rest.contains(':');
            let found = lines(root).iter().any(|line| {
                let text = content(line);
                text == rest || (bare && text.starts_with(rest))
            });
            if found == (word == "line") {
                None
            } else {
                wrong(lines(root).iter().map(|l| content(l) + "\n").collect())
            }
        }
        "prop" => {
            let (name, value) = rest.split_once(" = ").unwrap();
            let value = value.split(" (").next().unwrap().trim();
            let seen = named(name);
            let same = |line: &Line| {
                let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                let parts = |text: &str| text.split(';').map(str::to_owned).collect::<BTreeSet<_>>();
                if name == "RRULE" {
                    parts(&line.value) == parts(value)
                } else {
                    plain(&line.unescaped()) == plain(value)
                }
            };
            if seen.iter().any(same) { None } else { wrong(format!("{seen:?}")) }
        }
        "noprop" => named(rest).first().and_then(|line| wrong(content(line))),
        "param" => {
            let (path, value) = rest.split_once(" = ").unwrap();
            let (name, parameter) = path.split_once(' ').unwrap();
            let seen = named(name);
            let found =
                seen.iter().any(|line| line.param_values(parameter).any(|v| v.eq_ignore_ascii_case(value)));
            if found { None } else { wrong(format!("{seen:?}")) }
        }
        "values" => {
            let (name, values) = rest.split_once(" = ").unwrap();
            let wanted: BTreeSet<String> = values.split(" | ").map(|value| value.trim().to_owned()).collect();
            let seen: BTreeSet<String> =
                named(name).iter().flat_map(|line| split_list(&line.value)).collect();
            if seen == wanted { None } else { wrong(format!("{seen:?}")) }
        }
        "count" if rest.starts_with("of instances ") => {
            let wanted: usize = rest.rsplit(' ').next().unwrap().parse().unwrap();
            let seen = instances(root, 2000).len();
            if seen == wanted { None } else { wrong(seen.to_string()) }
        }
        "count" => {
            let (name, number) = rest.split_once(' ').unwrap();
            let components = all(root).iter().filter(|c| c.name == name).count();
            let seen = components + named(name).len();
            if seen.to_string() == number.trim() { None } else { wrong(seen.to_string()) }
        }
        "instances" | "dates" => {
            let wanted: Vec<&str> = rest.split(", ").map(str::trim).collect();
            let is_finite =
                named("RRULE").iter().all(|l| l.value.contains("COUNT") || l.value.contains("UNTIL"));
            let mut seen = instances(root, if is_finite { 2000 } else { wanted.len() });
            if !is_finite {
                seen.truncate(wanted.len());
            }
            if seen == wanted { None } else { wrong(format!("{seen:?}")) }
        }
        "UID" if rest.starts_with("= ") => {
            if named("UID").iter().all(|line| line.value == rest[2..]) {
                None
            } else {
                wrong(format!("{:?}", named("UID")))
            }
        }
        "ATTENDEE" => {
            judge_attendee(&named("ATTENDEE"), rest).and_then(|()| wrong(format!("{:?}", named("ATTENDEE"))))
        }
        "labels" => judge_labels(root, rest).and_then(|()| wrong(format!("{:?}", named("X-ABLABEL")))),
        "TEL" => {
            let (types, numbers) = rest.split_once(" = ").unwrap();
            let wanted: BTreeSet<&str> = types.trim_end_matches(" alone").split('+').collect();
            let numbers: Vec<&str> = numbers.split(", ").collect();
            let told = |number: &&str| {
                let line = named("TEL").into_iter().find(|line| line.value == **number);
                line.is_some_and(|line| line.param_values("TYPE").collect::<BTreeSet<_>>() == wanted)
            };
            if numbers.iter().all(told) { None } else { wrong(format!("{:?}", named("TEL"))) }
        }
        "the" => {
            let name = assertion.strip_prefix("the name is not ")?;
            if served.name == name { wrong(name.to_owned()) } else { None }
        }
        _ => None,
    }
}

/// `LABEL value, LABEL value`: Apple's labels of the lines with these values.
fn judge_labels(root: &Component, rest: &str) -> Option<()> {
    let wrong = rest.split(", ").any(|pair| {
        let (label, value) = pair.split_once(' ').unwrap();
        let line = root.lines.iter().find(|line| line.name != "X-ABLABEL" && line.value == value);
        let labels = root.lines.iter().filter(|other| other.name == "X-ABLABEL" && other.value == label);
        !line.is_some_and(|line| line.group.is_some() && labels.map(|l| &l.group).any(|g| *g == line.group))
    });
    wrong.then_some(())
}

/// `WHO NAME=value NAME=value`: whose address begins with WHO.
fn judge_attendee(lines: &[Line], rest: &str) -> Option<()> {
    let mut words = rest.split(" (").next().unwrap().split_whitespace();
    let who = format!("mailto:{}@", words.next().unwrap());
    let Some(line) = lines.iter().find(|line| line.value.starts_with(&who)) else { return Some(()) };
    let wrong =
        words.filter_map(|word| word.split_once('=')).any(|(name, value)| line.param(name) != Some(value));
    wrong.then_some(())
}

/// A line in one spelling: order of parameters and of unordered lists does not matter.
fn canonical(line: &Line) -> String {
    let mut params: Vec<String> = line
        .params
        .iter()
        .map(|p| {
            let mut values: Vec<String> = p.values.iter().map(|v| v.to_uppercase()).collect();
            values.sort();
            format!("{}={}", p.name, values.join(","))
        })
        .collect();
    params.sort();
    let value = match line.name.as_str() {
        "RRULE" => {
            let mut parts: Vec<&str> = line.value.split(';').collect();
            parts.sort_unstable();
            parts.join(";")
        }
        "CATEGORIES" => {
            let mut parts = split_list(&line.value);
            parts.sort();
            parts.join(",")
        }
        "UID" => String::new(),
        _ => line.unescaped(),
    };
    format!("{};{}:{value}", line.name, params.join(";"))
}

/// What one component has and the other has not.
pub fn compare(wanted: &Component, seen: &Component, path: &str, wrong: &mut Vec<String>) {
    let free = |line: &&Line| !matches!(line.name.as_str(), "PRODID" | "REV");
    let names: BTreeSet<&str> = wanted.lines.iter().map(|line| line.name.as_str()).collect();
    let extra = |line: &&Line| line.name.starts_with("X-") && !names.contains(line.name.as_str());
    let mut seen_lines: Vec<String> =
        seen.lines.iter().filter(free).filter(|l| !extra(l)).map(canonical).collect();
    for line in wanted.lines.iter().filter(free).map(canonical) {
        match seen_lines.iter().position(|other| *other == line) {
            Some(at) => drop(seen_lines.swap_remove(at)),
            None => wrong.push(format!("{path}: missing {line}")),
        }
    }
    wrong.extend(seen_lines.iter().map(|line| format!("{path}: not expected {line}")));
    let children = |component: &Component| {
        let mut children: Vec<Component> =
            component.children.iter().filter(|child| child.name != "VTIMEZONE").cloned().collect();
        children.sort_by_key(|child| {
            (child.name.clone(), child.value("RECURRENCE-ID").unwrap_or_default().to_owned())
        });
        children
    };
    let (a, b) = (children(wanted), children(seen));
    if a.len() != b.len() {
        wrong.push(format!("{path}: {} components instead of {}", b.len(), a.len()));
    }
    for (index, (a, b)) in a.iter().zip(&b).enumerate() {
        compare(a, b, &format!("{path}/{}{index}", a.name), wrong);
    }
}

/// Every TZID that is used is explained once, and none in vain.
pub fn judge_zones(root: &Component, wrong: &mut Vec<String>) {
    let used: BTreeSet<String> =
        lines(root).iter().filter_map(|l| l.param("TZID").map(str::to_owned)).collect();
    let told: Vec<String> =
        root.children_named("VTIMEZONE").filter_map(|zone| zone.line("TZID").map(Line::unescaped)).collect();
    let told_set: BTreeSet<String> = told.iter().cloned().collect();
    if told_set != used || told.len() != told_set.len() {
        wrong.push(format!("zones used: {used:?}, explained: {told:?}"));
    }
}
