//! Calendar user addresses: which mailbox a URI means, and whether two mean the same. RFC 5545 3.3.3, RFC 6068
//!
//! All comparisons of addresses are here.

use super::Line;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

const SCHEME: &str = "mailto:";

/// The SMTP address of a calendar user address. Escapes are decoded (RFC 6068 2), header fields are left out, and so are the
/// name and the brackets of `Name <a@b>`, which some clients write. A bare address is taken, too. `None` for other schemes,
/// and for what is no address.
pub fn smtp(user: &str) -> Option<String> {
    let user = user.trim();
    let text = match after_scheme(user) {
        Some(rest) => decoded(rest.split('?').next().unwrap_or_default()),
        None => Cow::Borrowed(user),
    };
    let inner = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => &text,
    };
    let address = inner.trim();
    let address = after_scheme(address).unwrap_or(address).trim();
    is_address(address).then(|| address.to_owned())
}

/// The SMTP address of an ORGANIZER or ATTENDEE: that of its value, else that of its EMAIL parameter. RFC 7986 6.2
pub fn of_line(line: &Line) -> Option<String> {
    smtp(&line.value).or_else(|| smtp(line.param("EMAIL")?))
}

/// Whether two SMTP addresses are one: no case counts, and a domain may be written in Unicode or in ASCII. RFC 5890 2.3.2.1
pub fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) || has_label(one) || has_label(other))
            && key(one) == key(other)
}

/// Whether two calendar user addresses mean one mailbox.
pub fn same_user(one: &str, other: &str) -> bool {
    match (smtp(one), smtp(other)) {
        (Some(one), Some(other)) => same(&one, &other),
        (None, None) => one.trim().eq_ignore_ascii_case(other.trim()),
        _ => false,
    }
}

/// What is the same for all spellings of an SMTP address.
pub fn key(address: &str) -> String {
    ascii(address).to_lowercase()
}

/// The address with its domain in ASCII, as mail servers without SMTPUTF8 take it. RFC 5891 4.4
pub fn ascii(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@').filter(|(_, domain)| !domain.is_ascii()) else {
        return address.to_owned();
    };
    idna::domain_to_ascii(domain).map_or_else(|_| address.to_owned(), |domain| format!("{local}@{domain}"))
}

/// The calendar user address of an SMTP address. What would end or change a URI is escaped; letters stay as they are.
/// RFC 6068 2
pub fn uri(address: &str) -> String {
    let mut uri = SCHEME.to_owned();
    for letter in address.chars().filter(|letter| !letter.is_whitespace()) {
        match letter {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3F"),
            '#' => uri.push_str("%23"),
            '"' => uri.push_str("%22"),
            '<' => uri.push_str("%3C"),
            '>' => uri.push_str("%3E"),
            _ => uri.push(letter),
        }
    }
    uri
}

fn has_label(address: &str) -> bool {
    address.to_ascii_lowercase().contains("xn--")
}

fn after_scheme(text: &str) -> Option<&str> {
    let scheme = text.get(..SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| text.get(SCHEME.len()..)).flatten()
}

/// Octets that are no UTF-8 stay escaped.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

/// A local part and a domain, and nothing that separates addresses or names a scheme. RFC 5321 4.1.2
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"/".contains(c))
    };
    is_plain(domain)
        && !domain.contains('@')
        && if is_quoted { !local.contains(char::is_control) } else { is_plain(&local.replace('/', "")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_all_their_spellings() {
        for (user, address) in [
            ("mailto:a@b.example", Some("a@b.example")),
            ("MAILTO:A@B.example", Some("A@B.example")),
            (" mailto: a@b.example ", Some("a@b.example")),
            ("mailto:a%40b.example", Some("a@b.example")),
            ("mailto:Max%20M%20%3Cm@e.example%3E", Some("m@e.example")),
            ("mailto:<a@b.example>", Some("a@b.example")),
            ("Max M <mailto:a@b.example>", Some("a@b.example")),
            ("mailto:mailto:a@b.example", Some("a@b.example")),
            ("mailto:a@b.example?subject=x@y", Some("a@b.example")),
            ("mailto:a%25b@c.example", Some("a%b@c.example")),
            ("mailto:%22not%40me%22@example.org", Some("\"not@me\"@example.org")),
            ("mailto:j\u{fc}rgen@m\u{fc}nchen.example", Some("j\u{fc}rgen@m\u{fc}nchen.example")),
            ("mailto:imceaex-_o/x@b.example", Some("imceaex-_o/x@b.example")),
            ("a+b@c.example", Some("a+b@c.example")),
            ("sip:a@b.example", None),
            ("tel:+491", None),
            ("urn:uuid:1234", None),
            ("https://u@h.example/x", None),
            ("/principals/users/x@y/", None),
            ("mailto:", None),
            ("mailto:a", None),
            ("mailto:a@", None),
            ("mailto:a@b.example,c@d.example", None),
            ("", None),
        ] {
            assert_eq!(smtp(user).as_deref(), address, "{user}");
        }
    }

    #[test]
    fn an_address_is_one_in_any_case_and_in_unicode_or_ascii() {
        assert!(same("A@B.example", "a@b.EXAMPLE"));
        assert!(same("a@m\u{fc}nchen.example", "a@xn--mnchen-3ya.example"));
        assert!(same("J\u{dc}RGEN@x.example", "j\u{fc}rgen@x.example"));
        assert!(!same("a@b.example", "a@b.example.org"));
        assert!(same_user("MAILTO:A@b.example", "mailto:<a%40b.example>"));
        assert!(same_user("urn:x:A", "URN:x:a") && !same_user("urn:x:a", "mailto:a@b.example"));
        assert_eq!(ascii("a@m\u{fc}nchen.example"), "a@xn--mnchen-3ya.example");
        for address in ["a%b@c.example", "\"x?y#\"@c.example", "a@b.example", "\u{e4}@b.example"] {
            assert_eq!(smtp(&uri(address)).as_deref(), Some(address));
        }
    }
}
