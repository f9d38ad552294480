//! The one place that knows URLs: which resource a path names, and the path of each resource.
//!
//! ```text
//! /dav/                                     where clients begin
//! /dav/principals/<user>/                   the user
//! /dav/cal/<user>/                          calendars and task lists, inbox, outbox
//! /dav/cal/<user>/<collection>/<member>
//! /dav/card/<user>/<collection>/<member>    address books
//! /dav/directory/<user>/<member>            the organisation's directory, as an address book
//! /dav/people/<user>/<address>/             colleagues, as principals
//! /dav/att/<user>/<collection>/<member>/<attachment>
//! ```
//!
//! A path is written in one spelling only: unreserved characters as they are, all others percent-encoded.
//! Clients compare paths octet by octet.

use crate::gateway::Principal;
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::{CollectionId, ResourceName, login_of_segment, login_segment};
use crate::text::address;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// Everything but the unreserved characters. RFC 3986 2.3
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where clients begin when they know nothing. RFC 6764 5
pub const START: &str = "/dav/";
pub(super) const PRINCIPALS: &str = "/dav/principals/";
const DIRECTORY: &str = "/dav/directory/";
const PEOPLE: &str = "/dav/people/";

/// The two halves of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Calendars and task lists.
    Calendars,
    /// Address books.
    Cards,
}

impl Space {
    /// Where collections of a kind are.
    pub(super) fn of(kind: CollectionKind) -> Self {
        match kind {
            CollectionKind::Calendar | CollectionKind::Tasks => Self::Calendars,
            CollectionKind::AddressBook => Self::Cards,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Calendars => "/dav/cal/",
            Self::Cards => "/dav/card/",
        }
    }
}

/// What a path of one user names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ResourcePath {
    /// A level above the users, with its path.
    Root(&'static str),
    /// The principals, with the path by which they were asked for.
    Principals(&'static str),
    /// The user.
    Principal,
    /// All calendars or all address books.
    Home(Space),
    /// Where scheduling messages would arrive. RFC 6638 2.2
    Inbox,
    /// Where free/busy is asked for. RFC 6638 2.1
    Outbox,
    /// A calendar, task list or address book.
    Collection(Space, CollectionId),
    /// An object resource.
    Member(Space, CollectionId, ResourceName),
    /// The organisation's directory.
    Directory,
    /// Somebody's card there.
    Entry(ResourceName),
    /// A colleague, by address.
    Person(String),
    /// An attachment of an object resource, by its MANAGED-ID.
    Attachment(CollectionId, ResourceName, String),
}

/// What a request's path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// A place for everybody.
    Shared(ResourcePath),
    /// A place of one user, named by the segment that stood in the path.
    Owned(String, ResourcePath),
    /// Another path is the right one.
    Moved(String),
    /// A collection of one user by its display name, and a member of it: a path of DavMail.
    Named(String, Space, String, Option<ResourceName>),
    /// Nothing is there, for nobody.
    Nothing,
}

impl Target {
    /// Reads the path of a request, percent-encoded, with or without a slash at its end.
    pub(super) fn parse(path: &str) -> Self {
        let mut segments = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            match percent_decode_str(segment).decode_utf8() {
                // Dots alone are a way, not a name. RFC 3986 5.2.4
                Ok(text) if text == "." || text == ".." => return Self::Nothing,
                Ok(text) => segments.push(text.into_owned()),
                Err(_) => return Self::Nothing,
            }
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Self::of_segments(&segments).unwrap_or(Self::Nothing)
    }

