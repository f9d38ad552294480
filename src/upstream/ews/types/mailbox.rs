//! People, lists and rooms: whom an item names. MS-OXWSCDATA 2.2.4.31, MS-OXWSMTGS 2.2.4.6

use crate::model::item::{Attendee, Mailbox, Member};
use crate::xml::Element;

pub(super) fn mailbox(element: &Element) -> Option<Mailbox> {
    let text = |local| element.find(local).map(|e| e.text().trim().to_owned()).unwrap_or_default();
    let mailbox = Mailbox {
        name: text("Name"),
        address: text("EmailAddress"),
        routing: text("RoutingType"),
        kind: text("MailboxType"),
        item: element.find("ItemId").and_then(|id| Some(id.attribute("Id")?.to_owned())),
    };
    (!mailbox.name.is_empty() || !mailbox.address.is_empty() || mailbox.item.is_some()).then_some(mailbox)
}

pub(super) fn attendee(element: &Element) -> Option<Attendee> {
    let mailbox = mailbox(element.find("Mailbox")?)?;
    let response = element.find("ResponseType").map(|e| e.text().trim().to_owned()).unwrap_or_default();
    Some(Attendee { mailbox, response })
}

pub(super) fn member(element: &Element) -> Option<Member> {
    let key = element.attribute("Key").map(str::to_owned);
    Some(Member { key, mailbox: mailbox(element.find("Mailbox")?)? })
}
