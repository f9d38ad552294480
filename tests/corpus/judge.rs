//! What a text says, read by a reader that is not the product's: so that a loss is seen which the product's own reader
//! does not see.

/// A component that begins, or a property where it stands.
#[derive(Debug, PartialEq)]
pub struct Fact {
    /// The components around it.
    place: String,
    pub name: String,
    /// Sorted, unquoted.
    params: Vec<String>,
    value: String,
}

impl Fact {
    /// Whether another one says all that this one does, and perhaps more.
    fn is_said_by(&self, other: &Self) -> bool {
        self.place == other.place
            && self.name == other.name
            && self.value == other.value
            && self.params.iter().all(|param| other.params.contains(param))
    }
}

/// Logical lines: octets of folded lines joined. RFC 5545 3.1
pub fn unfolded(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let joined = text.replace("\n ", "").replace("\n\t", "");
    joined.split('\n').filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Everything that a text says.
pub fn facts(text: &str) -> Vec<Fact> {
    let mut open: Vec<String> = Vec::new();
    let mut facts = Vec::new();
    for line in unfolded(text) {
        let upper = line.trim().to_ascii_uppercase();
        if let Some(name) = upper.strip_prefix("BEGIN:") {
            let (place, name) = (open.join("/"), name.to_owned());
            open.push(name.clone());
            facts.push(Fact { place, name: "BEGIN".to_owned(), params: Vec::new(), value: name });
        } else if upper.starts_with("END:") {
            open.pop();
        } else {
            facts.push(property(&open.join("/"), &line));
        }
    }
    facts
}

fn property(place: &str, line: &str) -> Fact {
    let (mut is_quoted, mut parts, mut start) = (false, Vec::new(), 0);
    let mut value = "";
    for (at, c) in line.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            ';' | ':' if !is_quoted => {
                parts.push(&line[start..at]);
                start = at + 1;
                if c == ':' {
                    value = &line[start..];
                    break;
                }
            }
            _ => {}
        }
    }
    let param = |part: &&str| match part.split_once('=') {
        Some((name, value)) => format!("{}={}", name.to_ascii_uppercase(), caret(&value.replace('"', ""))),
        None => (*part).to_owned(),
    };
    let mut params: Vec<String> = parts.iter().skip(1).map(param).collect();
    params.sort();
    Fact {
        place: place.to_owned(),
        name: parts.first().copied().unwrap_or(line).to_ascii_uppercase(),
        params,
        value: value.chars().filter(|c| *c == '\t' || !c.is_control()).collect(),
    }
}

/// RFC 6868 3.2
fn caret(text: &str) -> String {
    text.replace("^^", "\u{1}").replace("^n", "\n").replace("^'", "\"").replace('\u{1}', "^")
}

/// Which facts are an end that is not after its event's start: no event has one (RFC 5545 3.8.2.2), and it is not served.
fn ends_too_early(facts: &[Fact]) -> Vec<bool> {
    let mut event = 0;
    let events: Vec<usize> = facts
        .iter()
        .map(|fact| {
            event += usize::from(fact.name == "BEGIN" && fact.value == "VEVENT");
            event
        })
        .collect();
    let is_of_event = |fact: &Fact, name: &str| fact.name == name && fact.place.ends_with("VEVENT");
    facts
        .iter()
        .zip(&events)
        .map(|(end, event)| {
            let mut others = facts.iter().zip(&events).filter(|(_, other)| *other == event);
            let start = others.find(|(fact, _)| is_of_event(fact, "DTSTART"));
            is_of_event(end, "DTEND")
                && start.is_some_and(|(start, _)| start.params == end.params && end.value <= start.value)
        })
        .collect()
}

/// What the first says and the second does not, as often as it is said.
pub fn lost(before: &str, after: &str) -> Vec<Fact> {
    let mut after = facts(after);
    let mut is_missing = |fact: &Fact| match after.iter().position(|other| fact.is_said_by(other)) {
        Some(at) => {
            after.swap_remove(at);
            false
        }
        None => true,
    };
    let before = facts(before);
    let early = ends_too_early(&before);
    let missing = before.into_iter().zip(early).filter(|(fact, is_early)| is_missing(fact) && !is_early);
    missing.map(|(fact, _)| fact).collect()
}