    /// Reads an href of a request body: an absolute path or a whole URL. RFC 4918 8.3
    pub(super) fn of_href(href: &str) -> Self {
        let href = href.trim();
        let path = match href.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)),
            _ => Some(href),
        };
        let path = path.unwrap_or("/").split(['?', '#']).next().unwrap_or_default();
        if path.starts_with('/') { Self::parse(path) } else { Self::Nothing }
    }

    fn of_segments(segments: &[&str]) -> Option<Self> {
        let owned = |who: &str, place| Some(Self::Owned(who.to_owned(), place));
        match segments {
            [] => Some(Self::Shared(ResourcePath::Root("/"))),
            ["dav"] => Some(Self::Shared(ResourcePath::Root(START))),
            ["dav", "cal"] => Some(Self::Shared(ResourcePath::Root(Space::Calendars.prefix()))),
            ["dav", "card"] => Some(Self::Shared(ResourcePath::Root(Space::Cards.prefix()))),
            ["dav", "principals"] => Some(Self::Shared(ResourcePath::Principals(PRINCIPALS))),
            // Apple's programs look here when nothing else is known.
            ["principals"] => Some(Self::Shared(ResourcePath::Principals("/principals/"))),
            [".well-known", "caldav" | "carddav"] => Some(Self::Moved(START.to_owned())),
            ["dav", "principals", who] => owned(who, ResourcePath::Principal),
            ["dav", "cal", who, rest @ ..] => owned(who, Self::below(Space::Calendars, rest)?),
            ["dav", "card", who, rest @ ..] => owned(who, Self::below(Space::Cards, rest)?),
            ["dav", "directory", who] => owned(who, ResourcePath::Directory),
            ["dav", "directory", who, member] => owned(who, ResourcePath::Entry(member.parse().ok()?)),
            ["dav", "people", who, address] => owned(who, ResourcePath::Person((*address).to_owned())),
            ["dav", "att", who, collection, member, attachment] => {
                let place = ResourcePath::Attachment(
                    collection.parse().ok()?,
                    member.parse().ok()?,
                    (*attachment).to_owned(),
                );
                owned(who, place)
            }
            // The paths of DavMail and of Apple's own server, so that accounts set up for them go on.
            ["principals", "users", mail] | ["calendar", "dav", mail, "user"] => {
                Some(Self::Moved(Hrefs::of_login(mail).principal()))
            }
            ["users", mail, rest @ ..] => Self::of_davmail(mail, rest),
            _ => None,
        }
    }

    fn below(space: Space, rest: &[&str]) -> Option<ResourcePath> {
        match (space, rest) {
            (_, []) => Some(ResourcePath::Home(space)),
            (Space::Calendars, ["inbox"]) => Some(ResourcePath::Inbox),
            (Space::Calendars, ["outbox"]) => Some(ResourcePath::Outbox),
            (_, [collection]) => Some(ResourcePath::Collection(space, collection.parse().ok()?)),
            (_, [collection, member]) => {
                Some(ResourcePath::Member(space, collection.parse().ok()?, member.parse().ok()?))
            }
            _ => None,
        }
    }

    fn of_davmail(mail: &str, rest: &[&str]) -> Option<Self> {
        let hrefs = Hrefs::of_login(mail);
        let [folder, below @ ..] = rest else { return Some(Self::Moved(hrefs.home(Space::Calendars))) };
        let space = match *folder {
            "calendar" | "tasks" | "inbox" | "outbox" => Space::Calendars,
            "contacts" => Space::Cards,
            _ => return None,
        };
        let id = folder.parse().ok()?;
        match below {
            [] => Some(Self::Moved(hrefs.collection_at(space, &id))),
            // Its members' names have such an end, folders within a folder have none.
            [member] if [".ics", ".vcf", ".eml"].iter().any(|end| ends_with(member, end)) => {
                Some(Self::Moved(hrefs.member_at(space, &id, &member.parse().ok()?)))
            }
            [.., name, member] if [".ics", ".vcf", ".eml"].iter().any(|end| ends_with(member, end)) => {
                Some(Self::Named(mail.to_owned(), space, (*name).to_owned(), Some(member.parse().ok()?)))
            }
            [.., name] => Some(Self::Named(mail.to_owned(), space, (*name).to_owned(), None)),
        }
    }

    /// Somebody else's collections, their homes and what is in them: the address and the place.
    pub(super) fn of_others(self) -> Option<(String, ResourcePath)> {
        match self {
            Self::Owned(
                who,
                place @ (ResourcePath::Home(_)
                | ResourcePath::Collection(..)
                | ResourcePath::Member(..)
                | ResourcePath::Attachment(..)),
            ) => Some((login_of_segment(&who)?, place)),
            _ => None,
        }
    }

    /// The place, if it is this user's or everybody's.
    pub(super) fn of_user(self, principal: &Principal) -> Option<ResourcePath> {
        match self {
            Self::Shared(place) => Some(place),
            Self::Owned(who, place) => names(principal, &who).then_some(place),
            Self::Moved(_) | Self::Named(..) | Self::Nothing => None,
        }
    }
}

/// Whatever the case of the letters.
fn ends_with(name: &str, end: &str) -> bool {
    name.len() > end.len() && name.to_ascii_lowercase().ends_with(end)
}

