//! GetStreamingEvents: an answer that goes on. MS-OXWSNTIF 3.1.4.2

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::watch;

use super::{Origin, Refusal, as_in_schema, check, write};
use crate::simulator::element::Element;
use crate::simulator::server::Server;
use crate::simulator::soap::{self, Fault};

const OPERATION: &str = "GetStreamingEvents";

/// Ids that a connection may have. docs/EXCHANGE.md, Limits
const MAX_IDS: usize = 200;

/// An answer that must not wait for a compressor.
#[derive(Clone)]
pub struct Hanging;

/// One connection; it ends with the body that it feeds.
struct Connection {
    server: Arc<Server>,
    number: u64,
    ids: Vec<String>,
    changed: watch::Receiver<u64>,
    until: Instant,
    told: Instant,
    cut: u64,
    closed: u64,
    step: Step,
}

#[derive(PartialEq, Eq)]
enum Step {
    Begin,
    Going,
    Over,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut world = self.server.world();
        let subscriptions = &mut world.subscriptions;
        subscriptions.open.remove(&self.number);
        for id in &self.ids {
            if let Some(one) = subscriptions.all.get_mut(id).filter(|s| s.connection == Some(self.number)) {
                one.connection = None;
                one.used = Instant::now();
            }
        }
    }
}

/// What the connection says next.
enum Next {
    Say(Element),
    Cut,
    Wait(Duration),
}

/// Opens a connection; refusals are told in a document of their own, as everything is.
pub fn open(
    server: &Arc<Server>,
    caller: usize,
    request: &Element,
    origin: &Origin,
) -> Result<Response, Fault> {
    let ids: Vec<String> = super::super::operations::listed(request, "SubscriptionIds")
        .iter()
        .map(|id| id.text.trim().to_owned())
        .collect();
    if ids.len() > MAX_IDS {
        return Err(Fault::new("ErrorInvalidRequest", "There are too many subscriptions in the request."));
    }
    let minutes = request.child_text("ConnectionTimeout").and_then(|t| t.parse().ok()).unwrap_or(1);
    // Subscribed before anybody looks, so that no change falls between.
    let changed = server.changes();
    let mut world = server.world();
    let subscriptions = &mut world.subscriptions;
    subscriptions.expire();
    let mut wrong = Vec::new();
    let mut why = None;
    for id in &ids {
        let one = subscriptions.all.get(id);
        let outcome = check(one, origin).and_then(|()| match one {
            Some(one) if one.pull.is_none() => Ok(()),
            _ => Err(Refusal::new("ErrorInvalidSubscription", "Subscription is invalid.")),
        });
        if let Err(refusal) = outcome {
            wrong.push(id.clone());
            why.get_or_insert(refusal);
        }
    }
    let hanging = subscriptions.open.values().filter(|mailbox| **mailbox == caller).count();
    if why.is_none() && hanging >= subscriptions.rules.connections {
        why = Some(Refusal::new(
            "ErrorExceededConnectionCount",
            "You have exceeded the available concurrent connections for your account.  Try again once your other \
             requests have completed.",
        ));
    }
    if let Some(refusal) = why {
        drop(world);
        let octets = document(server, &refused(&refusal, &wrong));
        return Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], octets).into_response());
    }
    subscriptions.opened += 1;
    let number = subscriptions.opened;
    subscriptions.open.insert(number, caller);
    for id in &ids {
        if let Some(one) = subscriptions.all.get_mut(id) {
            one.connection = Some(number);
        }
    }
    let (cut, closed) = (subscriptions.cut, subscriptions.closed);
    drop(world);
    // Whoever had these subscriptions learns that he has them no longer.
    server.wake();
    let now = Instant::now();
    let connection = Connection {
        server: Arc::clone(server),
        number,
        ids,
        changed,
        until: now + Duration::from_mins(minutes),
        told: now,
        cut,
        closed,
        step: Step::Begin,
    };
    let body = Body::from_stream(stream::unfold(connection, Connection::go_on));
    let mut response = ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response();
    response.extensions_mut().insert(Hanging);
    Ok(response)
}

