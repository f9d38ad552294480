//! Reports about principals. RFC 3744 9
//!
//! Principals are the user and the colleagues whom the directory knows; these are found by name or address only.

use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::{PREFIXES, caldav, calendarserver, webdav};
use crate::dav::path::PRINCIPALS;
use crate::dav::property::{self, PropertyContext, Value, Wanted};
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::text::address;
use crate::xml::{Element, Name, Node, Writer};
use axum::response::{IntoResponse, Response};

/// What can be searched for. RFC 3744 9.5
static SEARCHABLE: &[(&Name, &str)] = &[
    (&webdav::DISPLAYNAME, "Name"),
    (&calendarserver::EMAIL_ADDRESS_SET, "E-mail addresses"),
    (&caldav::CALENDAR_USER_ADDRESS_SET, "Calendar addresses"),
    (&caldav::CALENDAR_USER_TYPE, "Person, room or resource"),
];

/// principal-search-property-set. RFC 3744 9.5
pub(super) fn properties() -> Response {
    let mut writer = Writer::new(PREFIXES);
    writer.open(&webdav::PRINCIPAL_SEARCH_PROPERTY_SET);
    for (name, description) in SEARCHABLE {
        writer.open(&webdav::PRINCIPAL_SEARCH_PROPERTY).open(&webdav::PROP).empty(name).close();
        writer.leaf(&webdav::DESCRIPTION, description).close();
    }
    (crate::dav::error::xml_type(), writer.finish()).into_response()
}

/// principal-property-search. RFC 3744 9.4
pub(super) async fn by_property(
    session: Session,
    resource: Resource,
    asked: &Element,
) -> Result<Response, Error> {
    let is_above = matches!(resource, Resource::Root(_) | Resource::Principals(_) | Resource::Principal)
        || asked.child(&webdav::APPLY_TO_PRINCIPAL_COLLECTION_SET).is_some();
    let mut found = Found::default();
    if is_above {
        let searches = Searches::parse(asked)?;
        found.gather(&session, &searches.words(), |resource| searches.hold(&session.scene(resource))).await?;
    }
    found.answer(session, asked).await
}

/// Looked up in the directory for one search.
const MAX_WORDS: usize = 3;
/// People in one answer.
const MAX_PEOPLE: usize = 100;

/// Who is found.
#[derive(Default)]
struct Found {
    people: Vec<Resource>,
    truncated: bool,
}

impl Found {
    /// The user, and those colleagues of whom one of the words is true.
    async fn gather(
        &mut self,
        session: &Session,
        words: &[String],
        is_meant: impl Fn(&Resource) -> bool,
    ) -> Result<(), Error> {
        if is_meant(&Resource::Principal) {
            self.people.push(Resource::Principal);
        }
        self.truncated = words.len() > MAX_WORDS;
        for word in words.iter().take(MAX_WORDS) {
            let (people, is_complete) = session.mailbox.find_people(word).await?;
            self.truncated |= !is_complete;
            for person in people {
                let own = session.mailbox.principal();
                let known = own.addresses.iter().any(|own| address::same(own, &person.address))
                    || self
                        .people
                        .iter()
                        .any(|known| matches!(known, Resource::Person(known) if *known == person));
                let person = Resource::Person(person);
                if !known && is_meant(&person) {
                    self.people.push(person);
                }
            }
        }
        Ok(())
    }

    async fn answer(mut self, session: Session, asked: &Element) -> Result<Response, Error> {
        let wanted = Wanted::parse(asked)?;
        let limit = asked.child(&calendarserver::LIMIT).and_then(|l| l.child(&calendarserver::NRESULTS));
        let limit = limit.and_then(|number| number.text().trim().parse().ok()).unwrap_or(MAX_PEOPLE);
        self.truncated |= self.people.len() > limit.min(MAX_PEOPLE);
        self.people.truncate(limit.min(MAX_PEOPLE));
        multistatus::answer(session.preferences, |mut out| async move {
            for person in &self.people {
                out.resource(&session.scene(person), &wanted, None).await?;
            }
            if self.truncated {
                out.truncated(&Resource::Principals(PRINCIPALS).href(&session.hrefs));
            }
            Ok(out)
        })
        .await
    }
}

/// The property-searches of a report, all of them unless `test` says `anyof`.
struct Searches {
    any: bool,
    /// Property, match type, text in lower case.
    searches: Vec<(Name, String, String)>,
}

impl Searches {
    fn parse(asked: &Element) -> Result<Self, Error> {
        let mut searches = Vec::new();
        for search in asked.children().filter(|child| child.is(&webdav::PROPERTY_SEARCH)) {
            let term = search.child(&webdav::MATCH);
            let term = term.ok_or_else(|| Error::Invalid("a property-search needs a match".to_owned()))?;
            let kind = term.attribute("match-type").unwrap_or("contains");
            for property in search.child(&webdav::PROP).into_iter().flat_map(Element::children) {
                searches.push((property.name().clone(), kind.to_owned(), term.text().trim().to_lowercase()));
            }
        }
        Ok(Self { any: asked.attribute("test") == Some("anyof"), searches })
    }

