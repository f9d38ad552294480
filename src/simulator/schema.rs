//! The schema that requests must follow: the grammar, and the check of a request against it.
//!
//! Exchange refuses what its schema does not know, and clients depend on hearing so; the grammar is one compact text.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::element::{Element, Space};

/// Why an element does not follow the schema, and the way to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// Exchange's sentence about it.
    pub text: String,
    /// The positions of the children that lead to the element, from the checked one down, deepest last.
    pub path: Vec<usize>,
}

impl Violation {
    fn here(text: String) -> Self {
        Violation { text, path: Vec::new() }
    }
}

/// The grammar, read once.
pub fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| Grammar::read(include_str!("schema/grammar.txt")))
}

/// All rules by the names of their types.
#[derive(Debug, Default)]
pub struct Grammar {
    operations: HashMap<&'static str, &'static str>,
    headers: HashMap<&'static str, &'static str>,
    types: HashMap<&'static str, Type>,
    names: HashMap<&'static str, &'static str>,
}

#[derive(Debug)]
enum Type {
    Tree { base: Option<&'static str>, attributes: Vec<Attribute>, model: Option<Particle> },
    Text { base: &'static str, attributes: Vec<Attribute> },
    Enum(Vec<&'static str>),
    List(&'static str),
    Union(Vec<&'static str>),
    Range { base: &'static str, min: f64, max: f64 },
    NonEmpty(&'static str),
    Simple(&'static str),
}

#[derive(Debug)]
struct Attribute {
    name: &'static str,
    kind: &'static str,
    required: bool,
}

#[derive(Debug)]
struct Particle {
    term: Term,
    optional: bool,
    repeats: bool,
}

#[derive(Debug)]
enum Term {
    Element { space: Space, name: &'static str, kind: &'static str },
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    Any,
}

/// What an element of a tree type looks like once its bases are laid together.
struct Shape {
    models: Vec<&'static Particle>,
    attributes: Vec<&'static Attribute>,
}

impl Grammar {
    fn read(text: &'static str) -> Grammar {
        let mut grammar = Grammar::default();
        for name in ["Envelope", "Header", "Body"] {
            grammar.names.insert(name, name);
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
            match first {
                "body" | "head" => {
                    let kind = words.next().unwrap_or("x:anyType");
                    grammar.names.insert(second, second);
                    if first == "body" {
                        grammar.operations.insert(second, kind);
                    } else {
                        grammar.headers.insert(second, kind);
                    }
                }
                _ => {
                    let rest: Vec<&'static str> = words.collect();
                    let rule = grammar.rule(second, &rest);
                    grammar.types.insert(first, rule);
                }
            }
        }
        grammar
    }

    fn rule(&mut self, form: &str, rest: &[&'static str]) -> Type {
        let first = rest.first().copied().unwrap_or("x:string");
        match form {
            "tree" | "text" => {
                let attributes: Vec<Attribute> = rest
                    .iter()
                    .filter_map(|word| word.strip_prefix('@'))
                    .map(|word| self.attribute(word))
                    .collect();
                if form == "text" {
                    return Type::Text { base: first, attributes };
                }
                let mut model = rest.iter().skip(1).filter(|word| !word.starts_with('@')).copied();
                let model = self.particle(&mut model);
                Type::Tree { base: (first != "-").then_some(first), attributes, model }
            }
            "enum" => Type::Enum(rest.to_vec()),
            "list" => Type::List(first),
            "union" => Type::Union(rest.to_vec()),
            "range" => {
                let bound = |at: usize, none: f64| rest.get(at).and_then(|b| b.parse().ok()).unwrap_or(none);
                Type::Range { base: first, min: bound(1, f64::NEG_INFINITY), max: bound(2, f64::INFINITY) }
            }
            "nonempty" => Type::NonEmpty(first),
            _ => Type::Simple(first),
        }
    }

    fn attribute(&mut self, word: &'static str) -> Attribute {
        let (word, required) = word.strip_suffix('!').map_or((word, false), |word| (word, true));
        let (name, kind) = word.split_once(':').unwrap_or((word, "x:string"));
        self.names.insert(name, name);
        Attribute { name, kind, required }
    }

    fn particle(&mut self, words: &mut impl Iterator<Item = &'static str>) -> Option<Particle> {
        let word = words.next()?;
        if word == "(" {
            let mut parts = Vec::new();
            let mut choice = false;
            let close = loop {
                let mut rest = words.by_ref().peekable();
                match rest.peek() {
                    None => break ")",
                    Some(word) if word.starts_with(')') => break rest.next().unwrap_or(")"),
                    Some(&"|") => {
                        choice = true;
                        rest.next();
                    }
                    Some(_) => {
                        // `peekable` has taken the word: give it back by chaining.
                        let word = rest.next().unwrap_or("");
                        let mut chained = std::iter::once(word).chain(rest);
                        parts.extend(self.part(&mut chained));
                    }
                }
            };
            let (optional, repeats) = occurrence(close);
            let term = if choice { Term::Choice(parts) } else { Term::Sequence(parts) };
            return Some(Particle { term, optional, repeats });
        }
        let (optional, repeats) = occurrence(word);
        let word = word.trim_end_matches(['?', '*', '+']);
        if word == "#any" {
            return Some(Particle { term: Term::Any, optional, repeats });
        }
        let (name, kind) = word.split_once('=')?;
        let (prefix, name) = name.split_once(':')?;
        self.names.insert(name, name);
        let space = if prefix == "m" { Space::Messages } else { Space::Types };
        Some(Particle { term: Term::Element { space, name, kind }, optional, repeats })
    }

    /// [`Grammar::particle`] behind a pointer, so that nested groups have one type of iterator.
    fn part(&mut self, words: &mut dyn Iterator<Item = &'static str>) -> Option<Particle> {
        let mut words = words;
        self.particle(&mut words)
    }

    /// The grammar's own copy of an element's or attribute's name; none for a name that no request has.
    pub fn name(&self, name: &str) -> Option<&'static str> {
        self.names.get(name).copied()
    }

    /// Whether the grammar has that operation.
    pub fn operation(&self, name: &str) -> bool {
        self.operations.contains_key(name)
    }

    /// Checks the element of an operation.
    pub fn check_body(&'static self, body: &Element) -> Result<(), Violation> {
        match self.operations.get(body.name) {
            Some(kind) if body.space == Space::Messages => self.check(body, kind),
            _ => Err(Violation::here(format!(
                "The element '{}' in namespace '{}' is not an operation.",
                body.name,
                body.space.uri()
            ))),
        }
    }

    /// Checks a SOAP header of the types namespace; others are passed over.
    pub fn check_header(&'static self, header: &Element) -> Result<(), Violation> {
        self.headers.get(header.name).map_or(Ok(()), |kind| self.check(header, kind))
    }

    fn check(&'static self, element: &Element, kind: &'static str) -> Result<(), Violation> {
        match self.types.get(kind) {
            Some(Type::Tree { .. }) => self.check_tree(element, kind),
            Some(Type::Text { base, attributes }) => {
                let mut all: Vec<&Attribute> = attributes.iter().collect();
                let mut base = *base;
                while let Some(Type::Text { base: next, attributes }) = self.types.get(base) {
                    all.extend(attributes);
                    base = next;
                }
                self.check_attributes(element, &all)?;
                self.check_leaf(element, base)
            }
            _ if kind == "x:anyType" => Ok(()),
            _ => {
                self.check_attributes(element, &[])?;
                self.check_leaf(element, kind)
            }
        }
    }

    fn check_leaf(&'static self, element: &Element, kind: &'static str) -> Result<(), Violation> {
        if let Some(child) = element.children.first() {
            return Err(Violation {
                text: format!(
                    "The element '{}' cannot contain the child element '{}'.",
                    named(element),
                    child.name
                ),
                path: vec![0],
            });
        }
        self.check_value(&element.text, kind).map_err(|why| {
            Violation::here(format!(
                "The '{}' element is invalid - The value '{}' is invalid according to its datatype '{}' - {why}",
                named(element),
                element.text,
                datatype(kind)
            ))
        })
    }

    fn shape(&'static self, kind: &str) -> Shape {
        let mut shape = Shape { models: Vec::new(), attributes: Vec::new() };
        let mut kind = Some(kind);
        while let Some(Type::Tree { base, attributes, model }) = kind.and_then(|kind| self.types.get(kind)) {
            shape.attributes.extend(attributes);
            shape.models.extend(model);
            kind = *base;
        }
        shape.models.reverse();
        shape
    }

    fn check_tree(&'static self, element: &Element, kind: &'static str) -> Result<(), Violation> {
        let shape = self.shape(kind);
        self.check_attributes(element, &shape.attributes)?;
        let mut kinds = Vec::with_capacity(element.children.len());
        let mut complete = true;
        for model in &shape.models {
            complete = matches(model, &element.children, &mut kinds);
            if !complete {
                break;
            }
        }
        if kinds.len() < element.children.len() {
            let at = kinds.len();
            let child = element.children.get(at).map_or_else(String::new, named);
            return Err(Violation {
                text: format!("The element '{}' has invalid child element '{child}'.", named(element)),
                path: vec![at],
            });
        }
        if !complete {
            return Err(Violation::here(format!("The element '{}' has incomplete content.", named(element))));
        }
        for (at, (child, kind)) in element.children.iter().zip(kinds).enumerate() {
            self.check(child, kind).map_err(|mut violation| {
                violation.path.insert(0, at);
                violation
            })?;
        }
        Ok(())
    }

    fn check_attributes(&'static self, element: &Element, known: &[&Attribute]) -> Result<(), Violation> {
        for (name, value) in &element.attributes {
            let Some(attribute) = known.iter().find(|attribute| attribute.name == *name) else {
                return Err(Violation::here(format!("The '{name}' attribute is not declared.")));
            };
            self.check_value(value, attribute.kind).map_err(|why| {
                Violation::here(format!(
                    "The '{name}' attribute is invalid - The value '{value}' is invalid according to its datatype \
                     '{}' - {why}",
                    datatype(attribute.kind)
                ))
            })?;
        }
        match known.iter().find(|a| a.required && element.attribute(a.name).is_none()) {
            Some(missing) => {
                Err(Violation::here(format!("The required attribute '{}' is missing.", missing.name)))
            }
            None => Ok(()),
        }
    }

    fn check_value(&'static self, value: &str, kind: &str) -> Result<(), &'static str> {
        match self.types.get(kind) {
            None => builtin(value.trim(), value, kind),
            Some(Type::Enum(words)) if words.contains(&value.trim()) => Ok(()),
            Some(Type::Enum(_)) => Err("The Enumeration constraint failed."),
            Some(Type::List(item)) => {
                value.split_ascii_whitespace().try_for_each(|word| self.check_value(word, item))
            }
            Some(Type::Union(members)) => {
                let fits = members.iter().any(|member| self.check_value(value, member).is_ok());
                fits.then_some(())
                    .ok_or("The value is not valid according to any of the memberTypes of the union.")
            }
            Some(Type::Range { base, min, max }) => {
                self.check_value(value, base)?;
                let number: f64 = value.trim().parse().map_err(|_| "The string is not a number.")?;
                match number {
                    number if number < *min => Err("The MinInclusive constraint failed."),
                    number if number > *max => Err("The MaxInclusive constraint failed."),
                    _ => Ok(()),
                }
            }
            Some(Type::NonEmpty(_)) if value.is_empty() => {
                Err("The actual length is less than the MinLength value.")
            }
            Some(Type::NonEmpty(base) | Type::Simple(base) | Type::Text { base, .. }) => {
                self.check_value(value, base)
            }
            Some(Type::Tree { .. }) => Ok(()),
        }
    }
}

fn named(element: &Element) -> String {
    format!("{}:{}", element.space.uri(), element.name)
}

fn datatype(kind: &str) -> String {
    match kind.split_once(':') {
        Some(("t", name)) => format!("{}:{name}", Space::Types.uri()),
        Some(("m", name)) => format!("{}:{name}", Space::Messages.uri()),
        Some((_, name)) => format!("http://www.w3.org/2001/XMLSchema:{name}"),
        None => kind.to_owned(),
    }
}

fn occurrence(word: &str) -> (bool, bool) {
    (word.ends_with(['?', '*']), word.ends_with(['*', '+']))
}

/// Takes as many of the children after `kinds` as the particle covers and notes their types; says whether the
/// particle is satisfied. The schema is deterministic, so that the first branch that fits is the only one.
fn matches(particle: &'static Particle, children: &[Element], kinds: &mut Vec<&'static str>) -> bool {
    let mut taken = 0;
    loop {
        let before = kinds.len();
        let fits = once(&particle.term, children, kinds);
        if !fits {
            // A group that was begun and not finished is an error even where the group is optional.
            return kinds.len() == before && (taken > 0 || particle.optional);
        }
        if kinds.len() == before {
            return true;
        }
        taken += 1;
        if !particle.repeats {
            return true;
        }
    }
}

fn once(term: &'static Term, children: &[Element], kinds: &mut Vec<&'static str>) -> bool {
    match term {
        Term::Any => {
            let more = kinds.len() < children.len();
            if more {
                kinds.push("x:anyType");
            }
            more
        }
        Term::Element { space, name, kind } => {
            let fits = children.get(kinds.len()).is_some_and(|c| c.name == *name && c.space == *space);
            if fits {
                kinds.push(kind);
            }
            fits
        }
        Term::Sequence(parts) => parts.iter().all(|part| matches(part, children, kinds)),
        Term::Choice(parts) => {
            let before = kinds.len();
            for part in parts {
                let fits = matches(part, children, kinds);
                if kinds.len() > before {
                    return fits;
                }
            }
            parts.iter().any(|part| part.optional)
        }
    }
}

fn builtin(value: &str, raw: &str, kind: &str) -> Result<(), &'static str> {
    let valid = match kind {
        "x:boolean" => matches!(value, "true" | "false" | "1" | "0"),
        "x:int" => value.parse::<i32>().is_ok(),
        "x:short" => value.parse::<i16>().is_ok(),
        "x:long" | "x:integer" => value.parse::<i64>().is_ok(),
        "x:unsignedShort" => {
            value.parse::<u16>().is_ok()
                || value.strip_prefix("0x").is_some_and(|hex| u16::from_str_radix(hex, 16).is_ok())
        }
        "x:unsignedInt" | "x:nonNegativeInteger" => value.parse::<u32>().is_ok(),
        "x:double" | "x:float" | "x:decimal" => value.parse::<f64>().is_ok(),
        "x:dateTime" => is_date_time(value),
        "x:date" => is_date(value),
        "x:time" => is_time(value),
        "x:duration" => value.trim_start_matches('-').starts_with('P'),
        "x:base64Binary" => {
            raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/= \r\n\t".contains(&b))
                && raw.bytes().filter(|b| !b.is_ascii_whitespace()).count() % 4 == 0
        }
        _ => true,
    };
    if valid { Ok(()) } else { Err("The string is not a valid value of this type.") }
}

fn is_date_time(value: &str) -> bool {
    value.split_once('T').is_some_and(|(date, time)| is_date(date) && date.len() == 10 && is_time(time))
}

fn is_date(value: &str) -> bool {
    let date = value.get(..10).unwrap_or("");
    date.parse::<jiff::civil::Date>().is_ok() && is_offset(value.get(10..).unwrap_or(""))
}

fn is_time(value: &str) -> bool {
    let time = value.get(..8).unwrap_or("");
    let rest = value.get(8..).unwrap_or("");
    let rest =
        rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    time.parse::<jiff::civil::Time>().is_ok() && is_offset(rest)
}

fn is_offset(value: &str) -> bool {
    let bytes = value.as_bytes();
    matches!(bytes, [] | b"Z")
        || matches!(bytes, [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()))
}
