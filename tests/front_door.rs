//! The README and the example configuration say what the program does today.

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
fn the_readme_lists_every_setting() {
    let table = exdav::config::reference();
    assert!(project_file("README.md").contains(&table), "README.md should contain:\n\n{table}");
}

#[test]
fn the_readme_describes_the_control_interface() {
    let help = exdav::simulator::CONTROL_HELP.trim();
    assert!(project_file("README.md").contains(help), "README.md should contain:\n\n{help}");
}

#[test]
fn the_readme_tells_what_survives_as_the_tables_of_translation_decide() {
    let readme = project_file("README.md");
    for table in [exdav::convert::survives::tables(), exdav::dav::refusals()] {
        assert!(readme.contains(table.trim()), "README.md should contain:\n\n{table}");
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
