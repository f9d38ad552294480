//! Reports about principals. RFC 3744 9
//!
//! A user sees one principal: the own one.

use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::{PREFIXES, caldav, calendarserver, webdav};
use crate::dav::property::{self, Value, Wanted};
use crate::dav::resource::Resource;
use crate::dav::session::Session;
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
    let found = is_above && has_properties(&session, asked)?;
    own_principal(session, asked, found).await
}

/// Whether the user is what the property-searches look for, all of them unless `test` says `anyof`.
fn has_properties(session: &Session, asked: &Element) -> Result<bool, Error> {
    let mut outcomes = Vec::new();
    for search in asked.children().filter(|child| child.is(&webdav::PROPERTY_SEARCH)) {
        let term = search.child(&webdav::MATCH);
        let term = term.ok_or_else(|| Error::Invalid("a property-search needs a match".to_owned()))?;
        let kind = term.attribute("match-type").unwrap_or("contains");
        let text = term.text().to_lowercase();
        for name in search.child(&webdav::PROP).into_iter().flat_map(Element::children).map(Element::name) {
            // RFC 3744 9.4: what cannot be searched for matches nothing.
            let searchable = SEARCHABLE.iter().any(|(known, _)| *known == name);
            let own = if searchable { own_texts(session, name) } else { Vec::new() };
            outcomes.push(own.iter().any(|own| matches(own, kind, &text)));
        }
    }
    Ok(match asked.attribute("test") {
        Some("anyof") => outcomes.contains(&true),
        _ => !outcomes.is_empty() && !outcomes.contains(&false),
    })
}

/// calendarserver-principal-search: every token is in the name or an address. Seen: macOS
pub(super) async fn by_token(session: Session, asked: &Element) -> Result<Response, Error> {
    // Rooms are no users.
    let people = !matches!(asked.attribute("context"), Some("location" | "resource"));
    let found = people && has_tokens(&session, asked);
    own_principal(session, asked, found).await
}

fn has_tokens(session: &Session, asked: &Element) -> bool {
    let names = [&webdav::DISPLAYNAME, &calendarserver::EMAIL_ADDRESS_SET];
    let texts: Vec<String> = names.into_iter().flat_map(|name| own_texts(session, name)).collect();
    let tokens: Vec<String> = asked
        .children()
        .filter(|child| child.is(&calendarserver::SEARCH_TOKEN))
        .map(|token| token.text().trim().to_lowercase())
        .collect();
    !tokens.is_empty() && tokens.iter().all(|token| texts.iter().any(|text| text.contains(token)))
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

/// All texts in a property of the user, in lower case.
fn own_texts(session: &Session, name: &Name) -> Vec<String> {
    match property::value(&session.scene(&Resource::Principal), name) {
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
