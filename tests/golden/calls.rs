//! The `calls` blocks of the cases: what must be sent to Exchange, and in which order.

use exdav::xml::Element;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Operations that change nothing; they are free between the others.
const READS: [&str; 9] = [
    "GetItem",
    "FindItem",
    "SyncFolderItems",
    "SyncFolderHierarchy",
    "GetFolder",
    "FindFolder",
    "GetAttachment",
    "ResolveNames",
    "GetServerTimeZones",
];

/// One request as it crossed the wire.
#[derive(Debug)]
pub struct Call {
    pub operation: String,
    /// The child of the SOAP body.
    pub element: Element,
}

impl Call {
    pub fn is_read(&self) -> bool {
        READS.contains(&self.operation.as_str())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.element.attributes();
        attributes.find(|(known, _)| known.local().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Who is told: the attribute of this operation that says so.
    pub fn notifies(&self) -> bool {
        let names =
            ["SendMeetingInvitations", "SendMeetingInvitationsOrCancellations", "SendMeetingCancellations"];
        names.iter().any(|name| self.attribute(name).is_some_and(|value| value != "SendToNone"))
    }

    /// What an UpdateItem touches.
    pub fn fields(&self) -> BTreeSet<String> {
        let uris = below(&self.element).into_iter().filter(|e| e.name().local().ends_with("FieldURI"));
        uris.filter_map(|uri| {
            let text = |name| uri.attribute(name).map(str::to_owned);
            text("FieldURI").or_else(|| text("PropertyName")).or_else(|| text("PropertyId"))
        })
        .collect()
    }

    /// The occurrences that are addressed.
    pub fn indexes(&self) -> BTreeSet<u32> {
        below(&self.element).into_iter().filter_map(|e| e.attribute("InstanceIndex")?.parse().ok()).collect()
    }

    /// The last step of a write: the client's text is laid on the item, and nobody hears of it.
    fn only_keeps(&self) -> bool {
        let own = ["dav-body", "dav-uid", "dav-name"];
        self.operation == "UpdateItem"
            && !self.notifies()
            && self.fields().iter().all(|field| own.contains(&field.as_str()))
    }
}

fn below(element: &Element) -> Vec<&Element> {
    std::iter::once(element).chain(element.children().flat_map(below)).collect()
}

/// All requests that a folder holds, from a number on; the number of the next one.
pub fn recorded(folder: &Path, from: usize) -> (Vec<Call>, usize) {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with("-request.xml"));
    files.sort();
    let next = files.len();
    let calls = files.iter().skip(from).map(|file| {
        let envelope = Element::parse(&fs::read(file).unwrap()).unwrap();
        let element = envelope.find("Body").unwrap().children().next().unwrap().clone();
        Call { operation: element.name().local().to_owned(), element }
    });
    (calls.collect(), next)
}

/// What is wrong with the calls that were made.
pub fn judge(lines: &[&str], calls: &[Call], files: &Path) -> Vec<String> {
    let mut writes = calls.iter().filter(|call| !call.is_read());
    let mut wrong = Vec::new();
    let spell = |call: &Call| format!("{} {:?} {:?}", call.operation, call.fields(), call.indexes());
    for line in lines.iter().filter(|line| !READS.iter().any(|read| line.starts_with(read))) {
        loop {
            let Some(call) = writes.next() else {
                wrong.push(format!("not called: {line}"));
                break;
            };
            let faults = differs(line, call, files);
            if faults.is_empty() {
                break;
            }
            if !call.only_keeps() {
                wrong.push(format!(
                    "{line}\n      called: {}\n      {}",
                    spell(call),
                    faults.join("\n      ")
                ));
                break;
            }
        }
    }
    wrong
        .extend(writes.filter(|call| !call.only_keeps()).map(|call| format!("also called: {}", spell(call))));
    wrong
}

/// What of a line a call does not hold.
fn differs(line: &str, call: &Call, files: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("not so: {what}"));
        }
    };
    let (operation, rest) = line.split_once(' ').unwrap_or((line, ""));
    check(call.operation == operation, operation);
    let texts = |local: &str| {
        let found = below(&call.element).into_iter().filter(|e| e.name().local() == local);
        found.map(|e| e.text().into_owned()).collect::<Vec<_>>()
    };
    let mut fields = BTreeSet::new();
    for part in rest.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(file) = part.split(['(', ')']).nth(1).filter(|file| file.starts_with("calls/")) {
            let wanted = Element::parse(&fs::read(files.join(file)).unwrap()).unwrap();
            for fault in same_request(&wanted, call) {
                check(false, &fault);
            }
        } else if let Some((name, value)) = part.split_once('=') {
            let name = name.rsplit(' ').next().unwrap();
            match name {
                "InstanceIndex" => {
                    let all = rest.split("InstanceIndex=").nth(1).unwrap().split(' ').next().unwrap();
                    let wanted: BTreeSet<u32> = all.split(',').map(|n| n.parse().unwrap()).collect();
                    check(call.indexes() == wanted, "InstanceIndex");
                }
                "ParentItemId" | "ReferenceItemId" => check(!texts(name).is_empty(), part),
                "IsContactPhoto" => check(texts(name) == [value], part),
                "Body[Text]" => check(texts("Body") == [value], part),
                attribute => check(call.attribute(attribute) == Some(value), part),
            }
            if part.starts_with("AcceptItem ") {
                check(below(&call.element).iter().any(|e| e.name().local() == "AcceptItem"), "AcceptItem");
            }
        } else if let Some(field) = part.split(' ').next().filter(|f| f.contains(':') || *f == "dav-body") {
            fields.insert(field.to_owned());
        }
    }
    if !fields.is_empty() {
        let mut seen = call.fields();
        // Names of the object, written where they are not there yet.
        seen.retain(|field| !["dav-uid", "dav-name"].contains(&field.as_str()));
        check(seen == fields, &format!("{fields:?} alone"));
    }
    wrong
}

/// What of a whole request is not in the call: each item, occurrence and property of it must be.
fn same_request(wanted: &Element, call: &Call) -> Vec<String> {
    let listed = |element: &Element| -> Vec<String> {
        let mut found = Vec::new();
        for e in below(element) {
            match e.name().local() {
                "CalendarItem" if element.name().local() == "CreateItem" => {
                    found.extend(e.children().filter(|p| p.name().local() != "ExtendedProperty").map(spell));
                }
                "OccurrenceItemId" => {
                    found.push(format!("occurrence {}", e.attribute("InstanceIndex").unwrap()));
                }
                "SetItemField" | "DeleteItemField" => found.extend(e.children().map(spell)),
                _ => {}
            }
        }
        found
    };
    let seen = listed(&call.element);
    let defaults = ["<Sensitivity>Normal", "<ReminderIsSet>false"];
    let missing = listed(wanted).into_iter().filter(|part| !seen.contains(part));
    missing
        .filter(|part| !defaults.iter().any(|default| part.starts_with(default)))
        .map(|part| format!("{part} in {seen:?}"))
        .collect()
}

fn spell(element: &Element) -> String {
    let attributes: String = element.attributes().map(|(n, v)| format!(" {}={v}", n.local())).collect();
    let inside: String = if element.children().next().is_some() {
        element.children().map(spell).collect()
    } else {
        element.text().trim().to_owned()
    };
    format!("<{}{attributes}>{inside}", element.name().local())
}
