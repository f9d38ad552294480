//! The law of rooms: who may name whom in `src/`, and that nobody names a room that is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Room → what it may name: rooms, or single modules of a room written `room::module`.
fn law() -> BTreeMap<&'static str, Vec<&'static str>> {
    let to_gateway = ["model", "text", "upstream", "mirror", "accounts", "query", "convert", "sync"];
    BTreeMap::from([
        ("model", vec![]),
        ("xml", vec![]),
        ("simulator", vec![]),
        ("text", vec!["model"]),
        // One object that several items make is put together in the transaction that changes one of them.
        ("mirror", vec!["model", "text"]),
        ("accounts", vec!["model"]),
        ("upstream", vec!["model::item", "model::capabilities", "xml"]),
        ("query", vec!["model", "text"]),
        ("convert", vec!["model", "text"]),
        ("sync", vec!["model", "text", "upstream", "mirror", "convert"]),
        ("gateway", to_gateway.to_vec()),
        // Calendar user addresses stand in properties, too.
        ("dav", vec!["model", "xml", "query", "gateway", "text::address"]),
        ("server", vec!["model", "gateway", "dav"]),
        ("config", vec!["server", "gateway", "accounts", "upstream", "sync", "convert", "mirror"]),
        ("cli", vec!["config", "server", "dav::path", "gateway", "accounts", "upstream", "simulator"]),
    ])
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a source text names through `crate::`, with the module below where one is given.
fn named(text: &str) -> Vec<(usize, String, Option<String>)> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let room = word(rest);
            let below = rest[room.len()..].strip_prefix("::").map(word).filter(|w| !w.is_empty());
            found.push((number + 1, room, below));
        }
    }
    found
}

fn violations(law: &BTreeMap<&str, Vec<&str>>, room: &str, file: &str, text: &str) -> Vec<String> {
    let Some(allowed) = law.get(room) else {
        return vec![format!("{file}: `{room}` is no room; enter it into the law first")];
    };
    let mut broken = Vec::new();
    for (line, target, below) in named(text) {
        let path = below.as_ref().map_or_else(|| target.clone(), |below| format!("{target}::{below}"));
        if target.is_empty() {
            broken.push(format!("{file}:{line}: grouped `crate::{{…}}`: write one path a line"));
        } else if target != room && !allowed.contains(&target.as_str()) && !allowed.contains(&path.as_str()) {
            broken.push(format!("{file}:{line}: `{room}` may not name `{path}`"));
        }
    }
    broken
}

#[test]
fn rooms_name_only_what_stands_above_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let law = law();
    let mut broken = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let first = relative.split('/').next().unwrap();
        if first == "lib.rs" || first == "main.rs" {
            continue;
        }
        let room = first.trim_end_matches(".rs");
        broken.extend(violations(&law, room, &relative, &fs::read_to_string(&file).unwrap()));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_test_file_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [suite, cargo] =
        ["tests/suite.rs", "Cargo.toml"].map(|file| fs::read_to_string(root.join(file)).unwrap());
    let files = fs::read_dir(root.join("tests")).unwrap().map(|entry| entry.unwrap().file_name());
    let files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    let names: Vec<&str> = files.iter().filter_map(|name| name.strip_suffix(".rs")).collect();
    assert!(names.contains(&"suite"));
    for name in names {
        let is_run = suite.lines().any(|line| line == format!("mod {name};"))
            || cargo.lines().any(|line| line == format!("path = \"tests/{name}.rs\""));
        assert!(is_run, "tests/{name}.rs is neither a module of tests/suite.rs nor a [[test]] of Cargo.toml");
    }
}

#[test]
fn the_law_is_enforced() {
    let law = law();
    let broken = |room, text| !violations(&law, room, "x.rs", text).is_empty();
    assert!(broken("convert", "use crate::upstream::ews::transport::Transport;"));
    assert!(broken("convert", "use crate::upstream::ews::types::table;"));
    assert!(broken("dav", "use crate::{model, xml};"));
    assert!(broken("attic", "use std::fmt;"));
    assert!(!broken("model", "// not code: crate::dav"));
}
