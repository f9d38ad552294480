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

/// Reads the file and then the environment, which wins.
pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, Error> {
    let path = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
    let mut config = Config::default();
    read_file(&mut config, &path, &text)?;
    read_environment(&mut config, environment)?;
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
            let tables = words(KEYS.iter().map(|k| k.table));
            return Err(wrong(at, format!("`{name}` is no table here; the tables are {tables}")));
        };
        for (key_name, value) in values {
            let key_text: &str = key_name.get_ref();
            let Some(key) = KEYS.iter().find(|k| k.table == name && k.name == key_text) else {
                let keys = words(KEYS.iter().filter(|k| k.table == name).map(|k| k.name));
                let message = format!("`{key_text}` is no key of [{name}]; its keys are {keys}");
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

fn read_environment(
    config: &mut Config,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(), Error> {
    for (name, value) in environment {
        // Others share the prefix: those of the command line, of tests, of packagers.
        let is_ours = |key: &key::Key| name.starts_with(&format!("EXDAV_{}_", key.table.to_uppercase()));
        if !KEYS.iter().any(is_ours) {
            continue;
        }
        let Some(key) = KEYS.iter().find(|k| k.variable() == name) else {
            let near = words_owned(KEYS.iter().map(key::Key::variable));
            return Err(Error::Environment { name, message: format!("no such setting; there are {near}") });
        };
        (key.set)(config, &value).map_err(|message| Error::Environment { name, message })?;
    }
    Ok(())
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
        assert!(text.starts_with("exdav.toml:3: `litsen` is no key of [server]"), "{text}");
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
        assert!(text.contains("`EXDAV_SYNC_FRESHNESS`"), "{text}");
    }

    #[test]
    fn without_an_upstream_it_says_which_key_is_missing() {
        let text = read("").unwrap().check().unwrap_err().to_string();
        assert!(text.contains("`exchange.url`") && text.contains("EXDAV_EXCHANGE_URL"), "{text}");
    }
}
