//! The table Method × ResourcePath, and each method in a file of its own.

pub(super) mod attachment;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod mkcol;
pub(super) mod options;
pub(super) mod post;
pub(super) mod propfind;
pub(super) mod proppatch;
pub(super) mod put;
pub(super) mod relocate;

use super::kinds::{Kinds, either};
use axum::http::{HeaderValue, Method};

/// What a request can ask to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Options,
    /// And HEAD: the connection leaves the body away.
    Get,
    Put,
    Post,
    /// RFC 8607 3.3
    Attach,
    Delete,
    Move,
    Copy,
    Mkcalendar,
    Mkcol,
    Propfind,
    Proppatch,
    Report,
}

/// What is done with the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// It is not looked at.
    Unread,
    /// It is XML.
    Xml,
    /// It is an object to be stored.
    Object,
    /// It is a file to be attached.
    File,
}

use BodyUse::{File, Object, Unread, Xml};
use Kinds as K;
use Verb as V;

const ANY: Kinds = either(K::ALL, K::ATTACHMENT);

/// Method, where it may be asked for, what it does, what it does with the body.
static METHODS: &[(&str, Kinds, Verb, BodyUse)] = &[
    ("OPTIONS", ANY, V::Options, Unread),
    ("GET", ANY, V::Get, Unread),
    ("HEAD", ANY, V::Get, Unread),
    ("PUT", K::MEMBERS, V::Put, Object),
    ("POST", K::OUTBOX, V::Post, Object),
    ("POST", K::CALENDAR_OBJECTS, V::Attach, File),
    ("DELETE", either(K::MEMBERS, K::COLLECTIONS), V::Delete, Unread),
    ("MOVE", K::MEMBERS, V::Move, Unread),
    ("COPY", K::MEMBERS, V::Copy, Unread),
    ("MKCALENDAR", K::CALENDARS, V::Mkcalendar, Xml),
    ("MKCOL", K::COLLECTIONS, V::Mkcol, Xml),
    ("PROPFIND", K::ALL, V::Propfind, Xml),
    ("PROPPATCH", K::ALL, V::Proppatch, Xml),
    ("REPORT", K::ALL, V::Report, Xml),
];

/// What a method does at such a place; `None` where it does not belong.
pub(super) fn verb(method: &Method, kinds: Kinds) -> Option<(Verb, BodyUse)> {
    let row = METHODS.iter().find(|(name, on, ..)| *name == method.as_str() && on.meets(kinds));
    row.map(|(_, _, verb, body)| (*verb, *body))
}

/// The `Allow` header of such a place. RFC 9110 10.2.1
pub(super) fn allow(kinds: Kinds) -> HeaderValue {
    let names: Vec<&str> =
        METHODS.iter().filter(|(_, on, ..)| on.meets(kinds)).map(|(name, ..)| *name).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
