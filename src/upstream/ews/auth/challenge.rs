//! `WWW-Authenticate`: which schemes a server offers, and the token that goes with one. RFC 9110 11.6.1

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One challenge: the scheme's name as it was sent, and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// `NTLM`, `Negotiate`, `Basic`, `Bearer` …
    pub scheme: &'a str,
    /// A token, or parameters.
    pub rest: &'a str,
}

/// All challenges of an answer, in the server's order.
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge<'_>> {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(pieces).filter_map(challenge).collect()
}

/// The token of a scheme's challenge, if the server sent one.
pub fn token<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let found = challenges(headers).into_iter().find(|c| c.scheme.eq_ignore_ascii_case(scheme))?;
    Some(found.rest).filter(|rest| !rest.is_empty())
}

/// Splits at commas outside of quoted strings.
fn pieces(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |c| {
        let splits = c == ',' && !quoted;
        if !escaped && c == '"' {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        splits
    })
}

/// A piece that begins a challenge; `None` for a further parameter of the one before.
fn challenge(piece: &str) -> Option<Challenge<'_>> {
    let piece = piece.trim();
    let (scheme, rest) = piece.split_once(' ').unwrap_or((piece, ""));
    let is_name = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_name.then(|| Challenge { scheme, rest: rest.trim() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_in_one_header_and_in_several() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Negotiate, NTLM".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"a, Digest b\", charset=\"UTF-8\"".parse().unwrap());
        let found: Vec<&str> = challenges(&headers).iter().map(|c| c.scheme).collect();
        assert_eq!(found, ["Negotiate", "NTLM", "Basic"]);
        assert_eq!(token(&headers, "NTLM"), None);
    }

    #[test]
    fn a_token_belongs_to_its_scheme() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "NTLM TlRMTVNTUAAC==".parse().unwrap());
        assert_eq!(token(&headers, "ntlm"), Some("TlRMTVNTUAAC=="));
        assert_eq!(token(&headers, "Negotiate"), None);
    }
}
