//! Windows names of time zones, as Exchange and Outlook use them.

/// CLDR supplemental/windowsZones.json, reduced.
const TABLE: &str = include_str!("windows_zones.tsv");

struct Row {
    windows: &'static str,
    main: &'static str,
    others: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        Some(Row { windows: cells.next()?, main: cells.next()?, others: cells.next().unwrap_or_default() })
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
    fn names_are_found_in_any_case_and_any_territory() {
        assert_eq!(to_iana("w. europe standard time"), Some("Europe/Berlin"));
        assert_eq!(from_iana("Europe/Vienna"), Some("W. Europe Standard Time"));
        assert_eq!(to_iana("Nowhere Standard Time"), None);
    }
}
