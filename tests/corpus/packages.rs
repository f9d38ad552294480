//! Calendars that other programs ship in their tests, as `tests/corpus/fetch.py` finds them: not ours, so not
//! committed. They are read from `$EXDAV_CALENDARS`, by default `target/test-tools/calendars`, where `tests/run` puts
//! them.

use super::Sample;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Objects that are taken from one file: there are those with thousands of the same kind.
const MAX_OF_A_FILE: usize = 12;

/// All files, in the order of their names.
pub fn calendars() -> Vec<Sample> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/calendars");
    let folder = std::env::var_os("EXDAV_CALENDARS").map_or_else(usual, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("calendars of packages: {} is absent, so only our own objects are tried", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let sample = |file: &PathBuf| Sample {
        title: file.file_name().unwrap().to_string_lossy().into_owned(),
        text: String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned().into_bytes(),
    };
    files.iter().map(sample).collect()
}

/// A calendar file as a client imports it: one object for each UID, with a VERSION, without METHOD,
/// with the zones.
pub fn objects(file: &Sample) -> Vec<Sample> {
    let text = String::from_utf8(file.text.clone()).unwrap().replace("\r\n", "\n");
    let (mut head, mut zones, mut objects) = (Vec::new(), Vec::new(), Vec::<(String, Vec<String>)>::new());
    let (mut block, mut depth) = (Vec::new(), 0);
    for line in text.lines().skip(1) {
        let upper = line.trim_end().to_ascii_uppercase();
        if upper.starts_with("BEGIN:") {
            depth += 1;
        }
        if depth == 0 {
            if !upper.starts_with("METHOD") && !upper.starts_with("END:") {
                head.push(line.to_owned());
            }
            continue;
        }
        block.push(line.to_owned());
        if upper.starts_with("END:") {
            depth -= 1;
        }
        if depth == 0 {
            let whole = std::mem::take(&mut block);
            let kind = whole[0].trim_end().to_ascii_uppercase();
            if kind == "BEGIN:VEVENT" || kind == "BEGIN:VTODO" {
                let uid = whole.iter().find(|l| l.starts_with("UID")).cloned().unwrap_or_default();
                match objects.iter_mut().find(|(known, _)| !uid.is_empty() && *known == uid) {
                    Some((_, lines)) => lines.extend(whole),
                    None => objects.push((uid, whole)),
                }
            } else if kind == "BEGIN:VTIMEZONE" {
                zones.extend(whole);
            }
        }
    }
    if !head.iter().any(|line| line.to_ascii_uppercase().starts_with("VERSION")) {
        head.push("VERSION:2.0".to_owned());
    }
    let whole = |(number, (_, lines)): (usize, (String, Vec<String>))| {
        let all = [vec!["BEGIN:VCALENDAR".to_owned()], head.clone(), zones.clone(), lines];
        let text = format!("{}\r\nEND:VCALENDAR\r\n", all.concat().join("\r\n"));
        Sample { title: format!("{}/{number}", file.title), text: text.into_bytes() }
    };
    objects.into_iter().take(MAX_OF_A_FILE).enumerate().map(whole).collect()
}

/// The same with UIDs that no sample before has.
pub fn with_own_uids(samples: Vec<Sample>) -> Vec<Sample> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut unique = Vec::new();
    for (number, sample) in samples.into_iter().enumerate() {
        let text = String::from_utf8(sample.text).unwrap();
        let uid = text.lines().find(|line| line.starts_with("UID")).map(|line| line.trim_end().to_owned());
        let text = match uid {
            Some(uid) if !seen.insert(uid.clone()) => {
                let other = uid.replacen(':', &format!(":copy-{number}-"), 1);
                let lines =
                    text.lines().map(|line| if line.trim_end() == uid { other.as_str() } else { line });
                lines.collect::<Vec<_>>().join("\r\n") + "\r\n"
            }
            _ => text,
        };
        unique.push(Sample { title: sample.title, text: text.into_bytes() });
    }
    unique
}
