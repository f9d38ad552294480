//! The answer of GetStreamingEvents: documents that come one after the other for as long as the connection is held.

use super::error::Error;
use super::soap::{check, messages, open_envelope};
use super::transport::Response;
use crate::upstream::{Event, Notification};
use crate::xml::Element;
use bytes::BytesMut;
use tokio::time::Instant;

/// Octets of one document.
const MAX_DOCUMENT: usize = 8 << 20;
/// Octets of `</` and the prefix of a name.
const MAX_PREFIX: usize = 100;

/// Why a stream gives nothing more, in the words of Exchange.
type Ended = crate::upstream::Ended<Error>;

/// A connection over which events come. Dropping it closes it.
pub struct EventStream {
    response: Response,
    documents: Documents,
}

/// Octets of a stream that become documents, in whatever pieces they come.
#[derive(Debug, Default)]
pub struct Documents {
    buffer: BytesMut,
    /// So far there is no end of a document in the buffer.
    searched: usize,
}

impl EventStream {
    pub(super) fn new(response: Response) -> Self {
        Self { response, documents: Documents::default() }
    }

    /// The next document; fails when nothing comes until then, or when the connection breaks. A call that is dropped
    /// loses nothing.
    pub async fn next(&mut self, until: Instant) -> Result<Notification, Ended> {
        loop {
            if let Some(told) = self.documents.next() {
                return told;
            }
            let silent = |_| Error::Lost("the stream of events has fallen silent".to_owned());
            let chunk = tokio::time::timeout_at(until, self.response.chunk()).await.map_err(silent)??;
            match chunk {
                Some(octets) => self.documents.add(&octets),
                None => return Err(Error::Lost("the stream of events has ended".to_owned()).into()),
            }
        }
    }
}

