//! Cases of translation: each folder that holds an `ews.xml` is an item, what clients must get, and why.
//!
//! Walks `fixtures/cases` and `$EXDAV_CASES` (by default the reference cases beside the project, where there are any).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "golden/item.rs"]
mod item;

use exdav::convert::write::{self, Plan};
use exdav::convert::{self, Context, Related, Rendered};
use exdav::ews::types::{Item, ItemClass, ItemId};
use exdav::model::collection::CollectionKind;
use exdav::model::recurrence::Rule;
use exdav::model::refusal::{Reason, Refusal};
use exdav::model::zone::Zone;
use exdav::text::{Component, Line, split_list};
use item::Source;
use jiff::civil::{Date, DateTime};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OWNER: &str = "anna@example.org";
const ZONE: &str = "Europe/Berlin";

/// One folder.
struct Case {
    name: String,
    dir: PathBuf,
    expect: String,
}

impl Case {
    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(file)).ok()
    }

    fn item(&self, file: &str) -> Item {
        Item::parse(&self.read(file).unwrap()).unwrap_or_else(|| panic!("{}: {file} is no item", self.name))
    }

    /// The modified occurrences, in the order of their numbers.
    fn exceptions(&self) -> Vec<Item> {
        let mut files: Vec<String> = fs::read_dir(&self.dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.starts_with("exc-") && file.ends_with(".xml"))
            .collect();
        files.sort();
        files.iter().map(|file| self.item(file)).collect()
    }

    /// What a client sends, and the name it gives to it.
    fn input(&self) -> Option<(String, bytes::Bytes)> {
        ["ics", "vcf"].into_iter().find_map(|ending| {
            let octets = fs::read(self.dir.join(format!("input.{ending}"))).ok()?;
            let path = self.given().find_map(|given| given.strip_prefix("PUT goes to "));
            let named = path.and_then(|path| Some(path.rsplit_once('/')?.1.replace("%20", " ")));
            Some((named.unwrap_or_else(|| format!("{}.{ending}", self.name)), octets.into()))
        })
    }

    fn given(&self) -> impl Iterator<Item = &str> {
        self.expect.lines().filter_map(|line| line.strip_prefix("- given: "))
    }

    fn context(&self) -> Context {
        let mut context = Context::of(OWNER);
        context.zone = Arc::from(ZONE);
        context.attachment_url = Some(Arc::new(|name, id| format!("https://gateway.test/{name}/{id}")));
        for given in self.given() {
            if let Some(zone) = given.strip_prefix("mailbox zone ") {
                context.zone = Arc::from(zone.trim());
            }
            if let Some((_, address)) = given.split_once("maps the EX address to ") {
                let names = convert::names_to_resolve(&self.item("ews.xml"));
                let directory: HashMap<String, String> =
                    names.into_iter().map(|name| (name, address.trim().to_owned())).collect();
                context.directory = Arc::new(directory);
            }
        }
        context
    }

    fn related(&self) -> Related {
        let uids = self.given().filter_map(|given| given.split_once(" has the UID "));
        let uids = uids.map(|(id, uid)| (id.to_owned(), uid.trim().to_owned())).collect::<HashMap<_, _>>();
        Related { exceptions: self.exceptions(), photo: None, uids: Arc::new(uids) }
    }

    /// Lines of the fenced blocks of a kind, those under another setting left out.
    fn assertions(&self, kind: &str) -> Vec<&str> {
        let mut lines = Vec::new();
        let (mut inside, mut elsewhere) = (false, false);
        for line in self.expect.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                elsewhere = heading.starts_with("With the setting");
            } else if let Some(fence) = line.strip_prefix("```") {
                inside = !inside && fence == kind && !elsewhere;
            } else if inside && !line.trim().is_empty() {
                lines.push(line.trim());
            }
        }
        lines
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared =
        std::env::var_os("EXDAV_CASES").map_or_else(|| root.join("../shared/mapping/cases"), PathBuf::from);
    if !shared.is_dir() {
        println!("reference cases: {} is absent, own cases only", shared.display());
    }
    let mut found = Vec::new();
    for folder in [root.join("fixtures/cases"), shared] {
        collect(&folder, &mut found);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn collect(folder: &Path, found: &mut Vec<Case>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for dir in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        match fs::read_to_string(dir.join("expect.md")) {
            Ok(expect) => {
                let name = dir.file_name().unwrap().to_string_lossy().into_owned();
                found.push(Case { name, dir, expect });
            }
            Err(_) => collect(&dir, found),
        }
    }
}

