//! Notifications: who subscribed to what, and what they are told. MS-OXWSNTIF
//!
//! A subscription lives on one mailbox server; requests find it there by their affinity. Its events wait until they
//! are asked for with GetEvents, or go out over the connection that GetStreamingEvents holds open.
//!
//! **Invariant:** only the account that subscribed is told anything.

pub mod log;
pub mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::element::{Element, Space};
use super::ids::{self, Named};
use super::item::FolderKey;
use super::mailbox::Mailbox;
use super::operations::Messages;
use super::sign_in::Account;
use super::soap::{Envelope, Fault};
use super::world::{self, Refusal, World};
use log::{Event, Thing, What};

/// What is about subscriptions.
pub const OPERATIONS: [&str; 4] = ["Subscribe", "Unsubscribe", "GetEvents", "GetStreamingEvents"];

/// The cookie that leads a group of requests to one mailbox server.
const OVERRIDE: &str = "X-BackEndOverrideCookie";
/// How long a streaming subscription lives without a connection.
const UNWATCHED: Duration = Duration::from_mins(30);

/// Who asks, and which mailbox server is asked.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The account that signed in.
    pub account: Account,
    /// The number of the server.
    pub server: usize,
}

/// All subscriptions, and how the server treats them.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: BTreeMap<String, Subscription>,
    last: u64,
    /// Connections that are open: whose mailbox they are charged to.
    open: BTreeMap<u64, usize>,
    opened: u64,
    /// Rises when all connections are cut.
    cut: u64,
    /// Rises when all connections are closed in good order.
    closed: u64,
    rules: Rules,
}

/// How the server treats subscriptions. `POST /streaming`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Streaming subscriptions are known here; Exchange 2007 knows only the others.
    pub offered: bool,
    /// Mailbox servers.
    pub servers: usize,
    /// Subscriptions that a mailbox may have. `EWSMaxSubscriptions`
    pub subscriptions: usize,
    /// Connections that may be open for a mailbox. `HangingConnectionLimit`
    pub connections: usize,
    /// Milliseconds between signs of life; 0: none is given.
    pub heartbeat_ms: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { offered: true, servers: 1, subscriptions: 20, connections: 10, heartbeat_ms: 45_000 }
    }
}

#[derive(Debug)]
struct Subscription {
    owner: Account,
    mailbox: usize,
    server: usize,
    /// How long a pull subscription lives unasked; `None`: a streaming one.
    pull: Option<Duration>,
    /// `None`: all folders.
    folders: Option<BTreeSet<FolderKey>>,
    wanted: BTreeSet<String>,
    position: u64,
    used: Instant,
    connection: Option<u64>,
}

impl Subscriptions {
    /// From now on they are treated so.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Cuts all connections.
    pub fn cut(&mut self) {
        self.cut += 1;
    }

    /// Ends all connections as if their time were over.
    pub fn close(&mut self) {
        self.closed += 1;
    }

    /// Forgets all subscriptions, as a restart does.
    pub fn forget(&mut self) {
        self.all.clear();
    }

    /// How many there are.
    pub fn stats(&self) -> Value {
        json!({"subscriptions": self.all.len(), "connections": self.open.len(), "opened": self.opened})
    }

    fn expire(&mut self) {
        self.all.retain(|_, subscription| {
            subscription.connection.is_some()
                || subscription.used.elapsed() < subscription.pull.unwrap_or(UNWATCHED)
        });
    }

    fn new_id(&mut self, mailbox: &Mailbox, server: usize) -> String {
        self.last += 1;
        let host = host(server);
        let mut octets = vec![u8::try_from(host.len()).unwrap_or(u8::MAX), 0];
        octets.extend_from_slice(host.as_bytes());
        octets.extend_from_slice(&[16, 0, 0, 0]);
        octets.extend_from_slice(&mailbox.guid);
        octets.extend_from_slice(&self.last.to_le_bytes());
        STANDARD.encode(octets)
    }
}

