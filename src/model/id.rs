//! Names and tags that several modules use, each parsed once where it comes in.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The last path segment of an object resource, decoded: what the client called it, or what we named it.
///
/// Not empty, at most 255 octets, no `/`, no control characters, not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName(String);

/// A name that no resource may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a resource: use 1 to 255 octets without `/` and control characters")]
pub struct InvalidName(pub String);

impl FromStr for ResourceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let bad = text.is_empty()
            || text.len() > 255
            || text == "."
            || text == ".."
            || text.chars().any(|c| c == '/' || c.is_control());
        if bad { Err(InvalidName(text.to_owned())) } else { Ok(Self(text.to_owned())) }
    }
}

impl ResourceName {
    /// The name as text, not percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A strong entity tag without its quotes; `Display` adds them. RFC 9110 8.8.3
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Changes only when the scheduling-relevant part of an object does. RFC 6638 3.2.10
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScheduleTag(pub String);

impl fmt::Display for ScheduleTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// A point in the life of one collection's change log. RFC 6578 4
///
/// `epoch` is drawn at random when a mirror is created, so that a token of a lost mirror is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncToken {
    /// Which mirror gave it.
    pub epoch: u64,
    /// Position in the collection's change log.
    pub revision: u64,
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:exdav:sync:{:016x}:{}", self.epoch, self.revision)
    }
}

/// Text that is no sync-token of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this sync-token was not given out here")]
pub struct ForeignToken;

impl FromStr for SyncToken {
    type Err = ForeignToken;

    fn from_str(text: &str) -> Result<Self, ForeignToken> {
        let rest = text.strip_prefix("urn:exdav:sync:").ok_or(ForeignToken)?;
        let (epoch, revision) = rest.split_once(':').ok_or(ForeignToken)?;
        if epoch.len() != 16 {
            return Err(ForeignToken);
        }
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| ForeignToken)?,
            revision: revision.parse().map_err(|_| ForeignToken)?,
        })
    }
}

/// The name of a collection: `calendar`, `contacts`, `tasks` for the distinguished folders, what a client chose, or a
/// stable hash of the folder's identity. At most 100 octets, otherwise as a [`ResourceName`].
///
/// Calendars and address books have paths of their own, so one of each may have the same path segment. Names are
/// unique all the same: the second one has a suffix that no path segment can have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(String);

impl CollectionId {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path segment, not percent-encoded.
    pub fn segment(&self) -> &str {
        self.0.strip_suffix(SECOND).unwrap_or(&self.0)
    }

    /// The name of the second collection with this path segment.
    #[must_use]
    pub fn second(&self) -> Self {
        Self(format!("{}{SECOND}", self.segment()))
    }

    /// Reads a name as it is kept on the folder.
    ///
    /// # Errors
    ///
    /// The text can be no name.
    pub fn of_kept(text: &str) -> Result<Self, InvalidName> {
        match text.strip_suffix(SECOND) {
            Some(segment) => segment.parse().map(|id: Self| id.second()),
            None => text.parse(),
        }
    }
}

/// What a second collection's name ends with.
const SECOND: &str = "/2";

impl FromStr for CollectionId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let ResourceName(name) = text.parse()?;
        if name.len() <= 100 { Ok(Self(name)) } else { Err(InvalidName(name)) }
    }
}

impl fmt::Display for CollectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path segment of the user who signs in as `login`: one to one with the login (but for the case of
/// ASCII letters), and of `[A-Za-z0-9._~-]` only. Every other octet, and `~` itself, is written `~XX`.
///
/// An `@` in a path is spelled in two ways by the clients, so there is none.
pub fn login_segment(login: &str) -> String {
    let mut segment = String::new();
    // Alone these would lead to another level. RFC 3986 5.2.4
    let is_dots = matches!(login, "." | "..");
    for byte in login.to_ascii_lowercase().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && !is_dots) {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "~{byte:02X}");
        }
    }
    segment
}

/// The login that a path segment means, also one that a person wrote out; `None` if it can be none.
pub fn login_of_segment(segment: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'~' {
            let (code, after) = rest.split_at_checked(2)?;
            octets.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
            rest = after;
        } else {
            octets.push(first.to_ascii_lowercase());
        }
    }
    String::from_utf8(octets).ok()
}

/// The upstream's own identity of an item or folder: opaque and case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub String);

/// The upstream's version of an item: opaque, new after every write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamVersion(pub String);
