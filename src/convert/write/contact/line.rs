//! What the lines of vCards say: types, labels, preferences and values in the dialects of clients.

use crate::text::{Component, Line, address};
use std::collections::BTreeSet;

/// Chat handles that have a property of their own, and the scheme of their URIs.
pub const HANDLES: [(&str, &str); 5] =
    [("X-AIM", "aim"), ("X-JABBER", "xmpp"), ("X-SKYPE", "skype"), ("X-ICQ", "icq"), ("X-MSN", "msnim")];

/// Apple's label of a line, without its wrapping, in lower case.
pub fn label(card: &Component, line: &Line) -> Option<String> {
    let group = line.group.as_deref()?;
    let same = |other: &&Line| other.group.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(group));
    let label = card.lines_named("X-ABLABEL").find(same)?.unescaped();
    Some(label.trim_start_matches("_$!<").trim_end_matches(">!$_").to_lowercase())
}

/// TYPE as one set, lower case.
pub fn types(line: &Line) -> BTreeSet<String> {
    let own = line.param_values("TYPE").flat_map(|value| value.split(','));
    // The bare types of vCard 2.1.
    let bare = line.param_values("");
    own.chain(bare).map(|kind| kind.trim().to_lowercase()).filter(|kind| !kind.is_empty()).collect()
}

/// Preferred ones first, then as written.
pub fn preference(line: &Line) -> u32 {
    let number = line.param("PREF").and_then(|pref| pref.parse().ok());
    number.unwrap_or(if types(line).contains("pref") { 1 } else { 101 })
}

/// The lines of that name, the preferred ones first.
pub fn by_preference<'a>(card: &'a Component, name: &'a str) -> Vec<&'a Line> {
    let mut lines: Vec<&Line> = card.lines_named(name).collect();
    lines.sort_by_key(|line| preference(line));
    lines
}

/// The text of the first line of that name, if there is any.
pub fn text_of(card: &Component, name: &str) -> Option<String> {
    card.line(name).map(|line| line.unescaped().trim().to_owned()).filter(|text| !text.is_empty())
}

/// A value in the form in which Exchange holds it; empty for what Exchange cannot hold.
pub fn value(line: &Line) -> String {
    let text = line.unescaped();
    let text = text.trim();
    match line.name.as_str() {
        "EMAIL" => {
            let address = strip_scheme(text, "mailto:").and_then(|_| address::smtp(text));
            let address = address.unwrap_or_else(|| text.to_owned());
            if address.contains('@') { address } else { String::new() }
        }
        "TEL" | "X-MS-TEL" => match strip_scheme(text, "tel:") {
            Some(uri) => uri.replace(";ext=", " ext ").split(';').next().unwrap_or_default().to_owned(),
            None if strip_scheme(text, "sip:").is_some() => String::new(),
            None => text.to_owned(),
        },
        name => match HANDLES.iter().find(|(known, _)| *known == name) {
            Some((_, scheme)) if !text.is_empty() => format!("{scheme}:{text}"),
            _ => text.to_owned(),
        },
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme))?;
    text.get(scheme.len()..)
}

/// What a member is called by, in lower case: Apple puts any UID behind `urn:uuid:`.
pub fn uid(member: &str) -> String {
    let member = member.trim().to_lowercase();
    member.strip_prefix("urn:uuid:").unwrap_or(&member).to_owned()
}

/// Whether two lines say the same of the same thing, labels and parameters aside.
pub fn says_the_same(a: &Line, b: &Line) -> bool {
    let is_handle = |line: &Line| line.name == "IMPP" || HANDLES.iter().any(|(name, _)| line.name == *name);
    if a.name == "MEMBER" || a.name == "X-ADDRESSBOOKSERVER-MEMBER" {
        return a.name == b.name && uid(&a.value) == uid(&b.value);
    }
    (a.name == b.name || is_handle(a) && is_handle(b)) && value(a) == value(b)
}
