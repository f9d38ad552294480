//! The configuration: one TOML file, environment variables above it.
//!
//! A wrong key or value is refused with file, line and what would be right. Every key is a row of
//! [`key::KEYS`]; the example file and docs/SETTINGS.md are checked against that table.
//!
//! **Invariant:** the environment is read here and nowhere else.

pub mod key;
pub mod value;

pub use key::Config;

use key::KEYS;
use std::fmt::Write as _;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML.
    #[error("{path}:{line}: {message}")]
    Wrong {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An environment variable does not fit.
    #[error("environment variable {name}: {message}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// One of two keys that need each other is missing.
    #[error("`{0}` and `{1}` are set together or not at all")]
    Together(&'static str, &'static str),
    /// A key means nothing without another.
    #[error("`{0}` needs `{1}`")]
    Needs(&'static str, &'static str),
    /// A key that has no default is missing.
    #[error(
        "neither `exchange.domain` nor `{table}.{name}` is set: put one into the configuration file, or set \
         {variable}\n  {doc}"
    )]
    Missing {
        /// Table.
        table: &'static str,
        /// Key.
        name: &'static str,
        /// Environment variable.
        variable: String,
        /// What it is.
        doc: &'static str,
    },
}

/// Where the file is looked for when nobody names one: beside the user, then where the system keeps settings.
const PLACES: [&str; 2] = ["exdav.toml", "/etc/exdav/exdav.toml"];

/// Variables with this program's prefix that are no settings: those of the command line.
const NO_SETTINGS: [&str; 2] = ["EXDAV_CONFIG", "EXDAV_LOG"];

/// Reads the file that is named, or one of [`PLACES`] if there is one, and then the environment, which wins.
///
/// Variables with this program's prefix that mean nothing are named in the log.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Error> {
    let found = || PLACES.iter().map(Path::new).find(|place| place.is_file());
    let mut config = Config::default();
    if let Some(file) = file.or_else(found) {
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|source| Error::Unreadable { path: path.clone(), source })?;
        read_file(&mut config, &path, &text)?;
        tracing::debug!(path, "settings were read");
    }
    for unknown in read_environment(&mut config, environment)? {
        tracing::warn!("the environment variable {unknown}");
    }
    config.check()?;
    Ok(config)
}

fn read_file(config: &mut Config, path: &str, text: &str) -> Result<(), Error> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1;
    let wrong = |offset, message| Error::Wrong { path: path.to_owned(), line: line_of(offset), message };
    let document =
        DeTable::parse(text).map_err(|e| wrong(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;
    for (table_name, table) in document.get_ref() {
        let at = table_name.span().start;
        let name: &str = table_name.get_ref();
        let Some(values) = table.get_ref().as_table().filter(|_| KEYS.iter().any(|k| k.table == name)) else {
            let near = meant(name, KEYS.iter().map(|k| k.table.to_owned()));
            let tables = words(KEYS.iter().map(|k| k.table));
            return Err(wrong(at, format!("`{name}` is no table here{near}; the tables are {tables}")));
        };
        for (key_name, value) in values {
            let key_text: &str = key_name.get_ref();
            let Some(key) = KEYS.iter().find(|k| k.table == name && k.name == key_text) else {
                let of_table = || KEYS.iter().filter(|k| k.table == name).map(|k| k.name);
                let near = meant(key_text, of_table().map(str::to_owned));
                let keys = words(of_table());
                let message = format!("`{key_text}` is no key of [{name}]{near}; its keys are {keys}");
                return Err(wrong(key_name.span().start, message));
            };
            let spelled = scalar(value.get_ref())
                .ok_or_else(|| wrong(value.span().start, format!("`{}` takes {}", key.name, key.form)))?;
            (key.set)(config, &spelled)
                .map_err(|message| wrong(value.span().start, format!("`{}`: {message}", key.name)))?;
        }
    }
    Ok(())
}

/// Takes over settings; gives the variables that mean nothing, each with what may have been meant. One that begins
/// like a setting's is refused.
fn read_environment(
    config: &mut Config,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Vec<String>, Error> {
    let mut unknown = Vec::new();
    for (name, value) in environment {
        if let Some(key) = KEYS.iter().find(|k| k.variable() == name) {
            (key.set)(config, &value).map_err(|message| Error::Environment { name, message })?;
            continue;
        }
        if !name.starts_with("EXDAV_") || NO_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let near = meant(&name, KEYS.iter().map(key::Key::variable));
        let is_ours = |key: &key::Key| name.starts_with(&format!("EXDAV_{}_", key.table.to_uppercase()));
        if KEYS.iter().any(is_ours) {
            let message = format!("no such setting{near}; docs/SETTINGS.md lists them");
            return Err(Error::Environment { name, message });
        }
        // Others may share the prefix.
        unknown.push(format!("{name} is no setting{near}"));
    }
    Ok(unknown)
}

/// `: did you mean …?`, where one of these is close to what was written.
fn meant(written: &str, known: impl Iterator<Item = String>) -> String {
    /// Share of letters that agree, below which two words are different words.
    const MIN_LIKENESS: f64 = 0.7;
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(written, word);
    let nearest = known.map(|word| (likeness(&word), word)).max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((likeness, word)) if likeness >= MIN_LIKENESS => format!(" (did you mean `{word}`?)"),
        _ => String::new(),
    }
}

/// A scalar, or an array of scalars joined by commas, as its setter reads it.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| scalar(item.get_ref())).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    words_owned(names.map(str::to_owned))
}

