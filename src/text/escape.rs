//! Backslash escapes of TEXT values and the separators of lists and structured values.

/// TEXT with its escapes resolved. RFC 5545 3.3.11
pub fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            _ => text.push(c),
        }
    }
    text
}

/// Text as a TEXT value. Line ends become `\n`, other control characters but the tab are left out.
pub fn escape(text: &str) -> String {
    let mut value = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => {
                value.push('\\');
                value.push(c);
            }
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    value.push_str("\\n");
                }
            }
            '\n' => value.push_str("\\n"),
            '\t' => value.push('\t'),
            c if c.is_control() => {}
            c => value.push(c),
        }
    }
    value
}

/// The values of a comma-separated list, escapes resolved.
pub fn split_list(value: &str) -> Vec<String> {
    split(value, ',').into_iter().map(unescape).collect()
}

/// The components of a structured value, each a list, escapes resolved. RFC 6350 3.4
pub fn split_structured(value: &str) -> Vec<Vec<String>> {
    split(value, ';').into_iter().map(split_list).collect()
}

fn split(value: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in value.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(value.get(start..at).unwrap_or_default());
            start = at + c.len_utf8();
        }
    }
    parts.push(value.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_and_unescaping_are_inverse() {
        for text in ["", "a,b;c\\d", "two\nlines", "C:\\new", "tab\tand ü 🎉"] {
            assert_eq!(unescape(&escape(text)), text);
        }
    }

    #[test]
    fn line_ends_of_all_systems_become_one_escape() {
        assert_eq!(escape("a\r\nb\rc\nd"), "a\\nb\\nc\\nd");
    }

    #[test]
    fn escaped_separators_do_not_separate() {
        assert_eq!(split_list("a\\,b,c"), ["a,b", "c"]);
        assert_eq!(split_structured("x;a,b\\;;"), [vec!["x"], vec!["a", "b;"], vec![""]]);
    }
}
