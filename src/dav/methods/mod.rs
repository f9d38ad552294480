//! The table Method × Place, and each method in a file of its own.

pub(super) mod get;
pub(super) mod options;
pub(super) mod propfind;

use super::kinds::Kinds;
use axum::http::{HeaderValue, Method};

/// What a request can ask to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Options,
    /// And HEAD: the connection leaves the body away.
    Get,
    Propfind,
    Report,
}

use Kinds as K;

/// Method, where it may be asked for, what it does.
#[rustfmt::skip]
static METHODS: &[(&str, Kinds, Verb)] = &[
    ("OPTIONS", super::kinds::either(K::ALL, K::ATTACHMENT), Verb::Options),
    ("GET", super::kinds::either(K::ALL, K::ATTACHMENT), Verb::Get),
    ("HEAD", super::kinds::either(K::ALL, K::ATTACHMENT), Verb::Get),
    ("PROPFIND", K::ALL, Verb::Propfind),
    ("REPORT", K::ALL, Verb::Report),
];

/// What a method does at such a place; `None` where it does not belong.
pub(super) fn verb(method: &Method, kinds: Kinds) -> Option<Verb> {
    METHODS.iter().find(|(name, on, _)| *name == method.as_str() && on.meets(kinds)).map(|(.., verb)| *verb)
}

/// The `Allow` header of such a place. RFC 9110 10.2.1
pub(super) fn allow(kinds: Kinds) -> HeaderValue {
    let names: Vec<&str> =
        METHODS.iter().filter(|(_, on, _)| on.meets(kinds)).map(|(name, ..)| *name).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
