//! Conditional requests. RFC 9110 13

use super::headers::{bare, text, whole};
use crate::model::id::ETag;
use axum::http::HeaderMap;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on.
    Met,
    /// 304 to GET and HEAD: the client has it already.
    Unchanged,
    /// 412
    Failed,
}

/// Judges a request for an existing resource, in the order of RFC 9110 13.2.2.
pub(super) fn judge(headers: &HeaderMap, etag: &ETag, last_modified: Timestamp) -> Verdict {
    if let Some(wanted) = whole(headers, "if-match") {
        if !lists(&wanted, etag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let Some(date) = text(headers, "if-unmodified-since").and_then(parse_date)
        && last_modified.as_second() > date.as_second()
    {
        return Verdict::Failed;
    }
    if let Some(known) = whole(headers, "if-none-match") {
        if lists(&known, etag, Comparison::Weak) {
            return Verdict::Unchanged;
        }
    } else if let Some(date) = text(headers, "if-modified-since").and_then(parse_date)
        && last_modified.as_second() <= date.as_second()
    {
        return Verdict::Unchanged;
    }
    Verdict::Met
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags, or `*`, has this one.
fn lists(list: &str, etag: &ETag, comparison: Comparison) -> bool {
    list.split(',').map(str::trim).any(|tag| {
        let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
        (tag == "*" || bare(tag) == etag.0) && !(weak && comparison == Comparison::Strong)
    })
}

/// `Last-Modified` and `DAV:getlastmodified`. RFC 9110 5.6.7
pub(super) fn format_date(time: Timestamp) -> String {
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}

pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::headers::tests::headers;
    use super::*;

    fn verdict(pairs: &[(&'static str, &str)]) -> Verdict {
        judge(&headers(pairs), &ETag("abc".into()), "2026-03-01T10:00:00.5Z".parse().unwrap())
    }

    #[test]
    fn entity_tags_win_over_dates() {
        assert_eq!(verdict(&[]), Verdict::Met);
        assert_eq!(verdict(&[("if-none-match", "\"abc\"")]), Verdict::Unchanged);
        assert_eq!(verdict(&[("if-none-match", "\"x\", W/\"abc\"")]), Verdict::Unchanged);
        let both = [("if-none-match", "\"x\""), ("if-modified-since", "Sun, 01 Mar 2026 10:00:00 GMT")];
        assert_eq!(verdict(&both), Verdict::Met);
        assert_eq!(verdict(&both[1..]), Verdict::Unchanged);
        assert_eq!(verdict(&[("if-modified-since", "Sun, 01 Mar 2026 09:59:59 GMT")]), Verdict::Met);
    }

    #[test]
    fn if_match_is_strong_and_forgives_escaped_quotes() {
        assert_eq!(verdict(&[("if-match", "\"abc\"")]), Verdict::Met);
        assert_eq!(verdict(&[("if-match", "\\\"abc\\\"")]), Verdict::Met);
        assert_eq!(verdict(&[("if-match", "*")]), Verdict::Met);
        assert_eq!(verdict(&[("if-match", "W/\"abc\"")]), Verdict::Failed);
        assert_eq!(verdict(&[("if-match", "nothing")]), Verdict::Failed);
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        assert_eq!(format_date("2026-03-01T10:00:00.5Z".parse().unwrap()), "Sun, 01 Mar 2026 10:00:00 GMT");
    }
}