impl Connection {
    async fn go_on(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        loop {
            self.changed.mark_unchanged();
            match self.next()? {
                Next::Say(message) => {
                    self.told = Instant::now();
                    let octets = document(&self.server, &message);
                    return Some((Ok(octets.into()), self));
                }
                Next::Cut => {
                    self.step = Step::Over;
                    return Some((Err(std::io::Error::other("cut by request")), self));
                }
                Next::Wait(wait) => {
                    // Woken or not, it looks again; an error means that the server ends.
                    if let Ok(Err(_)) = tokio::time::timeout(wait, self.changed.changed()).await {
                        return None;
                    }
                }
            }
        }
    }

    fn next(&mut self) -> Option<Next> {
        if self.step == Step::Over || self.server.is_ending() {
            return None;
        }
        if self.step == Step::Begin {
            self.step = Step::Going;
            return Some(Next::Say(status("OK")));
        }
        let mut world = self.server.world();
        let crate::simulator::world::World { mailboxes, subscriptions, .. } = &mut *world;
        if subscriptions.cut != self.cut {
            return Some(Next::Cut);
        }
        let mut notifications = Element::message("Notifications");
        let mut wrong = Vec::new();
        let mut why = None;
        for id in &self.ids {
            let outcome = match subscriptions.all.get_mut(id) {
                None => Err(super::not_found()),
                Some(one) if one.connection != Some(self.number) => Err(Refusal::new(
                    "ErrorNewEventStreamConnectionOpened",
                    "A new event stream connection was opened for this subscription.",
                )),
                Some(one) => mailboxes.get(one.mailbox).ok_or_else(super::not_found).and_then(|mailbox| {
                    let told = one.take(mailbox)?;
                    Ok(told.iter().map(|(_, event)| write(mailbox, event)).collect::<Vec<_>>())
                }),
            };
            match outcome {
                Ok(told) if told.is_empty() => {}
                Ok(told) => {
                    let one = Element::message("Notification").push(Element::of("SubscriptionId", id));
                    notifications = notifications.push(one.push_all(told));
                }
                Err(refusal) => {
                    wrong.push(id.clone());
                    why.get_or_insert(refusal);
                }
            }
        }
        if let Some(refusal) = why {
            self.step = Step::Over;
            return Some(Next::Say(refused(&refusal, &wrong)));
        }
        if !notifications.children.is_empty() {
            return Some(Next::Say(success().push(notifications)));
        }
        let now = Instant::now();
        if subscriptions.closed != self.closed || now >= self.until {
            self.step = Step::Over;
            return Some(Next::Say(status("Closed")));
        }
        let left = self.until - now;
        let beat = Duration::from_millis(subscriptions.rules.heartbeat_ms);
        if beat.is_zero() {
            return Some(Next::Wait(left));
        }
        let quiet = now - self.told;
        match beat.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
            Some(rest) => Some(Next::Wait(left.min(rest))),
            None => Some(Next::Say(status("OK"))),
        }
    }
}

fn success() -> Element {
    Element::message("GetStreamingEventsResponseMessage")
        .with("ResponseClass", "Success")
        .push(Element { text: "NoError".to_owned(), ..Element::message("ResponseCode") })
}

fn status(word: &str) -> Element {
    success().push(Element { text: word.to_owned(), ..Element::message("ConnectionStatus") })
}

fn refused(refusal: &Refusal, ids: &[String]) -> Element {
    let text = |name, text: &str| Element { text: text.to_owned(), ..Element::message(name) };
    let wrong = ids.iter().map(|id| Element::of("SubscriptionId", id));
    let wrong = Element::message("ErrorSubscriptionIds").push_all(wrong);
    Element::message("GetStreamingEventsResponseMessage")
        .with("ResponseClass", "Error")
        .push(text("MessageText", &refusal.text))
        .push(text("ResponseCode", refusal.code))
        .push(text("DescriptiveLinkKey", "0"))
        .push_some(Some(wrong).filter(|wrong| !wrong.children.is_empty()))
        .push(text("ConnectionStatus", "Closed"))
}

/// One of the documents of the answer.
fn document(server: &Server, message: &Element) -> Vec<u8> {
    let messages = Element::message("ResponseMessages").push(message.clone());
    let answer = Element::message("GetStreamingEventsResponse").push(messages);
    server.record_answer(OPERATION, &soap::answer(&as_in_schema(answer.clone()), server.product));
    soap::answer(&answer, server.product)
}
