//! expand-property: properties of the resources that properties point to. RFC 3253 3.8

use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::webdav;
use crate::dav::path::Target;
use crate::dav::property::{self, Value};
use crate::dav::resource::{Resource, Tokens};
use crate::dav::session::Session;
use crate::xml::{Element, Name};
use axum::response::Response;
use futures_util::future::BoxFuture;

/// Levels of properties within properties.
const MAX_DEPTH: usize = 5;
/// Resources in one answer: each level may multiply them.
const MAX_RESOURCES: usize = 500;

pub(super) async fn answer(session: Session, resource: Resource, asked: &Element) -> Result<Response, Error> {
    let properties = Property::parse(asked, 0)?;
    let minimal = session.preferences.minimal;
    multistatus::answer(session.preferences, |mut out| async move {
        let mut expansion = Expansion { session: &session, minimal, left: MAX_RESOURCES };
        out.element(&expansion.response(&resource, &properties).await?);
        Ok(out)
    })
    .await
}

struct Property {
    name: Name,
    within: Vec<Property>,
}

impl Property {
    fn parse(parent: &Element, level: usize) -> Result<Vec<Self>, Error> {
        let elements = parent.children().filter(|child| child.is(&webdav::PROPERTY));
        let read = |element: &Element| {
            if level == MAX_DEPTH {
                return Err(Error::Invalid(format!(
                    "properties are expanded at most {MAX_DEPTH} levels deep"
                )));
            }
            let local = element.attribute("name").filter(|name| is_xml_name(name));
            let local = local.ok_or_else(|| Error::Invalid("a property needs a name".to_owned()))?;
            let namespace = element.attribute("namespace").unwrap_or(webdav::NAMESPACE);
            Ok(Self { name: Name::of(namespace, local), within: Self::parse(element, level + 1)? })
        };
        elements.map(read).collect()
    }
}

/// It becomes an element's name in the answer.
fn is_xml_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

struct Expansion<'a> {
    session: &'a Session,
    minimal: bool,
    left: usize,
}

impl Expansion<'_> {
    fn response<'s>(
        &'s mut self,
        resource: &'s Resource,
        properties: &'s [Property],
    ) -> BoxFuture<'s, Result<Element, Error>> {
        Box::pin(async move {
            let session = self.session;
            let scene = session.scene(resource);
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for property in properties {
                let empty = Element::new(property.name.clone());
                match property::value(&scene, &property.name) {
                    None => missing.push(empty),
                    Some(Value::Text(text)) => found.push(empty.with_text(&text)),
                    Some(Value::Elements(elements)) => {
                        found.push(elements.into_iter().fold(empty, Element::with_child));
                    }
                    Some(Value::Hrefs(hrefs)) => {
                        let mut filled = empty;
                        for href in hrefs {
                            filled = filled.with_child(self.follow(&href, &property.within).await?);
                        }
                        found.push(filled);
                    }
                }
            }
            let mut response =
                Element::new(webdav::RESPONSE.clone()).with_child(leaf(&webdav::HREF, &scene.href()));
            if !found.is_empty() || missing.is_empty() || self.minimal {
                response = response.with_child(propstat(found, "HTTP/1.1 200 OK"));
            }
            if !missing.is_empty() && !self.minimal {
                response = response.with_child(propstat(missing, "HTTP/1.1 404 Not Found"));
            }
            Ok(response)
        })
    }

    /// The response of the resource behind an href, or the href itself where nothing is to be expanded.
    async fn follow(&mut self, href: &str, properties: &[Property]) -> Result<Element, Error> {
        let plain = leaf(&webdav::HREF, href);
        if properties.is_empty() {
            return Ok(plain);
        }
        let mailbox = &self.session.mailbox;
        let Some(place) = Target::of_href(href).of_user(mailbox.principal()) else { return Ok(plain) };
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Error::Invalid(format!("the answer would have more than {MAX_RESOURCES} resources")));
        };
        self.left = left;
        let resource = Resource::find(mailbox, &place, Tokens::Wanted).await?;
        self.response(&resource, properties).await
    }
}

fn leaf(name: &Name, text: &str) -> Element {
    Element::new(name.clone()).with_text(text)
}

fn propstat(properties: Vec<Element>, status: &str) -> Element {
    let prop = properties.into_iter().fold(Element::new(webdav::PROP.clone()), Element::with_child);
    Element::new(webdav::PROPSTAT.clone()).with_child(prop).with_child(leaf(&webdav::STATUS, status))
}
