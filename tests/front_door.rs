//! The README, the documents beside it and the example configuration say what the program does today.

use std::fs;
use std::path::Path;

fn project_file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_example_configuration_is_the_table_of_keys() {
    assert_eq!(project_file("fixtures/exdav.example.toml"), exdav::config::example());
}

#[test]
fn the_settings_are_described() {
    let table = exdav::config::reference();
    assert!(project_file("docs/SETTINGS.md").contains(&table), "docs/SETTINGS.md should contain:\n\n{table}");
}

#[test]
fn the_control_interface_is_described() {
    let help = exdav::simulator::CONTROL_HELP.trim();
    assert!(project_file("docs/SIMULATOR.md").contains(help), "docs/SIMULATOR.md should contain:\n\n{help}");
}

#[test]
fn what_survives_is_described_as_the_tables_of_translation_decide() {
    let described = project_file("docs/FIDELITY.md");
    for table in [exdav::convert::field_support_docs::tables(), exdav::dav::refusals()] {
        assert!(described.contains(table.trim()), "docs/FIDELITY.md should contain:\n\n{table}");
    }
}

#[test]
fn what_is_said_of_security_names_tests_that_exist() {
    let text = project_file("docs/SECURITY.md");
    let named: Vec<(&str, &str)> = text.split('`').filter_map(|code| code.split_once(".rs::")).collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, test) in named {
        let is_there = project_file(&format!("{file}.rs")).contains(&format!("fn {test}("));
        assert!(is_there, "docs/SECURITY.md names {file}.rs::{test}, which is not there");
    }
}

#[test]
fn the_readme_is_short_and_links_to_files_that_exist() {
    let readme = project_file("README.md");
    assert!(readme.lines().count() <= 200, "what is not needed before the first success belongs into docs/");
    let links: Vec<&str> =
        readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).collect();
    let files: Vec<&str> =
        links.into_iter().filter(|link| !link.is_empty() && !link.contains("://")).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file(), "README.md links to {file}");
    }
}