impl Documents {
    /// What came over the connection.
    pub fn add(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// What the next document says; `None` while its end has not come. Fails when it is too large or makes no sense.
    #[allow(clippy::should_implement_trait, reason = "more may come after `None`")]
    pub fn next(&mut self) -> Option<Result<Notification, Ended>> {
        if let Some(end) = self.end() {
            let document = self.buffer.split_to(end);
            self.searched = 0;
            return Some(read(&document));
        }
        let is_too_large = self.buffer.len() > MAX_DOCUMENT;
        is_too_large
            .then(|| Err(Error::Answer(format!("an event is larger than {MAX_DOCUMENT} octets")).into()))
    }

    /// Where the first document ends.
    fn end(&mut self) -> Option<usize> {
        const TAG: &[u8] = b"Envelope>";
        let octets: &[u8] = &self.buffer;
        let from = self.searched;
        self.searched = octets.len().saturating_sub(TAG.len());
        let found = octets.get(from..)?.windows(TAG.len()).enumerate().filter(|(_, window)| *window == TAG);
        found.map(|(at, _)| from + at).find_map(|at| {
            // Text may hold the word, but no `<`. A prefix is short: looking further back would cost a hostile
            // document nothing and its reader the square of its length.
            let before = octets.get(at.saturating_sub(MAX_PREFIX)..at)?;
            let tag = at - before.len() + before.iter().rposition(|octet| *octet == b'<')?;
            (octets.get(tag + 1) == Some(&b'/')).then_some(at + TAG.len())
        })
    }
}

fn read(document: &[u8]) -> Result<Notification, Ended> {
    let answer = open_envelope(document).map_err(|error| match error {
        Error::Fault { code, text } => Error::Response { code, text },
        other => other,
    })?;
    let mut told = Notification::default();
    for message in messages(&answer) {
        if let Err(error) = check(message) {
            let wrong = message.find("ErrorSubscriptionIds").into_iter().flat_map(Element::children);
            let subscriptions = wrong.map(|id| id.text().trim().to_owned()).collect();
            return Err(Ended { error, subscriptions });
        }
        told.is_last |= message.find("ConnectionStatus").is_some_and(|s| s.text().trim() == "Closed");
        for notification in message.find("Notifications").into_iter().flat_map(Element::children) {
            let Some(id) = notification.find("SubscriptionId") else { continue };
            let events = told.events.entry(id.text().trim().to_owned()).or_default();
            notification.children().for_each(|event| note(event, events));
        }
    }
    told.events.retain(|_, events| !events.is_empty());
    Ok(told)
}

fn note(event: &Element, events: &mut Vec<Event>) {
    let folder = |name: &str| Some(event.find(name)?.attribute("Id")?.to_owned());
    let mut add = |event: Event| {
        if !events.contains(&event) {
            events.push(event);
        }
    };
    let is_folder = event.find("FolderId").is_some();
    match event.name().local() {
        "ModifiedEvent" if is_folder => folder("FolderId").map(Event::Folder).into_iter().for_each(add),
        "CreatedEvent" | "DeletedEvent" | "MovedEvent" | "CopiedEvent" if is_folder => add(Event::Tree),
        "CreatedEvent" | "DeletedEvent" | "ModifiedEvent" | "MovedEvent" | "CopiedEvent" => {
            let places = [folder("ParentFolderId"), folder("OldParentFolderId")];
            places.into_iter().flatten().map(Event::Item).for_each(&mut add);
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn message(content: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
             xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages' \
             xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'><s:Body>\
             <m:GetStreamingEventsResponse><m:ResponseMessages>{content}</m:ResponseMessages>\
             </m:GetStreamingEventsResponse></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn folders_of_items_are_told_once_each_whatever_namespace_the_notification_is_in() {
        for prefix in ["m", "t"] {
            let text = message(&format!(
                "<m:GetStreamingEventsResponseMessage ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode>\
                 <m:Notifications><{prefix}:Notification><t:SubscriptionId>one</t:SubscriptionId>\
                 <t:CreatedEvent><t:ItemId Id='i'/><t:ParentFolderId Id='f'/></t:CreatedEvent>\
                 <t:ModifiedEvent><t:ItemId Id='i'/><t:ParentFolderId Id='f'/></t:ModifiedEvent>\
                 <t:ModifiedEvent><t:FolderId Id='f'/><t:ParentFolderId Id='top'/></t:ModifiedEvent>\
                 <t:MovedEvent><t:ItemId Id='j'/><t:ParentFolderId Id='g'/><t:OldItemId Id='k'/>\
                 <t:OldParentFolderId Id='h'/></t:MovedEvent>\
                 <t:DeletedEvent><t:FolderId Id='x'/><t:ParentFolderId Id='f'/></t:DeletedEvent><t:StatusEvent/>\
                 </{prefix}:Notification></m:Notifications></m:GetStreamingEventsResponseMessage>"
            ));
            let told = read(text.as_bytes()).unwrap();
            let item = |id: &str| Event::Item(id.to_owned());
            let expected = [item("f"), Event::Folder("f".to_owned()), item("g"), item("h"), Event::Tree];
            assert_eq!(told.events["one"], expected);
            assert!(!told.is_last);
        }
    }

    #[test]
    fn a_stream_without_ends_costs_its_length_and_is_given_up() {
        let mut documents = Documents::default();
        while documents.buffer.len() <= MAX_DOCUMENT {
            documents.add(&b"Envelope>".repeat(1 << 10));
            if let Some(told) = documents.next() {
                assert!(matches!(told.unwrap_err().error, Error::Answer(_)));
                return;
            }
        }
        panic!("{} octets are kept", documents.buffer.len());
    }

    #[test]
    fn an_error_names_the_subscriptions_that_are_gone() {
        let text = message(
            "<m:GetStreamingEventsResponseMessage ResponseClass='Error'><m:MessageText>x</m:MessageText>\
             <m:ResponseCode>ErrorSubscriptionNotFound</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>\
             <m:ErrorSubscriptionIds><t:SubscriptionId>abc=</t:SubscriptionId></m:ErrorSubscriptionIds>\
             </m:GetStreamingEventsResponseMessage>",
        );
        let ended = read(text.as_bytes()).unwrap_err();
        assert!(ended.error.is("ErrorSubscriptionNotFound"));
        assert_eq!(ended.subscriptions, ["abc="]);
    }
}