fn host(server: usize) -> String {
    format!("mbx{:02}.example.com", server + 1)
}

fn sum(text: &str) -> usize {
    text.trim().bytes().map(|octet| usize::from(octet.to_ascii_lowercase())).sum()
}

impl Origin {
    /// Finds the mailbox server: by the cookie of a group, else by the mailbox that the request is anchored to.
    pub fn of(world: &World, account: Account, caller: Option<usize>, headers: &HeaderMap) -> Self {
        let servers = world.subscriptions.rules.servers.max(1);
        let named = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let named = named.flat_map(|cookies| cookies.split(';')).find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            let host = value.split('~').next().filter(|_| name == OVERRIDE)?.to_owned();
            (0..servers).find(|server| self::host(*server) == host)
        });
        let anchor = headers.get("x-anchormailbox").and_then(|v| v.to_str().ok());
        let own = caller.and_then(|caller| world.mailboxes.get(caller)).map(|m| m.address.as_str());
        let home = sum(anchor.or(own).unwrap_or_default()) % servers;
        let server = named.filter(|_| prefers_affinity(headers)).unwrap_or(home);
        Self { account, server }
    }

    /// The cookie for one who wants to come back to the same server.
    pub fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let number = 1_941_996_295 + self.server;
        prefers_affinity(headers)
            .then(|| format!("{OVERRIDE}={}~{number}; path=/; HttpOnly", host(self.server)))
    }
}

