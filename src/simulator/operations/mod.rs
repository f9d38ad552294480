//! Operations: what each does to the mailbox of its caller.

mod attachments;
mod availability;
mod find;
mod folders;
mod items;
mod lookup;
mod sync;
mod tasks;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

use super::calendar::zone;
use super::element::Element;
use super::soap::{Envelope, Fault};
use super::throttling::{self, Extent};
use super::world::{self, Refusal, World};

/// A request on its way.
pub struct Call<'a> {
    /// All mailboxes.
    pub world: &'a mut World,
    /// Position of the mailbox that is meant: the caller's own, or one that the caller visits.
    pub caller: usize,
    /// The operation's element.
    pub request: &'a Element,
    /// `TimeZoneContext`: Windows id and zone.
    pub zone: Option<(String, TimeZone)>,
    /// When it came.
    pub now: Timestamp,
    /// Every SyncState is refused.
    pub refuses_sync_states: bool,
}

/// What an operation answers: one message for each thing that was asked for.
pub type Messages = Vec<Result<Vec<Element>, Refusal>>;

type Operation = fn(&mut Call<'_>) -> Result<Messages, Fault>;

const TABLE: &[(&str, Operation)] = &[
    ("GetFolder", folders::get),
    ("FindFolder", folders::find),
    ("CreateFolder", folders::create),
    ("UpdateFolder", folders::update),
    ("DeleteFolder", folders::delete),
    ("SyncFolderHierarchy", sync::hierarchy),
    ("SyncFolderItems", sync::items),
    ("GetItem", items::get),
    ("CreateItem", items::create),
    ("UpdateItem", items::update),
    ("DeleteItem", items::delete),
    ("MoveItem", items::relocate),
    ("CopyItem", items::relocate),
    ("FindItem", find::items),
    ("CreateAttachment", attachments::create),
    ("GetAttachment", attachments::get),
    ("DeleteAttachment", attachments::delete),
    ("GetServerTimeZones", lookup::time_zones),
    ("ResolveNames", lookup::resolve),
    ("ConvertId", lookup::convert_id),
    ("GetUserConfiguration", lookup::user_configuration),
];

/// Its answer has another form than all others.
const AVAILABILITY: &str = "GetUserAvailabilityRequest";

/// Carries a request out and gives the operation's answer.
///
/// A server that is too busy refuses a part of it.
pub fn carry_out(
    world: &mut World,
    caller: usize,
    envelope: &Envelope,
    now: Timestamp,
    refuses_sync_states: bool,
    busy_for: Option<(Extent, Duration)>,
) -> Result<Element, Fault> {
    let name = envelope.body.name;
    let operation = TABLE.iter().find(|(known, _)| *known == name).map(|(_, operation)| operation);
    if operation.is_none() && name != AVAILABILITY {
        return Err(Fault::new("ErrorInvalidRequest", "This operation is not supported."));
    }
    let context = envelope.header("TimeZoneContext").and_then(|h| h.child("TimeZoneDefinition"));
    let zone = match context {
        Some(definition) => {
            let zone = zone::of_element(definition)
                .ok_or_else(|| Fault::new("ErrorTimeZone", "The specified time zone isn't valid."))?;
            Some((definition.attribute("Id").unwrap_or("UTC").to_owned(), zone))
        }
        None => None,
    };
    let mut request = envelope.body.clone();
    let (refused, wait) = match busy_for {
        // Its answer has no place for it.
        Some((_, wait)) if operation.is_none() => return Err(throttling::busy(wait)),
        Some((extent, wait)) => (cut(&mut request, extent), wait),
        None => (0, Duration::ZERO),
    };
    let is_all_refused = refused > 0 && refused == parts(&envelope.body);
    let Some(operation) = operation else {
        return availability::answer(&mut Call {
            world,
            caller,
            request: &request,
            zone,
            now,
            refuses_sync_states,
        });
    };
    let whose = world::whose(world, caller, &request);
    let asks = world.mailboxes.get(caller).map(|mailbox| mailbox.address.clone());
    if let Some(mailbox) = world.mailboxes.get_mut(whose) {
        mailbox.visitor = asks.filter(|_| whose != caller);
    }
    let mut call = Call { world, caller: whose, request: &request, zone, now, refuses_sync_states };
    let outcome = if is_all_refused { Ok(Vec::new()) } else { operation(&mut call) };
    if let Some(mailbox) = world.mailboxes.get_mut(whose) {
        mailbox.visitor = None;
    }
    let mut messages = outcome?;
    messages.extend((0..refused).map(|_| Err(busy(wait))));
    Ok(answer(name, messages))
}

/// What a server says of the parts of a request that it is too busy for.
pub fn busy(wait: Duration) -> Refusal {
    Refusal {
        values: vec![
            ("InnerErrorMessageText", "The server cannot service this request right now.".to_owned()),
            ("InnerErrorResponseCode", "ErrorServerBusy".to_owned()),
            ("InnerErrorDescriptiveLinkKey", "0".to_owned()),
            ("BackOffMilliseconds", wait.as_millis().to_string()),
        ],
        ..Refusal::new("ErrorInternalServerError", "An internal server error occurred. The operation failed.")
    }
}

/// Lists of what a request is about.
const LISTS: [&str; 6] = ["ItemIds", "FolderIds", "Items", "ItemChanges", "AttachmentIds", "FolderChanges"];

/// How many things a request is about.
pub fn parts(request: &Element) -> usize {
    LISTS.iter().find_map(|name| request.child(name)).map_or(1, |list| list.children.len())
}

/// Takes the last parts off a request and gives their number.
fn cut(request: &mut Element, extent: Extent) -> usize {
    let all = parts(request);
    let kept = if extent == Extent::Whole { 0 } else { all / 2 };
    let list = request.children.iter_mut().find(|child| LISTS.contains(&child.name));
    if let Some(list) = list {
        list.children.truncate(kept);
    }
    all - kept
}

/// The operation's answer around its messages.
pub fn answer(name: &'static str, messages: Messages) -> Element {
    let (response, message) = response_names(name);
    let written = messages.into_iter().map(|outcome| match outcome {
        Ok(content) => {
            // ResolveNames says so when there are several candidates.
            let several = name == "ResolveNames"
                && content
                    .first()
                    .and_then(|set| set.attribute("TotalItemsInView"))
                    .is_some_and(|n| n != "1");
            let code = if several { "ErrorNameResolutionMultipleResults" } else { "NoError" };
            let mut element =
                Element::message(message).with("ResponseClass", if several { "Warning" } else { "Success" });
            if several {
                element = element
                    .push(text("MessageText", "Multiple results were found."))
                    .push(text("ResponseCode", code))
                    .push(text("DescriptiveLinkKey", "0"));
            } else {
                element = element.push(text("ResponseCode", code));
            }
            element.push_all(content)
        }
        Err(refusal) => {
            let path = refusal.field.map(|uri| Element::new("FieldURI").with("FieldURI", uri));
            let values = refusal.values.iter();
            let values = values.map(|(name, text)| Element::of("Value", text.clone()).with("Name", *name));
            let details: Vec<Element> = path.into_iter().chain(values).collect();
            let about = (!details.is_empty()).then(|| Element::message("MessageXml").push_all(details));
            let element = Element::message(message)
                .with("ResponseClass", "Error")
                .push(text("MessageText", &refusal.text))
                .push(text("ResponseCode", refusal.code))
                .push(text("DescriptiveLinkKey", "0"))
                .push_some(about);
            match name {
                // The schema wants these also beside an error.
                "GetItem" | "CreateItem" | "UpdateItem" | "MoveItem" | "CopyItem" => {
                    element.push(Element::message("Items"))
                }
                "GetFolder" | "CreateFolder" | "UpdateFolder" => element.push(Element::message("Folders")),
                "CreateAttachment" | "GetAttachment" => element.push(Element::message("Attachments")),
                "SyncFolderItems" => {
                    element.push(Element::message("SyncState")).push(text("IncludesLastItemInRange", "true"))
                }
                "SyncFolderHierarchy" => element
                    .push(Element::message("SyncState"))
                    .push(text("IncludesLastFolderInRange", "true")),
                _ => element,
            }
        }
    });
    Element::message(response).push(Element::message("ResponseMessages").push_all(written))
}

/// A text element of the messages namespace.
fn text(name: &'static str, text: &str) -> Element {
    Element { text: text.to_owned(), ..Element::message(name) }
}

/// `…Response` and `…ResponseMessage` of each operation.
fn response_names(name: &str) -> (&'static str, &'static str) {
    match name {
        "GetFolder" => ("GetFolderResponse", "GetFolderResponseMessage"),
        "FindFolder" => ("FindFolderResponse", "FindFolderResponseMessage"),
        "CreateFolder" => ("CreateFolderResponse", "CreateFolderResponseMessage"),
        "UpdateFolder" => ("UpdateFolderResponse", "UpdateFolderResponseMessage"),
        "DeleteFolder" => ("DeleteFolderResponse", "DeleteFolderResponseMessage"),
        "SyncFolderHierarchy" => ("SyncFolderHierarchyResponse", "SyncFolderHierarchyResponseMessage"),
        "SyncFolderItems" => ("SyncFolderItemsResponse", "SyncFolderItemsResponseMessage"),
        "GetItem" => ("GetItemResponse", "GetItemResponseMessage"),
        "CreateItem" => ("CreateItemResponse", "CreateItemResponseMessage"),
        "UpdateItem" => ("UpdateItemResponse", "UpdateItemResponseMessage"),
        "DeleteItem" => ("DeleteItemResponse", "DeleteItemResponseMessage"),
        "MoveItem" => ("MoveItemResponse", "MoveItemResponseMessage"),
        "CopyItem" => ("CopyItemResponse", "CopyItemResponseMessage"),
        "FindItem" => ("FindItemResponse", "FindItemResponseMessage"),
        "CreateAttachment" => ("CreateAttachmentResponse", "CreateAttachmentResponseMessage"),
        "GetAttachment" => ("GetAttachmentResponse", "GetAttachmentResponseMessage"),
        "DeleteAttachment" => ("DeleteAttachmentResponse", "DeleteAttachmentResponseMessage"),
        "GetServerTimeZones" => ("GetServerTimeZonesResponse", "GetServerTimeZonesResponseMessage"),
        "ResolveNames" => ("ResolveNamesResponse", "ResolveNamesResponseMessage"),
        "ConvertId" => ("ConvertIdResponse", "ConvertIdResponseMessage"),
        "Subscribe" => ("SubscribeResponse", "SubscribeResponseMessage"),
        "Unsubscribe" => ("UnsubscribeResponse", "UnsubscribeResponseMessage"),
        "GetStreamingEvents" => ("GetStreamingEventsResponse", "GetStreamingEventsResponseMessage"),
        "GetEvents" => ("GetEventsResponse", "GetEventsResponseMessage"),
        _ => ("GetUserConfigurationResponse", "GetUserConfigurationResponseMessage"),
    }
}

/// The children of a list in the request.
pub fn listed<'a>(request: &'a Element, name: &str) -> &'a [Element] {
    request.child(name).map(|list| list.children.as_slice()).unwrap_or_default()
}
