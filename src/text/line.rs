//! One content line.

use std::borrow::Cow;

/// Octets of a line before it is folded, line end excluded. RFC 5545 3.1
const FOLD_AT: usize = 75;

/// `group.NAME;PARAM=value:value`, unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The vCard group before the name. RFC 6350 3.3
    pub group: Option<String>,
    /// Upper case.
    pub name: String,
    /// In their order.
    pub params: Vec<Parameter>,
    /// Raw: escapes are not resolved, since only the property knows whether it has any.
    pub value: String,
    /// How the name was written. Some readers of vCards know `X-ABLabel` in this spelling alone.
    pub(crate) spelling: Spelling,
}

/// A name as it was written, if not in upper case. All are equal: names are the same in any case. RFC 6350 3.3
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling(Option<Box<str>>);

impl PartialEq for Spelling {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spelling {}

impl Spelling {
    fn of(name: &str) -> Self {
        Self(name.bytes().any(|octet| octet.is_ascii_lowercase()).then(|| name.into()))
    }
}

/// `NAME=value,"other value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Upper case; empty for the bare types of vCard 2.1.
    pub name: String,
    /// Without quotes, RFC 6868 escapes resolved.
    pub values: Vec<String>,
}

impl Line {
    /// A line whose value is written as it stands; control characters are left out.
    pub fn raw(name: &str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        value.retain(|c| c == '\t' || !c.is_control());
        let spelling = Spelling::of(name);
        Self { group: None, name: name.to_ascii_uppercase(), params: Vec::new(), value, spelling }
    }

    /// A line with a TEXT value.
    pub fn text(name: &str, text: &str) -> Self {
        Self::raw(name, super::escape(text))
    }

    /// The same line with one parameter more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.push(Parameter { name: name.to_ascii_uppercase(), values: vec![value.to_owned()] });
        self
    }

    /// The same line in a group.
    #[must_use]
    pub fn in_group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    /// The first value of a parameter. The name is upper case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|p| p.name == name).and_then(|p| p.values.first()).map(String::as_str)
    }

    /// All values of a parameter, also when it is repeated. The name is upper case.
    pub fn param_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.params.iter().filter(move |p| p.name == name).flat_map(|p| p.values.iter().map(String::as_str))
    }

    /// The value with TEXT escapes resolved.
    pub fn unescaped(&self) -> String {
        super::unescape(&self.value)
    }

    /// Reads an unfolded line; `None` when it has no name or no value.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let name_end = line.find([';', ':'])?;
        let (full, mut rest) = line.split_at_checked(name_end)?;
        let (group, name) = match full.rsplit_once('.') {
            Some((group, name)) => (Some(group.to_owned()), name),
            None => (None, full),
        };
        let legal = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if name.trim().is_empty()
            || !legal(name.trim())
            || group.as_deref().is_some_and(|g| g.is_empty() || !legal(g))
        {
            return None;
        }
        let mut params = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let (parameter, remaining) = parameter(after)?;
            params.push(parameter);
            rest = remaining;
        }
        let value = rest.strip_prefix(':')?.to_owned();
        let name = name.trim();
        Some(Self { group, name: name.to_ascii_uppercase(), params, value, spelling: Spelling::of(name) })
    }

    /// The name as it was written, where that is not in upper case.
    pub(super) fn spelled(&self) -> Option<&str> {
        // A line that was given another name is no longer spelled so.
        self.spelling.0.as_deref().filter(|spelled| spelled.eq_ignore_ascii_case(&self.name))
    }

    /// Appends the line, folded, with its line end; the name in upper case or as it was written.
    pub(super) fn write(&self, out: &mut String, as_spelled: bool) {
        let mut line = String::with_capacity(self.value.len() + 32);
        if let Some(group) = &self.group {
            line.push_str(group);
            line.push('.');
        }
        line.push_str(self.spelled().filter(|_| as_spelled).unwrap_or(&self.name));
        for parameter in &self.params {
            line.push(';');
            if !parameter.name.is_empty() {
                line.push_str(&parameter.name);
                line.push('=');
            }
            for (index, value) in parameter.values.iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                push_parameter_value(&mut line, value);
            }
        }
        line.push(':');
        line.extend(self.value.chars().filter(|c| *c == '\t' || !c.is_control()));
        fold(&line, out);
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn parameter(text: &str) -> Option<(Parameter, &str)> {
    let end = text.find(['=', ';', ':'])?;
    let (name, rest) = text.split_at_checked(end)?;
    let Some(mut rest) = rest.strip_prefix('=') else {
        // vCard 2.1: `TEL;WORK;VOICE:…`
        let values = name.split(',').map(|value| value.replace(['"', '^'], "")).collect();
        return Some((Parameter { name: String::new(), values }, rest));
    };
    let name = name.trim().to_ascii_uppercase();
    if !is_name(&name) {
        return None;
    }
    let mut values = Vec::new();
    loop {
        let (value, remaining) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"')?;
                // Whatever stands between the closing quote and the next separator belongs to nobody.
                (Cow::Borrowed(value), after.get(after.find([',', ';', ':'])?..)?)
            }
            None => {
                let end = rest.find([',', ';', ':'])?;
                let (value, after) = rest.split_at_checked(end)?;
                (Cow::Borrowed(value), after)
            }
        };
        values.push(decode_caret(&value));
        match remaining.strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                return Some((Parameter { name, values }, remaining));
            }
        }
    }
}

/// RFC 6868 3.2
fn decode_caret(value: &str) -> String {
    if !value.contains('^') {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        let decoded = (c == '^').then(|| match chars.peek() {
            Some('n') => Some('\n'),
            Some('^') => Some('^'),
            Some('\'') => Some('"'),
            _ => None,
        });
        match decoded.flatten() {
            Some(decoded) => {
                chars.next();
                text.push(decoded);
            }
            None => text.push(c),
        }
    }
    text
}

fn push_parameter_value(line: &mut String, value: &str) {
    let quoted = value.contains([':', ';', ',', '"', '\n', '^']);
    if quoted {
        line.push('"');
    }
    for c in value.chars() {
        match c {
            '\n' => line.push_str("^n"),
            '"' => line.push_str("^'"),
            '^' => line.push_str("^^"),
            '\t' => line.push('\t'),
            c if c.is_control() => {}
            c => line.push(c),
        }
    }
    if quoted {
        line.push('"');
    }
}

fn fold(line: &str, out: &mut String) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > FOLD_AT {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(c);
        width += c.len_utf8();
    }
    out.push_str("\r\n");
}
