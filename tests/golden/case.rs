//! The folders of cases: what is given, what is sent, what must hold.

use exdav::convert::{self, Context, Related};
use exdav::model::item::Item;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const OWNER: &str = "anna@example.org";
pub const ZONE: &str = "Europe/Berlin";

/// One folder.
pub struct Case {
    pub name: String,
    pub dir: PathBuf,
    pub expect: String,
}

impl Case {
    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(file)).ok()
    }

    pub fn item(&self, file: &str) -> Item {
        exdav::upstream::ews::types::parse_item(&self.read(file).unwrap())
            .unwrap_or_else(|| panic!("{}: {file} is no item", self.name))
    }

    /// The modified occurrences, in the order of their numbers.
    pub fn exceptions(&self) -> Vec<Item> {
        let mut files: Vec<String> = fs::read_dir(&self.dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.starts_with("exc-") && file.ends_with(".xml"))
            .collect();
        files.sort();
        files.iter().map(|file| self.item(file)).collect()
    }

    /// What a client sends, and the name it gives to it.
    pub fn input(&self) -> Option<(String, bytes::Bytes)> {
        ["ics", "vcf"].into_iter().find_map(|ending| {
            let octets = fs::read(self.dir.join(format!("input.{ending}"))).ok()?;
            let path = self.given().find_map(|given| given.strip_prefix("PUT goes to "));
            let named = path.and_then(|path| Some(path.rsplit_once('/')?.1.replace("%20", " ")));
            Some((named.unwrap_or_else(|| format!("{}.{ending}", self.name)), octets.into()))
        })
    }

    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.expect.lines().filter_map(|line| line.strip_prefix("- given: "))
    }

    pub fn context(&self) -> Context {
        let mut context = Context::of(OWNER);
        context.zone = Arc::from(ZONE);
        context.attachment_url = Some(Arc::new(|name, id| format!("https://gateway.test/{name}/{id}")));
        for given in self.given() {
            if let Some(zone) = given.strip_prefix("mailbox zone ") {
                context.zone = Arc::from(zone.trim());
            }
            if let Some((_, address)) = given.split_once("maps the EX address to ") {
                let names = convert::names_to_resolve(&self.item("ews.xml"));
                let directory: HashMap<String, String> =
                    names.into_iter().map(|name| (name, address.trim().to_owned())).collect();
                context.directory = Arc::new(directory);
            }
        }
        context
    }

    pub fn related(&self) -> Related {
        let uids = self.given().filter_map(|given| given.split_once(" has the UID "));
        let uids = uids.map(|(id, uid)| (id.to_owned(), uid.trim().to_owned())).collect::<HashMap<_, _>>();
        Related { exceptions: self.exceptions(), photo: None, uids: Arc::new(uids) }
    }

    /// Lines of the fenced blocks of a kind, those under another setting left out.
    pub fn assertions(&self, kind: &str) -> Vec<&str> {
        let mut lines = Vec::new();
        let (mut inside, mut elsewhere) = (false, false);
        for line in self.expect.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                elsewhere = heading.starts_with("With the setting");
            } else if let Some(fence) = line.strip_prefix("```") {
                inside = !inside && fence == kind && !elsewhere;
            } else if inside && !line.trim().is_empty() {
                lines.push(line.trim());
            }
        }
        lines
    }
}

/// The cases that cover each property once; `fixtures/cases/mapping/README.md` describes their files.
pub fn mapping() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases/mapping")
}

/// All cases, by name.
pub fn cases() -> Vec<Case> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases"), &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn collect(folder: &Path, found: &mut Vec<Case>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for dir in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        match fs::read_to_string(dir.join("expect.md")) {
            Ok(expect) => {
                let name = dir.file_name().unwrap().to_string_lossy().into_owned();
                found.push(Case { name, dir, expect });
            }
            Err(_) => collect(&dir, found),
        }
    }
}