fn words_owned(names: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The annotated example file: every key with what it means, its form and its default.
pub fn example() -> String {
    let mut text = String::from(
        "# exdav configuration. Every key is here with its default; those that have none are not set.\n\
         # `exchange.domain` or `exchange.url` must be.\n\
         # Each can also be set by an environment variable, which wins: EXDAV_<TABLE>_<KEY>.\n",
    );
    let mut table = "";
    for key in KEYS.iter() {
        if key.table != table {
            table = key.table;
            let _ = write!(text, "\n[{table}]\n");
        }
        let _ = write!(text, "\n# {}\n# {}\n", key.doc, key.form);
        let _ = match key.default {
            Some(value) => writeln!(text, "{} = {value}", key.name),
            None => writeln!(text, "# {} = {}", key.name, key.example),
        };
    }
    text
}

/// The table of settings in docs/SETTINGS.md.
pub fn reference() -> String {
    let mut text = String::from("| key | default | meaning |\n| --- | --- | --- |\n");
    for key in KEYS.iter() {
        let default = key.default.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
        let _ = writeln!(text, "| `{}.{}` | {default} | {} ({}) |", key.table, key.name, key.doc, key.form);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Error> {
        let mut config = Config::default();
        read_file(&mut config, "exdav.toml", text)?;
        Ok(config)
    }

    #[test]
    fn the_example_is_read_and_changes_nothing() {
        let config = read(&example()).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn a_wrong_key_is_refused_with_its_line_and_the_right_ones() {
        let text = read("[server]\nlisten = \"127.0.0.1:1\"\nlitsen = 1\n").unwrap_err().to_string();
        assert!(
            text.starts_with("exdav.toml:3: `litsen` is no key of [server] (did you mean `listen`?)"),
            "{text}"
        );
        assert!(text.contains("`listen`"), "{text}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line_and_what_would_be_right() {
        let text = read("[sync]\n\nfreshness = \"soon\"\n").unwrap_err().to_string();
        assert!(text.starts_with("exdav.toml:3: `freshness`: expected a duration"), "{text}");
    }

    #[test]
    fn the_environment_wins_and_is_checked() {
        let mut config = read("[sync]\nfreshness = \"1s\"\n").unwrap();
        let set = |name: &str, value: &str| std::iter::once((name.to_owned(), value.to_owned()));
        read_environment(&mut config, set("EXDAV_SYNC_FRESHNESS", "2s")).unwrap();
        assert_eq!(config.sync.freshness, std::time::Duration::from_secs(2));
        let text = read_environment(&mut config, set("EXDAV_SYNC_FRESH", "2s")).unwrap_err().to_string();
        assert!(text.contains("did you mean `EXDAV_SYNC_FRESHNESS`?"), "{text}");
        let unknown = read_environment(&mut config, set("EXDAV_EXCHNAGE_URL", "x")).unwrap();
        assert_eq!(unknown, ["EXDAV_EXCHNAGE_URL is no setting (did you mean `EXDAV_EXCHANGE_URL`?)"]);
        assert!(read_environment(&mut config, set("EXDAV_LOG", "debug")).unwrap().is_empty());
        assert!(read_environment(&mut config, set("HOME", "/root")).unwrap().is_empty());
    }

    #[test]
    fn a_misspelled_key_or_table_is_answered_with_the_one_that_was_meant() {
        for (text, word) in [
            ("[server]\nlitsen = 1\n", "`listen`"),
            ("[exchnage]\nurl = 1\n", "`exchange`"),
            ("[exchange]\nconect_timeout = 1\n", "`connect_timeout`"),
        ] {
            let text = read(text).unwrap_err().to_string();
            assert!(text.contains(&format!("did you mean {word}?")), "{text}");
        }
        assert!(!read("[server]\nxyzzy = 1\n").unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn without_an_upstream_it_says_which_key_is_missing() {
        let text = read("").unwrap().check().unwrap_err().to_string();
        assert!(text.contains("`exchange.url`") && text.contains("EXDAV_EXCHANGE_URL"), "{text}");
    }
}
