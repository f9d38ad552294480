//! Which module of `src/` may name which, and what no module above the boundary to an upstream may name at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → what it may name: modules, or single modules below one written `module::below`.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("model", vec![]),
        ("xml", vec![]),
        ("simulator", vec![]),
        ("text", vec!["model"]),
        ("upstream", vec!["model", "xml"]),
        // One object that several items make is put together in the transaction that changes one of them.
        ("mirror", vec!["model", "text"]),
        ("accounts", vec!["model"]),
        ("query", vec!["model", "text"]),
        ("convert", vec!["model", "text"]),
        ("sync", vec!["model", "text", "upstream", "mirror", "convert"]),
        ("gateway", vec!["model", "text", "upstream", "mirror", "accounts", "query", "convert", "sync"]),
        // Calendar user addresses stand in properties, too.
        ("dav", vec!["model", "xml", "query", "gateway", "text::address"]),
        ("server", vec!["model", "gateway", "dav"]),
        ("config", vec!["server", "gateway", "accounts", "upstream", "sync", "convert", "mirror"]),
        ("cli", vec!["config", "server", "dav::path", "gateway", "accounts", "upstream", "simulator"]),
    ])
}

/// Who may name a single upstream: it is chosen by the settings, and `exdav check` is about one of them.
const CHOOSES_UPSTREAM: [&str; 3] = ["upstream", "config", "cli"];
/// The upstreams.
const UPSTREAMS: [&str; 2] = ["ews", "graph"];
/// Words of one upstream's protocol.
const PROTOCOL_WORDS: [&str; 4] = ["ItemId", "ChangeKey", "SyncState", "FieldURI"];
/// Who may use them.
const SPEAKS_PROTOCOL: [&str; 4] = ["upstream", "simulator", "config", "cli"];
/// Modules whose results follow from their arguments alone.
const PURE: [&str; 5] = ["model", "xml", "text", "query", "convert"];
/// What these do not name: the time, a runtime, the log.
const IMPURE: [&str; 5] = ["tokio::", "tracing::", "Timestamp::now", "Instant::now", "SystemTime"];

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

/// The modules that a source text names through `crate::`, with the module below where one is given.
fn named(text: &str) -> Vec<(usize, String, Option<String>)> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let module = word(rest);
            let below = rest[module.len()..].strip_prefix("::").map(word).filter(|w| !w.is_empty());
            found.push((number + 1, module, below));
        }
    }
    found
}

/// The single upstreams that a text names, through whatever path or group.
fn named_upstreams(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("upstream::") {
        let rest = &text[at + "upstream::".len()..];
        let group = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap_or_default());
        let words: Vec<&str> = match group {
            Some(group) => group.split(|c: char| !c.is_alphanumeric() && c != '_').collect(),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').take(1).collect(),
        };
        let line = text[..at].lines().count().max(1);
        found.extend(UPSTREAMS.iter().filter(|name| words.contains(name)).map(|name| (line, *name)));
    }
    found
}

/// What is against the rules in one file of a module.
fn violations(module: &str, file: &str, text: &str) -> Vec<String> {
    let allowed = allowed();
    let Some(allowed) = allowed.get(module) else {
        return vec![format!("{file}: `{module}` is not known here; enter it into `allowed` first")];
    };
    let mut broken = Vec::new();
    for (line, target, below) in named(text) {
        let path = below.as_ref().map_or_else(|| target.clone(), |below| format!("{target}::{below}"));
        if target.is_empty() {
            broken.push(format!("{file}:{line}: grouped `crate::{{…}}`: write one path a line"));
        } else if target != module && !allowed.contains(&target.as_str()) && !allowed.contains(&path.as_str())
        {
            broken.push(format!("{file}:{line}: `{module}` may not name `{path}`"));
        }
    }
    if !CHOOSES_UPSTREAM.contains(&module) {
        for (line, name) in named_upstreams(text) {
            broken.push(format!("{file}:{line}: `{module}` may not name the upstream `{name}`"));
        }
    }
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if !SPEAKS_PROTOCOL.contains(&module) {
            for word in PROTOCOL_WORDS.iter().filter(|word| line.contains(**word)) {
                broken.push(format!("{file}:{number}: `{word}` is a word of one upstream"));
            }
        }
        // The boundary's own names are its own: nothing of an upstream is handed out by another name.
        let is_boundary =
            module == "upstream" && !UPSTREAMS.iter().any(|name| file.contains(&format!("upstream/{name}")));
        let hands_out = |name: &&&str| {
            let code = line.trim_start();
            (code.starts_with("pub use") || code.starts_with("pub type"))
                && code.contains(&format!("{name}::"))
        };
        if let Some(name) = UPSTREAMS.iter().find(|name| (is_boundary || module == "lib") && hands_out(name))
        {
            broken.push(format!("{file}:{number}: what is in `{name}` is handed out by another name"));
        }
        if PURE.contains(&module) && !file.ends_with("tests.rs") && !line.trim_start().starts_with("//") {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                broken.push(format!(
                    "{file}:{number}: `{module}` depends on nothing but its arguments: no `{word}`"
                ));
            }
        }
    }
    broken
}

#[test]
fn modules_name_only_what_they_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut broken = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let first = relative.split('/').next().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        if first == "lib.rs" || first == "main.rs" {
            let mut uses = text.lines().filter(|line| line.trim_start().starts_with("pub use"));
            broken.extend(
                uses.next().map(|line| format!("{relative}: `{line}`: modules are named by their paths")),
            );
            continue;
        }
        broken.extend(violations(first.trim_end_matches(".rs"), &relative, &text));
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
fn what_is_against_the_rules_is_found() {
    let broken = |module, text| !violations(module, &format!("{module}/x.rs"), text).is_empty();
    assert!(broken("convert", "use crate::upstream::Session;"));
    assert!(broken("gateway", "use crate::upstream::ews::Session;"));
    assert!(broken("gateway", "use crate::upstream::{self, ews, Session};"));
    assert!(broken("sync", "use crate::upstream::{\n    Session,\n    graph::Client,\n};"));
    assert!(broken("sync", "use super::super::upstream::ews;"));
    assert!(broken("mirror", "/// The SyncState of a folder."));
    assert!(broken("upstream", "pub use ews::Session as Direct;"));
    assert!(broken("upstream", "pub type Direct = ews::Session;"));
    assert!(broken("convert", "let now = jiff::Timestamp::now();"));
    assert!(broken("text", "tracing::warn!(\"odd\");"));
    assert!(broken("dav", "use crate::{model, xml};"));
    assert!(broken("attic", "use std::fmt;"));
    assert!(!broken("model", "// not code: crate::dav"));
    assert!(!broken("gateway", "use crate::upstream::{self, ErrorKind, Session};"));
    assert!(!broken("config", "use crate::upstream::ews;"));
}