/// Whether a segment of a path means this user. Clients that were given an address put it in themselves.
pub(super) fn names(principal: &Principal, who: &str) -> bool {
    who == principal.segment
        || login_segment(who) == principal.segment
        || principal.addresses.iter().any(|own| address::same(own, who))
}

/// The paths of one user's resources.
#[derive(Clone, Debug)]
pub(super) struct Hrefs {
    segment: String,
}

impl Hrefs {
    pub(super) fn of(principal: &Principal) -> Self {
        Self { segment: principal.segment.clone() }
    }

    fn of_login(login: &str) -> Self {
        Self { segment: login_segment(login) }
    }

    pub(super) fn principal(&self) -> String {
        format!("{PRINCIPALS}{}/", self.segment)
    }

    pub(super) fn home(&self, space: Space) -> String {
        format!("{}{}/", space.prefix(), self.segment)
    }

    pub(super) fn inbox(&self) -> String {
        format!("{}{}/inbox/", Space::Calendars.prefix(), self.segment)
    }

    pub(super) fn outbox(&self) -> String {
        format!("{}{}/outbox/", Space::Calendars.prefix(), self.segment)
    }

    pub(super) fn collection(&self, collection: &Collection) -> String {
        self.collection_at(Space::of(collection.kind), &collection.id)
    }

    pub(super) fn member(&self, collection: &Collection, name: &ResourceName) -> String {
        self.member_at(Space::of(collection.kind), &collection.id, name)
    }

    fn collection_at(&self, space: Space, id: &CollectionId) -> String {
        format!("{}{}/{}/", space.prefix(), self.segment, Escaped(id.segment()))
    }

    pub(super) fn member_at(&self, space: Space, id: &CollectionId, name: &ResourceName) -> String {
        format!("{}{}", self.collection_at(space, id), Escaped(name.as_str()))
    }

    pub(super) fn directory(&self) -> String {
        format!("{DIRECTORY}{}/", self.segment)
    }

    pub(super) fn entry(&self, name: &ResourceName) -> String {
        format!("{DIRECTORY}{}/{}", self.segment, Escaped(name.as_str()))
    }

    pub(super) fn person(&self, address: &str) -> String {
        format!("{PEOPLE}{}/{}/", self.segment, Escaped(&address.to_lowercase()))
    }

    /// The default calendar. Its id is given by `CollectionId`'s rule.
    pub(super) fn default_calendar(&self) -> String {
        format!("{}calendar/", self.home(Space::Calendars))
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utf8_percent_encode(self.0, ESCAPED))
    }
}

/// The one spelling of a path, whichever of its spellings is given; `None` where nothing can be.
pub fn canonical(path: &str) -> Option<String> {
    let (who, place) = match Target::parse(path) {
        Target::Shared(ResourcePath::Root(path) | ResourcePath::Principals(path)) => {
            return Some(path.to_owned());
        }
        Target::Moved(to) => return Some(to),
        Target::Owned(who, place) => (who, place),
        Target::Shared(_) | Target::Named(..) | Target::Nothing => return None,
    };
    let hrefs = Hrefs::of_login(&login_of_segment(&who)?);
    Some(match place {
        ResourcePath::Root(path) | ResourcePath::Principals(path) => path.to_owned(),
        ResourcePath::Principal => hrefs.principal(),
        ResourcePath::Home(space) => hrefs.home(space),
        ResourcePath::Inbox => hrefs.inbox(),
        ResourcePath::Outbox => hrefs.outbox(),
        ResourcePath::Collection(space, id) => hrefs.collection_at(space, &id),
        ResourcePath::Member(space, id, name) => hrefs.member_at(space, &id, &name),
        ResourcePath::Directory => hrefs.directory(),
        ResourcePath::Entry(name) => hrefs.entry(&name),
        ResourcePath::Person(address) => hrefs.person(&address),
        ResourcePath::Attachment(id, name, managed) => attachment(&hrefs.segment, &id, &name, &managed),
    })
}

/// Path of the calendars and task lists of the user who signs in as `login`.
pub fn calendar_home(login: &str) -> String {
    Hrefs::of_login(login).home(Space::Calendars)
}

/// Path of the default calendar of the user who signs in as `login`.
pub fn default_calendar(login: &str) -> String {
    Hrefs::of_login(login).default_calendar()
}

