//! Tests in one process, each file a module: one program to link, and one support module of which all of it is used.
//!
//! `cargo test --test suite live::` runs those of `tests/live.rs`. A test that changes what belongs to its whole process
//! (the log, the environment) or that may bring its process down is a program of its own, beside this one in `Cargo.toml`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what was tried is told"
)]

mod attachments;
mod autodiscover;
mod availability;
mod batch;
mod bounds;
mod cards;
mod cases;
mod check;
mod collections;
mod companions;
mod corpus;
mod corpus_cards;
mod crash;
mod directory;
mod door;
mod doubles;
mod exchange;
mod faults;
mod fidelity;
mod fields;
mod filling;
mod front_door;
mod golden;
mod half_done;
mod isolation;
mod limits;
mod listening;
mod live;
mod meetings;
mod network;
mod operating;
mod oracle;
mod patience;
mod products;
mod reading;
mod retries;
mod scheduling;
mod second_upstream;
mod sharing;
mod signing_in;
mod standards;
mod store;
mod support;
mod sync_counts;
mod window;
mod writing;
mod zones;