    /// What the directory is asked for: names and addresses.
    fn words(&self) -> Vec<String> {
        let told =
            [&webdav::DISPLAYNAME, &calendarserver::EMAIL_ADDRESS_SET, &caldav::CALENDAR_USER_ADDRESS_SET];
        let mut words: Vec<String> = Vec::new();
        for (name, _, text) in &self.searches {
            let word = text.strip_prefix("mailto:").unwrap_or(text);
            if told.contains(&name) && !word.is_empty() && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        if !self.any {
            // All must hold: the longest word is the most telling.
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
            words.truncate(1);
        }
        words
    }

    fn hold(&self, scene: &PropertyContext<'_>) -> bool {
        let mut outcomes = self.searches.iter().map(|(name, kind, text)| {
            // RFC 3744 9.4: what cannot be searched for matches nothing.
            let searchable = SEARCHABLE.iter().any(|(known, _)| *known == name);
            searchable && texts(scene, name).iter().any(|own| matches(own, kind, text))
        });
        if self.any { outcomes.any(|holds| holds) } else { !self.searches.is_empty() && outcomes.all(|h| h) }
    }
}

/// calendarserver-principal-search: every token is in the name or an address. Seen: macOS
pub(super) async fn by_token(session: Session, asked: &Element) -> Result<Response, Error> {
    // Rooms are no users.
    let people = !matches!(asked.attribute("context"), Some("location" | "resource"));
    let tokens: Vec<String> = asked
        .children()
        .filter(|child| child.is(&calendarserver::SEARCH_TOKEN))
        .map(|token| token.text().trim().to_lowercase())
        .filter(|token| !token.is_empty())
        .collect();
    let mut found = Found::default();
    if let Some(longest) = tokens.iter().max_by_key(|token| token.len()).filter(|_| people) {
        let is_meant = |resource: &Resource| has_tokens(&session.scene(resource), &tokens);
        found.gather(&session, std::slice::from_ref(longest), is_meant).await?;
    }
    found.answer(session, asked).await
}

fn has_tokens(scene: &PropertyContext<'_>, tokens: &[String]) -> bool {
    let names = [&webdav::DISPLAYNAME, &calendarserver::EMAIL_ADDRESS_SET];
    let texts: Vec<String> = names.into_iter().flat_map(|name| texts(scene, name)).collect();
    tokens.iter().all(|token| texts.iter().any(|text| text.contains(token)))
}

/// principal-match: which resources are, or belong to, the user. RFC 3744 9.3
pub(super) async fn matching(
    session: Session,
    resource: Resource,
    asked: &Element,
) -> Result<Response, Error> {
    let Some(property) = asked.child(&webdav::PRINCIPAL_PROPERTY) else {
        let is_above = matches!(resource, Resource::Root(_) | Resource::Principals(_) | Resource::Principal);
        return own_principal(session, asked, is_above).await;
    };
    let property = property.children().next().map(|child| child.name().clone());
    let property = property.ok_or_else(|| Error::Invalid("principal-property names none".to_owned()))?;
    let wanted = Wanted::parse(asked)?;
    let below = resource.children(&session.mailbox, wanted.tokens()).await?;
    multistatus::answer(session.preferences, |mut out| async move {
        let own = session.hrefs.principal();
        for resource in below {
            let scene = session.scene(&resource);
            let points_here =
                matches!(property::value(&scene, &property), Some(Value::Hrefs(hrefs)) if hrefs.contains(&own));
            if points_here {
                out.resource(&scene, &wanted, None).await?;
            }
        }
        Ok(out)
    })
    .await
}

/// acl-principal-prop-set: the principals of the resource's access control list. RFC 3744 9.2
pub(super) async fn all(session: Session, asked: &Element) -> Result<Response, Error> {
    own_principal(session, asked, true).await
}

async fn own_principal(session: Session, asked: &Element, found: bool) -> Result<Response, Error> {
    let wanted = Wanted::parse(asked)?;
    multistatus::answer(session.preferences, |mut out| async move {
        if found {
            out.resource(&session.scene(&Resource::Principal), &wanted, None).await?;
        }
        Ok(out)
    })
    .await
}

/// All texts in a property, in lower case.
fn texts(scene: &PropertyContext<'_>, name: &Name) -> Vec<String> {
    match property::value(scene, name) {
        None => Vec::new(),
        Some(Value::Text(text)) => vec![text.to_lowercase()],
        Some(Value::Hrefs(hrefs)) => hrefs.iter().map(|href| href.to_lowercase()).collect(),
        Some(Value::Elements(elements)) => elements.iter().map(|e| all_text(e).to_lowercase()).collect(),
    }
}

fn all_text(element: &Element) -> String {
    let text = |node: &Node| match node {
        Node::Text(text) => text.clone(),
        Node::Element(child) => all_text(child),
    };
    element.nodes().iter().map(text).collect()
}

/// `match-type` is Apple's addition; the standard knows only `contains`.
fn matches(text: &str, kind: &str, term: &str) -> bool {
    match kind {
        "equals" => text == term,
        "starts-with" => text.starts_with(term),
        "ends-with" => text.ends_with(term),
        _ => text.contains(term),
    }
}