/// Path of the address books of the user who signs in as `login`.
pub fn address_book_home(login: &str) -> String {
    Hrefs::of_login(login).home(Space::Cards)
}

/// Path of the default address book of the user who signs in as `login`.
pub fn default_address_book(login: &str) -> String {
    format!("{}contacts/", address_book_home(login))
}

/// Path of an attachment; `segment` is the user's, from [`login_segment`].
pub fn attachment(
    segment: &str,
    collection: &CollectionId,
    member: &ResourceName,
    managed_id: &str,
) -> String {
    let (collection, member) = (Escaped(collection.segment()), Escaped(member.as_str()));
    format!("/dav/att/{segment}/{collection}/{member}/{}", Escaped(managed_id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
pub(super) mod tests {
    use super::*;

    pub(in crate::dav) fn alice() -> Principal {
        Principal {
            segment: login_segment("alice@example.test"),
            address: "alice@example.test".into(),
            addresses: vec!["alice@example.test".into(), "a.miller@example.test".into()],
            display_name: "Alice Miller".into(),
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_place() {
        let hrefs = Hrefs::of(&alice());
        assert_eq!(hrefs.principal(), "/dav/principals/alice~40example.test/");
        let name: ResourceName = "a b/€@.ics".replace('/', "%").parse().unwrap();
        let id: CollectionId = "calendar".parse().unwrap();
        let href = hrefs.member_at(Space::Calendars, &id, &name);
        assert_eq!(href, "/dav/cal/alice~40example.test/calendar/a%20b%25%E2%82%AC%40.ics");
        let place = Target::parse(&href).of_user(&alice());
        assert_eq!(place, Some(ResourcePath::Member(Space::Calendars, id, name)));
    }

    #[test]
    fn the_user_is_known_by_every_spelling_of_the_login_and_nobody_else_is() {
        for who in
            ["alice~40example.test", "alice%40example.test", "Alice@Example.TEST", "a.miller@example.test"]
        {
            let target = Target::parse(&format!("/dav/cal/{who}"));
            assert_eq!(target.of_user(&alice()), Some(ResourcePath::Home(Space::Calendars)), "{who}");
        }
        assert_eq!(Target::parse("/dav/cal/bob~40example.test/calendar/").of_user(&alice()), None);
    }

    #[test]
    fn hostile_paths_lead_nowhere() {
        for path in [
            "/dav/cal/alice~40example.test/calendar/%2e%2e",
            "/dav/cal/alice~40example.test/../bob~40example.test/calendar/x.ics",
            "/dav/cal/alice~40example.test/calendar/a%2Fb",
            "/dav/cal/alice~40example.test/calendar/a%00b",
            "/dav/cal/alice~40example.test/calendar/%FF",
            "/dav/cal/alice~40example.test/calendar/a/b",
            "/dav/cal/alice~40example.test/cal%2Fendar/a",
            "/dav/cal/alice~40example.test/cal%00endar/a",
            "/etc/passwd",
        ] {
            assert_eq!(Target::parse(path).of_user(&alice()), None, "{path}");
        }
    }

    #[test]
    fn hrefs_may_be_paths_or_urls() {
        let expected = Target::parse("/dav/cal/a/calendar/x.ics");
        for href in [
            "/dav/cal/a/calendar/x.ics",
            " https://gw.example.test/dav/cal/a/calendar/x.ics\n",
            "http://gw.example.test:8008/dav/cal/a/calendar/x.ics?x#y",
        ] {
            assert_eq!(Target::of_href(href), expected, "{href}");
        }
        assert_eq!(Target::of_href("x.ics"), Target::Nothing);
        assert_eq!(Target::of_href(""), Target::Nothing);
    }

    #[test]
    fn paths_of_other_servers_lead_to_ours() {
        let moved = |path| match Target::parse(path) {
            Target::Moved(to) => to,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(moved("/.well-known/caldav"), "/dav/");
        assert_eq!(moved("/.well-known/carddav/"), "/dav/");
        assert_eq!(moved("/users/a@b.c/calendar/"), default_calendar("a@b.c"));
        assert_eq!(moved("/users/a@b.c/contacts/x.vcf"), format!("{}x.vcf", default_address_book("a@b.c")));
        assert_eq!(moved("/users/a%40b.c"), calendar_home("a@b.c"));
        assert_eq!(moved("/principals/users/a@b.c/"), "/dav/principals/a~40b.c/");
    }
}
