//! One request of a signed-in user, with what every answer needs.

use super::budget::{Budget, Share};
use super::error::Error;
use super::headers::{self, Judged, List, Preferences, State};
use super::path::{Hrefs, ResourcePath, Space, Target};
use super::property::PropertyContext;
use super::resource::{self, Resource};
use crate::gateway::write::{Conditions, TagTest};
use crate::gateway::{Mailbox, Principal};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::{CollectionId, ETag, SyncToken};
use axum::http::HeaderMap;
use std::sync::Arc;

/// Clients that go on, by their User-Agent, and with what. Read in their sources: CalDavRequestHandlers.sys.mjs of
/// Thunderbird (its address books, CardDAVDirectory.sys.mjs, do not), ContactsSyncManager of DAVx5 (its calendars are
/// queried), e-cal-backend-caldav.c and e-book-backend-carddav.c of Evolution.
const GO_ON: [(&str, &[CollectionKind]); 3] = [
    ("Thunderbird/", &[CollectionKind::Calendar, CollectionKind::Tasks]),
    ("DAVx5/", &[CollectionKind::Calendar, CollectionKind::Tasks, CollectionKind::AddressBook]),
    ("Evolution/", &[CollectionKind::Calendar, CollectionKind::Tasks, CollectionKind::AddressBook]),
];

/// Who asks, and how.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) mailbox: Mailbox,
    pub(super) hrefs: Hrefs,
    /// Those of who is signed in.
    pub(super) user: Hrefs,
    pub(super) headers: HeaderMap,
    pub(super) preferences: Preferences,
    pub(super) limits: Limits,
    pub(super) budget: Budget,
    /// The memory of the request, for as long as its answer is being written.
    _request: Arc<Share>,
}

/// Octets that clients may send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of a member.
    pub(super) resource: u64,
    /// Of an attachment.
    pub(super) attachment: u64,
}

impl Session {
    pub(super) fn new(
        user: &Principal,
        mailbox: Mailbox,
        headers: HeaderMap,
        limits: Limits,
        budget: Budget,
        request: Share,
    ) -> Self {
        let hrefs = Hrefs::of(mailbox.principal());
        let user = Hrefs::of(user);
        let preferences = Preferences::of(&headers);
        Self { mailbox, hrefs, user, headers, preferences, limits, budget, _request: Arc::new(request) }
    }

    /// The same request with another deadline.
    pub(super) fn until(&self, due: tokio::time::Instant) -> Self {
        Self { mailbox: self.mailbox.until(due), ..self.clone() }
    }

    /// What properties of a resource are computed from.
    pub(super) fn scene<'a>(&'a self, resource: &'a Resource) -> PropertyContext<'a> {
        PropertyContext {
            principal: self.mailbox.principal(),
            hrefs: &self.hrefs,
            user: &self.user,
            is_visit: self.mailbox.is_visit(),
            limits: self.limits,
            attachments: self.mailbox.attachments_url(),
            resource,
        }
    }

    /// The collection that something is to be put into. RFC 4918 9.7.1
    pub(super) async fn parent(&self, space: Space, id: &CollectionId) -> Result<Arc<Collection>, Error> {
        resource::collection(&self.mailbox, space, id).await.map_err(|error| match error {
            Error::NotFound => Error::NoParent,
            other => other,
        })
    }

    /// Whether the client is known to go on where an answer to sync-collection ends with 507. RFC 6578 3.6
    ///
    /// The standard lets any answer end so; clients that do not go on would take what is missing for deleted. A client
    /// that sends a limit knows it anyway.
    pub(super) fn goes_on(&self, kind: CollectionKind) -> bool {
        let agent = super::headers::text(&self.headers, "user-agent").unwrap_or_default();
        GO_ON.iter().any(|(name, kinds)| agent.contains(name) && kinds.contains(&kind))
    }

    /// The conditions of a writing request for a place. What `If` asks of the place itself is judged where it is written;
    /// what it asks of other resources is judged here.
    pub(super) async fn conditions(&self, place: &ResourcePath) -> Result<Conditions, Error> {
        let plain = headers::plain_conditions(&self.headers);
        let Some(lists) = headers::if_lists(&self.headers)? else { return Ok(plain) };
        let mut judged = Vec::new();
        for List { resource, states } in lists {
            let about = match &resource {
                Some(href) => Target::of_href(href).of_user(self.mailbox.principal()),
                None => Some(place.clone()),
            };
            let about = match about {
                Some(about) => Some(resource::resolved(&self.mailbox, about).await),
                None => None,
            };
            let mut list = Vec::new();
            for (is_negated, state) in states {
                let holds = match state {
                    State::Tag(Some(tag))
                        if about.as_ref().is_some_and(|about| has_tags_of(about, place)) =>
                    {
                        list.push(Judged::Later(TagTest { tag, is_negated }));
                        continue;
                    }
                    State::Tag(Some(tag)) => self.has_tag(about.as_ref(), &tag).await?,
                    State::Tag(None) => is_negated,
                    State::Token(token) => self.has_token(about.as_ref(), &token).await?,
                };
                list.push(Judged::Now(holds != is_negated));
            }
            judged.push(list);
        }
        Ok(headers::with_lists(plain, judged))
    }

    /// Whether a place has this state token: a sync-token is that of its collection while nothing changes. RFC 6578 5
    async fn has_token(&self, place: Option<&ResourcePath>, token: &str) -> Result<bool, Error> {
        let (Some(ResourcePath::Collection(space, id)), Ok(token)) = (place, token.parse::<SyncToken>())
        else {
            return Ok(false);
        };
        match resource::collection(&self.mailbox, *space, id).await {
            Ok(_) => {}
            Err(Error::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        }
        let fresh = self.mailbox.refresh(std::slice::from_ref(id)).await?;
        Ok(fresh.first().is_some_and(|fresh| fresh.token == token))
    }

    /// Whether another place than the requested one has this entity tag.
    async fn has_tag(&self, place: Option<&ResourcePath>, tag: &ETag) -> Result<bool, Error> {
        let Some(place @ ResourcePath::Member(..)) = place else { return Ok(false) };
        match Resource::find(&self.mailbox, place, resource::Tokens::Unwanted).await {
            Ok(Resource::Member(_, head)) => Ok(head.etag == *tag),
            Ok(_) | Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Seen: Thunderbird's address books cannot recover from the usual answer to a forgotten sync-token.
    pub(super) fn is_thunderbird(&self) -> bool {
        super::headers::text(&self.headers, "user-agent").is_some_and(|agent| agent.contains("Thunderbird/"))
    }
}

/// Whether an entity tag in a list about one place is that of the other, the requested one. A collection has no tags: in
/// a list about it they are those of its member that is written.
fn has_tags_of(about: &ResourcePath, requested: &ResourcePath) -> bool {
    about == requested
        || matches!((about, requested), (ResourcePath::Collection(space, id), ResourcePath::Member(of, parent, _))
            if space == of && id == parent)
}
