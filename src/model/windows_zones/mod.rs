//! Windows names of time zones, as Exchange and Outlook use them.

/// CLDR supplemental/windowsZones.json, reduced.
const TABLE: &str = include_str!("windows_zones.tsv");

struct Row {
    windows: &'static str,
    main: &'static str,
    others: &'static str,
    shown: &'static str,
}

/// Windows zones by the number that Exchange 2000 gave them, as far as one zone of today bears it: where Windows has
/// split a zone since, a VTIMEZONE's own rules tell more. MS-XWDCAL 2.2.2.31
const NUMBERS: [(u32, &str); 36] = [
    (0, "UTC"),
    (3, "Romance Standard Time"),
    (4, "W. Europe Standard Time"),
    (6, "Central Europe Standard Time"),
    (8, "E. South America Standard Time"),
    (9, "Atlantic Standard Time"),
    (10, "Eastern Standard Time"),
    (11, "Central Standard Time"),
    (12, "Mountain Standard Time"),
    (13, "Pacific Standard Time"),
    (14, "Alaskan Standard Time"),
    (15, "Hawaiian Standard Time"),
    (17, "New Zealand Standard Time"),
    (18, "E. Australia Standard Time"),
    (19, "Cen. Australia Standard Time"),
    (20, "Tokyo Standard Time"),
    (22, "SE Asia Standard Time"),
    (23, "India Standard Time"),
    (24, "Arabian Standard Time"),
    (25, "Iran Standard Time"),
    (27, "Israel Standard Time"),
    (28, "Newfoundland Standard Time"),
    (34, "US Eastern Standard Time"),
    (35, "SA Pacific Standard Time"),
    (36, "Canada Central Standard Time"),
    (37, "Central Standard Time (Mexico)"),
    (38, "US Mountain Standard Time"),
    (39, "Dateline Standard Time"),
    (42, "Tasmania Standard Time"),
    (43, "West Pacific Standard Time"),
    (44, "AUS Central Standard Time"),
    (45, "China Standard Time"),
    (48, "Afghanistan Standard Time"),
    (49, "Egypt Standard Time"),
    (50, "South Africa Standard Time"),
    (51, "Russian Standard Time"),
];

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        let (windows, main) = (cells.next()?, cells.next()?);
        let mut more = || cells.next().unwrap_or_default();
        Some(Row { windows, main, others: more(), shown: more() })
    })
}

/// The IANA name that stands for a Windows zone everywhere (CLDR territory 001). Case is ignored.
///
/// CLDR, Windows → Tzid
pub fn to_iana(windows: &str) -> Option<&'static str> {
    rows().find(|row| row.windows.eq_ignore_ascii_case(windows.trim())).map(|row| row.main)
}

/// The Windows zone of an IANA name that CLDR lists. Case is ignored.
pub fn from_iana(iana: &str) -> Option<&'static str> {
    let same = |name: &str| name.eq_ignore_ascii_case(iana);
    // A main name decides first: no other row may claim it.
    rows()
        .find(|row| same(row.main))
        .or_else(|| rows().find(|row| row.others.split(' ').any(same)))
        .map(|row| row.windows)
}

/// The IANA name of a zone by the words with which Windows shows it: `(UTC+01:00) Amsterdam, Berlin, …`.
///
/// What stands in brackets says nothing: many zones share an offset. Order of the places, case and old offsets
/// (`(GMT+01.00)`) do not matter.
pub fn from_display_name(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let words = match text.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.1,
        None => text,
    };
    let wanted = places(words);
    let found =
        || rows().find(|row| row.shown.split('|').any(|shown| !shown.is_empty() && places(shown) == wanted));
    if wanted.is_empty() { None } else { found().map(|row| row.main) }
}

/// The places of a display name, comparable.
fn places(shown: &str) -> Vec<String> {
    let plain = |part: &str| {
        let part = part.to_lowercase().replace('&', "and").replace(" sar", "");
        part.chars().filter(|c| c.is_alphanumeric() || matches!(c, '+' | '-')).collect::<String>()
    };
    let mut places: Vec<String> =
        shown.split([',', ';']).map(plain).filter(|part| !part.is_empty()).collect();
    places.sort_unstable();
    places
}

/// The IANA name of a zone by the number in `X-MICROSOFT-CDO-TZID`. MS-XWDCAL 2.2.2.31
pub fn from_number(number: u32) -> Option<&'static str> {
    NUMBERS.iter().find(|(known, _)| *known == number).and_then(|(_, windows)| to_iana(windows))
}

/// All Windows zones with their main IANA names.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows().map(|row| (row.windows, row.main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_windows_zone_has_a_main_name_that_leads_back_to_it() {
        assert!(rows().count() > 130);
        for row in rows() {
            // "UTC" and the fixed offsets have names of their own kind.
            assert_eq!(from_iana(row.main), Some(row.windows), "{}", row.main);
            assert!(jiff::tz::TimeZone::get(row.main).is_ok(), "{}", row.main);
        }
    }

    #[test]
    fn display_names_are_found_in_any_order_and_no_two_zones_share_one() {
        for text in [
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "(GMT+01.00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien",
            "Vienna, Amsterdam, Berlin, Bern, Rome, Stockholm",
        ] {
            assert_eq!(from_display_name(text), Some("Europe/Berlin"), "{text}");
        }
        assert_eq!(from_display_name("(UTC-06:00) Central Time (US & Canada)"), Some("America/Chicago"));
        assert_eq!(from_display_name("(GMT-06:00) Central Time (US and Canada)"), Some("America/Chicago"));
        assert_eq!(from_display_name("Kolkata, Chennai, Mumbai, New Delhi"), Some("Asia/Calcutta"));
        for text in ["(UTC+01:00)", "(UTC+01:00) Atlantis", "", "(", "Berlin", "()"] {
            assert_eq!(from_display_name(text), None, "{text}");
        }
        for row in rows() {
            for shown in row.shown.split('|').filter(|shown| !shown.is_empty()) {
                assert_eq!(from_display_name(shown), Some(row.main), "{shown}");
            }
        }
    }

    #[test]
    fn every_number_is_that_of_a_zone_that_windows_has() {
        for (number, windows) in NUMBERS {
            assert_eq!(from_number(number), to_iana(windows), "{number}");
            assert!(from_number(number).is_some(), "{windows}");
        }
        assert_eq!(from_number(52), None);
    }

    #[test]
    fn names_are_found_in_any_case_and_any_territory() {
        assert_eq!(to_iana("w. europe standard time"), Some("Europe/Berlin"));
        assert_eq!(from_iana("Europe/Vienna"), Some("W. Europe Standard Time"));
        assert_eq!(to_iana("Nowhere Standard Time"), None);
    }
}
