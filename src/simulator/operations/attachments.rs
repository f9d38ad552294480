//! Attachments. MS-OXWSATT

use super::{Call, Messages, listed};
use crate::simulator::calendar::occurrence;
use crate::simulator::element::Element;
use crate::simulator::ids::{self, Named};
use crate::simulator::item::{Attachment, Content, ItemKey};
use crate::simulator::mailbox::Mailbox;
use crate::simulator::permissions::{self, Deed};
use crate::simulator::soap::Fault;
use crate::simulator::view::{View, attachment};
use crate::simulator::world::{self, Refusal, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// An attachment that a client brings; its number is still to be given.
pub fn read(element: &Element, now: Timestamp) -> Result<Attachment, Refusal> {
    let text = |name| element.child_text(name).map(str::to_owned);
    let flag = |name| element.child_flag(name);
    let content = match element.name {
        "FileAttachment" => {
            let encoded: String = text("Content").unwrap_or_default().split_whitespace().collect();
            let octets = STANDARD
                .decode(encoded)
                .map_err(|_| Refusal::new("ErrorInvalidAttachmentContent", "The content is not base64."))?;
            Content::File(octets)
        }
        "ItemAttachment" => {
            let known = ["Item", "Message", "CalendarItem", "Contact", "Task", "DistributionList"];
            let item = element.children.iter().find(|c| known.contains(&c.name)).ok_or_else(|| {
                Refusal::new("ErrorInvalidAttachmentContent", "The attached item is missing.")
            })?;
            Content::Item(Box::new(item.clone()))
        }
        _ => return Err(Refusal::new("ErrorInvalidAttachmentContent", "This attachment is not supported.")),
    };
    Ok(Attachment {
        number: 0,
        name: text("Name").unwrap_or_default(),
        content_type: text("ContentType"),
        content_id: text("ContentId"),
        content_location: text("ContentLocation"),
        inline: flag("IsInline"),
        contact_photo: flag("IsContactPhoto"),
        modified: now,
        content,
    })
}

/// MS-OXWSATT 3.1.4.1
pub fn create(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let now = call.now;
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let parent = call.request.child("ParentItemId");
    let mut messages = Messages::new();
    for new in listed(call.request, "Attachments") {
        messages.push(create_one(mailbox, parent, new, now));
    }
    Ok(messages)
}

fn create_one(
    mailbox: &mut Mailbox,
    parent: Option<&Element>,
    new: &Element,
    now: Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let id = Element { name: "ItemId", ..parent.ok_or_else(Refusal::not_found)?.clone() };
    let target = world::target(mailbox, &id)?;
    let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
    permissions::allowed(mailbox, item.folder, Deed::Change(item))?;
    let mut made = read(new, now)?;
    made.number = mailbox.next_number();
    mailbox.update_item(target.key, now, |item| match target.occurrence {
        Some(start) => {
            let inherited = item.attachments.clone();
            if let Some(exception) = occurrence::own(item, start) {
                exception.attachments.get_or_insert(inherited).push(made.clone());
            }
        }
        None => item.attachments.push(made.clone()),
    });
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    let root = view.id();
    let mut shown = attachment(mailbox, view.item, target.occurrence, &made, None);
    if let Some(id) = shown.child_mut("AttachmentId") {
        id.attributes.extend(root_id(&root));
    }
    shown.children.truncate(1);
    Ok(vec![Element::message("Attachments").push(shown)])
}

fn root_id(item_id: &Element) -> Vec<(&'static str, String)> {
    let of = |name| item_id.attribute(name).unwrap_or_default().to_owned();
    vec![("RootItemId", of("Id")), ("RootItemChangeKey", of("ChangeKey"))]
}

fn find(mailbox: &Mailbox, id: &Element) -> Result<(ItemKey, Option<Timestamp>, u64), Refusal> {
    match ids::decode(id.attribute("Id").unwrap_or_default()) {
        Some((guid, Named::Attachment(key, start, number))) if guid == mailbox.guid => {
            let item = mailbox.item(key).ok_or_else(Refusal::not_found)?;
            permissions::readable(mailbox, item.folder)?;
            Ok((key, start, number))
        }
        Some(_) => Err(Refusal::new("ErrorInvalidAttachmentId", "The attachment Id is invalid.")),
        None => Err(Refusal::new("ErrorInvalidIdMalformed", "Id is malformed.")),
    }
}

/// MS-OXWSATT 3.1.4.3
pub fn get(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let one = |id: &Element| {
        let (key, start, number) = find(mailbox, id)?;
        let view = View::of(mailbox, Target { key, occurrence: start }).ok_or_else(Refusal::not_found)?;
        let found = view.attachments().iter().find(|a| a.number == number).ok_or_else(Refusal::not_found)?;
        let shown = attachment(mailbox, view.item, start, found, Some(()));
        Ok(vec![Element::message("Attachments").push(shown)])
    };
    Ok(listed(call.request, "AttachmentIds").iter().map(one).collect())
}

/// MS-OXWSATT 3.1.4.2
pub fn delete(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let now = call.now;
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let mut messages = Messages::new();
    for id in listed(call.request, "AttachmentIds") {
        messages.push(delete_one(mailbox, id, now));
    }
    Ok(messages)
}

fn delete_one(mailbox: &mut Mailbox, id: &Element, now: Timestamp) -> Result<Vec<Element>, Refusal> {
    let (key, start, number) = find(mailbox, id)?;
    let target = Target { key, occurrence: start };
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    if !view.attachments().iter().any(|a| a.number == number) {
        return Err(Refusal::not_found());
    }
    permissions::allowed(mailbox, view.item.folder, Deed::Change(view.item))?;
    mailbox.update_item(key, now, |item| match start {
        Some(start) => {
            let inherited = item.attachments.clone();
            if let Some(exception) = occurrence::own(item, start) {
                exception.attachments.get_or_insert(inherited).retain(|a| a.number != number);
            }
        }
        None => item.attachments.retain(|a| a.number != number),
    });
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    let mut root = Element::message("RootItemId");
    root.attributes = root_id(&view.id());
    Ok(vec![root])
}