/// The answer to a GET, in the form that the case's expectation has.
fn body(case: &Case, rendered: &Rendered) -> Component {
    let wants4 = |file| case.read(file).is_some_and(|text| text.contains("VERSION:4.0"));
    let wants4 = wants4("expect.vcf") || wants4("input.vcf");
    let octets = if wants4 { rendered.vcard4.as_ref().expect("a vCard 4.0") } else { &rendered.body };
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
fn judge(case: &Case, rendered: &Rendered, root: &Component, assertion: &str) -> Option<String> {
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
            if rendered.body == wanted {
                None
            } else {
                wrong(String::from_utf8_lossy(&rendered.body).into_owned())
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
            if rendered.name.as_str() == name { wrong(name.to_owned()) } else { None }
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
fn compare(wanted: &Component, seen: &Component, path: &str, wrong: &mut Vec<String>) {
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
fn judge_zones(root: &Component, wrong: &mut Vec<String>) {
    let used: BTreeSet<String> =
        lines(root).iter().filter_map(|l| l.param("TZID").map(str::to_owned)).collect();
    let told: Vec<String> =
        root.children_named("VTIMEZONE").filter_map(|zone| zone.line("TZID").map(Line::unescaped)).collect();
    let told_set: BTreeSet<String> = told.iter().cloned().collect();
    if told_set != used || told.len() != told_set.len() {
        wrong.push(format!("zones used: {used:?}, explained: {told:?}"));
    }
}

#[test]
fn items_of_exchange_are_rendered_as_the_cases_say() {
    let mut failed = Vec::new();
    let mut passed = 0;
    for case in cases().iter().filter(|case| case.dir.join("ews.xml").exists()) {
        let item = case.item("ews.xml");
        let rendered = match convert::render(&case.context(), &item, &case.related()) {
            Ok(rendered) => rendered,
            Err(error) => {
                println!("FAIL {}: {error}", case.name);
                failed.push(case.name.clone());
                continue;
            }
        };
        let root = body(case, &rendered);
        let mut wrong: Vec<String> =
            case.assertions("back").iter().filter_map(|a| judge(case, &rendered, &root, a)).collect();
        for file in ["expect.ics", "expect.vcf"] {
            if let Some(text) = case.read(file) {
                compare(&Component::parse(text.as_bytes()).unwrap(), &root, &root.name, &mut wrong);
            }
        }
        let is_kept = case.assertions("back").iter().any(|a| a.starts_with("octets"));
        if matches!(item.class, ItemClass::CalendarItem | ItemClass::Task) && !is_kept {
            judge_zones(&root, &mut wrong);
        }
        if wrong.is_empty() {
            passed += 1;
            println!("pass {}", case.name);
        } else {
            println!("FAIL {}", case.name);
            for line in &wrong {
                println!("    {line}");
            }
            failed.push(case.name.clone());
        }
    }
    println!("{passed} cases passed");
    assert!(failed.is_empty(), "{failed:?}");
}

/// Cases that begin with something in Exchange: told to the whole gateway, not to the translation alone.
const WITH_HISTORY: [&str; 6] = [
    "c12-group-v4",
    "c13-group-apple",
    "e35-attendee-accepts",
    "e55-html-untouched",
    "e80-snooze-only",
    "e63-uid-300",
];

/// The name of the precondition that a refusal is.
fn precondition(refusal: &Refusal) -> &'static str {
    match refusal.reason {
        Reason::InvalidData => "valid-calendar-data",
        Reason::InvalidObject => "valid-calendar-object-resource",
        Reason::UnsupportedData => "supported-calendar-data",
        Reason::UnsupportedComponent => "supported-calendar-component",
        Reason::UidConflict(_) => "no-uid-conflict",
        Reason::TooEarly => "min-date-time",
        Reason::TooLate => "max-date-time",
        Reason::TooLarge => "max-resource-size",
        Reason::UnsupportedRecurrence => "unsupported-recurrence",
        Reason::OccurrenceCrossesNeighbour => "occurrence-crosses-neighbour",
        Reason::UnsupportedTimeZone => "unsupported-timezone",
        Reason::AttendeeChange => "allowed-attendee-scheduling-object-change",
        Reason::ForeignOrganizer => "valid-organizer",
        Reason::NoMessage => "valid-scheduling-message",
        Reason::OrganizerChange => "allowed-organizer-scheduling-object-change",
    }
}

/// The item that a plan makes.
fn made(plan: &Plan) -> Item {
    let id = || ItemId { id: "NEW".into(), change_key: "CK1".into() };
    let bare = Item::predicted(plan.class, None, id(), &plan.outcome);
    let mut changes = plan.outcome.clone();
    changes.push(plan.keep(&bare, &[]));
    Item::predicted(plan.class, None, id(), &changes)
}

#[test]
fn what_clients_write_becomes_what_the_cases_say() {
    let mut failed = Vec::new();
    let mut passed = 0;
    for case in cases().iter().filter(|case| !WITH_HISTORY.contains(&case.name.as_str())) {
        let Some((file, octets)) = case.input() else { continue };
        let kind = match case.name.chars().next() {
            _ if file.ends_with(".vcf") => CollectionKind::AddressBook,
            Some('t') => CollectionKind::Tasks,
            _ => CollectionKind::Calendar,
        };
        let mut context = case.context();
        context.addresses = Arc::from([OWNER.to_owned(), "anna.berg@example.org".to_owned()]);
        let mut wrong = Vec::new();
        let http = case.assertions("http");
        let status = http.iter().find_map(|line| line.strip_prefix("status ")).unwrap_or("201");
        let error = http.iter().find_map(|line| line.strip_prefix("error ")?.split('}').nth(1));
        match write::plan(&context, kind, &file, &octets, None, true) {
            Err(refusal) => {
                if !status.starts_with("403") || error.is_some_and(|error| error != precondition(&refusal)) {
                    wrong.push(format!("refused: {} {refusal}", precondition(&refusal)));
                }
            }
            Ok(_) if status.starts_with("403") => wrong.push(format!("not refused: {error:?}")),
            Ok(plan) => {
                let item = made(&plan);
                let ews = case.assertions("ews");
                wrong.extend(ews.iter().filter_map(|line| item::judge(&item, Source::Predicted(ZONE), line)));
                wrong.extend(ews.iter().filter_map(|line| item::judge_type(&plan.changes, line)));
                let photo = plan.attach.iter().find(|a| a.is_photo).map(|a| a.content.clone().into());
                match convert::render(&context, &item, &Related { photo, ..Related::default() }) {
                    Err(error) => wrong.push(error.to_string()),
                    Ok(rendered) => {
                        let root = body(case, &rendered);
                        for assertion in case.assertions("back") {
                            if assertion == "same-octets" {
                                if rendered.body != octets && rendered.vcard4.as_ref() != Some(&octets) {
                                    wrong.push(format!(
                                        "other octets: {}",
                                        String::from_utf8_lossy(&rendered.body)
                                    ));
                                }
                            } else {
                                wrong.extend(judge(case, &rendered, &root, assertion));
                            }
                        }
                    }
                }
            }
        }
        if wrong.is_empty() {
            passed += 1;
            println!("pass {}", case.name);
        } else {
            println!("FAIL {}", case.name);
            for line in &wrong {
                println!("    {line}");
            }
            failed.push(case.name.clone());
        }
    }
    println!("{passed} cases passed");
    assert!(failed.is_empty(), "{failed:?}");
}
