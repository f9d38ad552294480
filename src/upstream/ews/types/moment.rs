//! Instants, days, weekdays and months as Exchange spells them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

/// Months of the year.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A month by its English name.
pub(super) fn month(text: &str) -> Option<i8> {
    MONTHS.iter().position(|month| *month == text).and_then(|at| i8::try_from(at + 1).ok())
}

pub(super) fn month_name(month: i8) -> &'static str {
    MONTHS.get(usize::from(month.unsigned_abs()).saturating_sub(1)).copied().unwrap_or("January")
}

/// The date of an `xs:date`; a zone suffix is noise. docs/EXCHANGE.md, Times
pub(super) fn date(text: &str) -> Option<Date> {
    text.trim().get(..10)?.parse().ok()
}

/// An instant; a value without zone is read as UTC. docs/EXCHANGE.md, Times
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        civil(text).and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|z| z.timestamp())
    })
}

pub(super) fn civil(text: &str) -> Option<DateTime> {
    text.trim().trim_end_matches('Z').parse().ok()
}
