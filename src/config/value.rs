//! How values are spelled in the file and in the environment.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Any text.
pub fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A file or a folder.
pub fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// What its own type reads; `what` says what that is.
pub fn parsed<T: FromStr>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| expected(what, text))
}

/// A number that is not too small and not too large.
pub fn number(range: RangeInclusive<usize>, text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| expected(&format!("a number from {} to {}", range.start(), range.end()), text))
}

/// A URL of the web, such as the example.
pub fn url(example: &str, text: &str) -> Result<String, String> {
    let is_good = text.starts_with("https://") || text.starts_with("http://");
    if is_good { Ok(text.to_owned()) } else { Err(expected(&format!("a URL such as `{example}`"), text)) }
}

/// A SHA-256 in hexadecimal digits, with or without colons.
pub fn sha256(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let octets = (0..32).map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
    let octets: Option<Vec<u8>> = octets.collect();
    let hash = octets.filter(|_| digits.len() == 64).and_then(|octets| octets.try_into().ok());
    hash.ok_or_else(|| expected("64 hexadecimal digits", text))
}

/// Names of hosts or domains, joined by commas.
pub fn hosts(text: &str) -> Result<Vec<String>, String> {
    let is_name = |name: &String| {
        let is_good = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        name.contains('.') && name.split('.').all(|label| !label.is_empty() && label.chars().all(is_good))
    };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    if names.iter().all(is_name) { Ok(names) } else { Err(expected("names such as `example.com`", text)) }
}

/// `250ms`, `15s`, `5m`, `2h`, `1d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected("a duration such as `15s`", text))?;
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected("a duration with a unit: ms, s, m, h or d, such as `15s`", text)),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| expected("a shorter duration", text))
}

/// A duration of one day or more.
pub fn days(text: &str) -> Result<Duration, String> {
    let is_long = |length: &Duration| *length >= Duration::from_hours(24);
    duration(text).ok().filter(is_long).ok_or_else(|| expected("a number of days such as `90d`", text))
}

/// Octets: `20 MB`, `512 KB`, `1048576`. Powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected("a size such as `20 MB`", text))?;
    let factor = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err(expected("a size with a unit: B, KB, MB or GB, such as `20 MB`", text)),
    };
    number.checked_mul(factor).ok_or_else(|| expected("a smaller size", text))
}

/// One of a list of words.
pub fn choice<T: Copy>(choices: &[(&str, T)], text: &str) -> Result<T, String> {
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        expected(&format!("one of {}", words.join(", ")), text)
    })
}

/// The sentence for a value that does not fit.
pub fn expected(what: &str, text: &str) -> String {
    format!("expected {what}, found `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("250 ms"), Ok(Duration::from_millis(250)));
        assert!(duration("15").is_err());
        assert!(duration("-1s").is_err());
        assert!(duration("99999999999999999d").is_err());
    }

    #[test]
    fn a_window_has_at_least_a_day() {
        assert_eq!(days("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(days("0d"), Err("expected a number of days such as `90d`, found `0d`".to_owned()));
        assert!(days("90").is_err() && days("1h").is_err());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("20 MB"), Ok(20 << 20));
        assert_eq!(size("7"), Ok(7));
        assert!(size("1 parsec").is_err());
    }

    #[test]
    fn a_wrong_word_names_the_right_ones() {
        assert_eq!(choice(&[("text", 1), ("json", 2)], "json"), Ok(2));
        assert_eq!(
            choice(&[("text", 1), ("json", 2)], "xml"),
            Err("expected one of `text`, `json`, found `xml`".to_owned())
        );
    }
}