fn prefers_affinity(headers: &HeaderMap) -> bool {
    headers
        .get("x-preferserveraffinity")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

fn not_found() -> Refusal {
    Refusal::new("ErrorSubscriptionNotFound", "The specified subscription was not found.")
}

fn not_yours() -> Refusal {
    Refusal::new(
        "ErrorSubscriptionAccessDenied",
        "Access is denied. Only the subscription owner may access the subscription.",
    )
}

/// Subscribe, Unsubscribe and GetEvents: `None` for other operations.
pub fn answer(
    world: &mut World,
    caller: usize,
    envelope: &Envelope,
    origin: &Origin,
) -> Option<Result<Messages, Fault>> {
    world.subscriptions.expire();
    let request = &envelope.body;
    let message = match request.name {
        "Subscribe" => {
            let streams = request.child("StreamingSubscriptionRequest").is_some();
            if streams && !world.subscriptions.rules.offered {
                return Some(Err(Fault::new(
                    "ErrorSchemaValidation",
                    "The request failed schema validation: The element 'Subscribe' has invalid child element \
                     'StreamingSubscriptionRequest'.",
                )));
            }
            subscribe(world, caller, request, origin)
        }
        "Unsubscribe" => unsubscribe(world, request, origin),
        "GetEvents" => events(world, request, origin),
        _ => return None,
    };
    Some(Ok(vec![message]))
}

/// MS-OXWSNTIF 3.1.4.3
fn subscribe(
    world: &mut World,
    caller: usize,
    request: &Element,
    origin: &Origin,
) -> Result<Vec<Element>, Refusal> {
    let World { mailboxes, subscriptions, .. } = world;
    let (Some(mailbox), Some(wish)) = (mailboxes.get(caller), request.children.first()) else {
        return Err(not_found());
    };
    let pull = match wish.name {
        "PullSubscriptionRequest" => {
            let minutes = wish.child_text("Timeout").and_then(|t| t.parse().ok()).unwrap_or(1);
            Some(Duration::from_mins(minutes))
        }
        "StreamingSubscriptionRequest" => None,
        _ => {
            return Err(Refusal::new(
                "ErrorInvalidPushSubscriptionUrl",
                "Push notifications reach nobody from here.",
            ));
        }
    };
    let takes_all = wish.attribute("SubscribeToAllFolders").is_some_and(|flag| flag == "true" || flag == "1");
    let named = wish.child("FolderIds").map(|ids| ids.children.as_slice());
    let folders = match (takes_all, named) {
        (true, None) => None,
        (false, Some(ids)) => {
            Some(ids.iter().map(|id| world::folder(mailbox, id)).collect::<Result<BTreeSet<_>, _>>()?)
        }
        _ => {
            return Err(Refusal::new(
                "ErrorInvalidSubscriptionRequest",
                "The subscription request is invalid: name folders, or subscribe to all of them.",
            ));
        }
    };
    let of_this = subscriptions.all.values().filter(|s| s.mailbox == caller).count();
    if of_this >= subscriptions.rules.subscriptions {
        return Err(Refusal::new(
            "ErrorExceededSubscriptionCount",
            "You have exceeded the available subscriptions for your account.  Remove unnecessary subscriptions and \
             try your request again.",
        ));
    }
    let position = match wish.child_text("Watermark") {
        Some(watermark) => read_watermark(mailbox, watermark).ok_or_else(invalid_watermark)?,
        None => mailbox.log.next(),
    };
    let id = subscriptions.new_id(mailbox, origin.server);
    let wanted = wish.child("EventTypes").into_iter().flat_map(|types| &types.children);
    let subscription = Subscription {
        owner: origin.account.clone(),
        mailbox: caller,
        server: origin.server,
        pull,
        folders,
        wanted: wanted.map(|kind| kind.text.trim().to_owned()).collect(),
        position,
        used: Instant::now(),
        connection: None,
    };
    subscriptions.all.insert(id.clone(), subscription);
    let told = Element { text: id, ..Element::message("SubscriptionId") };
    let mark = pull.map(|_| Element { text: watermark(mailbox, position), ..Element::message("Watermark") });
    Ok([Some(told), mark].into_iter().flatten().collect())
}

/// Whether somebody may use a subscription from where he asks.
fn check(subscription: Option<&Subscription>, origin: &Origin) -> Result<(), Refusal> {
    match subscription.filter(|s| s.server == origin.server) {
        None => Err(not_found()),
        Some(subscription) if subscription.owner != origin.account => Err(not_yours()),
        Some(_) => Ok(()),
    }
}

/// MS-OXWSNTIF 3.1.4.4
fn unsubscribe(world: &mut World, request: &Element, origin: &Origin) -> Result<Vec<Element>, Refusal> {
    let id = request.child_text("SubscriptionId").unwrap_or_default();
    check(world.subscriptions.all.get(id), origin)?;
    world.subscriptions.all.remove(id);
    Ok(Vec::new())
}

/// MS-OXWSNTIF 3.1.4.1
fn events(world: &mut World, request: &Element, origin: &Origin) -> Result<Vec<Element>, Refusal> {
    let World { mailboxes, subscriptions, .. } = world;
    let id = request.child_text("SubscriptionId").unwrap_or_default();
    let subscription = subscriptions.all.get_mut(id);
    check(subscription.as_deref(), origin)?;
    let subscription = subscription.ok_or_else(not_found)?;
    if subscription.pull.is_none() {
        return Err(Refusal::new(
            "ErrorInvalidPullSubscriptionId",
            "The subscription is not one that can be pulled.",
        ));
    }
    let mailbox = mailboxes.get(subscription.mailbox).ok_or_else(not_found)?;
    let from = request.child_text("Watermark").and_then(|text| read_watermark(mailbox, text));
    subscription.position = from.ok_or_else(invalid_watermark)?;
    let before = watermark(mailbox, subscription.position);
    let told = subscription.take(mailbox)?;
    let mut notification = Element::message("Notification")
        .push(Element::of("SubscriptionId", id))
        .push(Element::of("PreviousWatermark", before))
        .push(Element::value("MoreEvents", false));
    if told.is_empty() {
        let now = watermark(mailbox, subscription.position);
        notification = notification.push(Element::new("StatusEvent").push(Element::of("Watermark", now)));
    }
    for (number, event) in told {
        let mut element = write(mailbox, &event);
        element.children.insert(0, Element::of("Watermark", watermark(mailbox, number + 1)));
        notification = notification.push(element);
    }
    Ok(vec![notification])
}

impl Subscription {
    /// Everything that happened since the last time, as far as it is wanted.
    fn take(&mut self, mailbox: &Mailbox) -> Result<Vec<(u64, Event)>, Refusal> {
        self.used = Instant::now();
        let events = mailbox.log.since(self.position).ok_or_else(|| {
            Refusal::new("ErrorMissedNotificationEvents", "Some notification events were missed.")
        })?;
        let told = (self.position..).zip(events).filter(|(_, event)| self.wants(event));
        let told = told.map(|(number, event)| (number, *event)).collect();
        self.position = mailbox.log.next();
        Ok(told)
    }

    fn wants(&self, event: &Event) -> bool {
        let lies = |folders: &BTreeSet<FolderKey>| {
            let itself = match event.thing {
                Thing::Folder(key) => folders.contains(&key),
                Thing::Item(_) => false,
            };
            itself || folders.contains(&event.parent) || event.old.is_some_and(|(_, p)| folders.contains(&p))
        };
        self.wanted.contains(event.what.element()) && self.folders.as_ref().is_none_or(lies)
    }
}

fn invalid_watermark() -> Refusal {
    Refusal::new("ErrorInvalidWatermark", "The watermark used for creating this subscription was not found.")
}

fn watermark(mailbox: &Mailbox, position: u64) -> String {
    let mut octets = mailbox.guid.to_vec();
    octets.extend_from_slice(&position.to_be_bytes());
    STANDARD.encode(octets)
}

fn read_watermark(mailbox: &Mailbox, text: &str) -> Option<u64> {
    let octets = STANDARD.decode(text).ok().filter(|octets| octets.starts_with(&mailbox.guid))?;
    let position = u64::from_be_bytes(octets.get(16..)?.try_into().ok()?);
    (position <= mailbox.log.next()).then_some(position)
}

/// One event without its watermark.
fn write(mailbox: &Mailbox, event: &Event) -> Element {
    let named = |thing, item: &'static str, folder: &'static str| match thing {
        Thing::Item(key) => Element::new(item).with("Id", ids::encode(mailbox, Named::Item(key))),
        Thing::Folder(key) => Element::new(folder).with("Id", ids::encode(mailbox, Named::Folder(key))),
    };
    let parent = |name: &'static str, key| {
        let change = mailbox.folders.get(&key).map(|folder| ids::change_key(folder.change));
        let element = Element::new(name).with("Id", ids::encode(mailbox, Named::Folder(key)));
        change.map_or(element.clone(), |change| element.with("ChangeKey", change))
    };
    let mut element = Element::new(event.what.element())
        .push(Element::of("TimeStamp", format!("{:.0}", event.at)))
        .push(named(event.thing, "ItemId", "FolderId").with("ChangeKey", ids::change_key(event.change)))
        .push(parent("ParentFolderId", event.parent));
    if let Some((old, old_parent)) = event.old {
        element = element
            .push(named(old, "OldItemId", "OldFolderId"))
            .push(parent("OldParentFolderId", old_parent));
    }
    if event.what == What::Modified && matches!(event.thing, Thing::Folder(_)) {
        element = element.push(Element::value("UnreadCount", 0));
    }
    element
}

/// The schema has notifications in the namespace of types, servers write them in that of messages. docs/EXCHANGE.md, Versions
pub fn as_in_schema(mut answer: Element) -> Element {
    fn mend(element: &mut Element) {
        if element.name == "Notification" {
            element.space = Space::Types;
        }
        element.children.iter_mut().for_each(mend);
    }
    mend(&mut answer);
    answer
}
