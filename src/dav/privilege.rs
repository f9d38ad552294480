//! Rights in the words of access control. RFC 3744
//!
//! **Invariant:** only what the upstream allows is granted.

use super::names::{caldav, webdav};
use super::resource::Resource;
use crate::model::collection::{CollectionKind, Rights};
use crate::xml::{Element, Name};

/// What may be done with a resource: `DAV:current-user-privilege-set`. RFC 3744 5.5
pub(super) fn granted(resource: &Resource, is_visit: bool) -> Vec<Element> {
    names(resource, is_visit).into_iter().map(privilege).collect()
}

fn names(resource: &Resource, is_visit: bool) -> Vec<&'static Name> {
    let mut names = vec![&webdav::READ_CURRENT_USER_PRIVILEGE_SET];
    let (rights, kind) = match resource {
        Resource::Collection(collection, _) | Resource::Member(collection, _) => {
            (collection.rights, collection.kind)
        }
        // Collections can be made and removed in them by their owner.
        Resource::Home(_) if !is_visit => {
            return vec![
                &webdav::READ,
                &webdav::READ_CURRENT_USER_PRIVILEGE_SET,
                &webdav::BIND,
                &webdav::UNBIND,
            ];
        }
        // Messages of meetings are sent for its owner alone. RFC 6638 6.2
        Resource::Outbox if !is_visit => {
            return vec![
                &webdav::READ,
                &webdav::READ_CURRENT_USER_PRIVILEGE_SET,
                &caldav::SCHEDULE_SEND,
                &caldav::SCHEDULE_SEND_INVITE,
                &caldav::SCHEDULE_SEND_REPLY,
                &caldav::SCHEDULE_SEND_FREEBUSY,
            ];
        }
        // RFC 6638 6.1
        Resource::Inbox => {
            return vec![
                &webdav::READ,
                &webdav::READ_CURRENT_USER_PRIVILEGE_SET,
                &caldav::SCHEDULE_DELIVER,
                &caldav::SCHEDULE_DELIVER_INVITE,
                &caldav::SCHEDULE_DELIVER_REPLY,
                &caldav::SCHEDULE_QUERY_FREEBUSY,
            ];
        }
        _ => {
            names.insert(0, &webdav::READ);
            return names;
        }
    };
    if rights.read {
        names.insert(0, &webdav::READ);
        if kind == CollectionKind::Calendar {
            names.push(&caldav::READ_FREE_BUSY);
        }
    }
    let Rights { read: _, create, modify, delete, administer } = rights;
    // DAV:write is the sum of the others, so it goes with all of them. RFC 3744 3.2. Who may do everything with the
    // members may set colours and the like; that a default folder keeps its name is a matter of that property alone.
    let write = create && modify && delete;
    let parts = [
        (write, &webdav::WRITE),
        (modify, &webdav::WRITE_CONTENT),
        (write || administer, &webdav::WRITE_PROPERTIES),
        (create, &webdav::BIND),
        (delete, &webdav::UNBIND),
    ];
    names.extend(parts.into_iter().filter(|(granted, _)| *granted).map(|(_, name)| name));
    names
}

fn privilege(name: &Name) -> Element {
    Element::new(webdav::PRIVILEGE.clone()).with_child(Element::new(name.clone()))
}

/// `DAV:supported-privilege-set`: the tree of privileges. RFC 3744 5.3
pub(super) fn supported() -> Element {
    let leaf = |name: &Name, description: &str| {
        Element::new(webdav::SUPPORTED_PRIVILEGE.clone())
            .with_child(privilege(name))
            .with_child(Element::new(webdav::DESCRIPTION.clone()).with_text(description))
    };
    let read = leaf(&webdav::READ, "Read")
        .with_child(leaf(&webdav::READ_CURRENT_USER_PRIVILEGE_SET, "Read own privileges"))
        .with_child(leaf(&caldav::READ_FREE_BUSY, "Read busy time"));
    let write = leaf(&webdav::WRITE, "Write")
        .with_child(leaf(&webdav::WRITE_CONTENT, "Change members"))
        .with_child(leaf(&webdav::WRITE_PROPERTIES, "Change properties"))
        .with_child(leaf(&webdav::BIND, "Add members"))
        .with_child(leaf(&webdav::UNBIND, "Remove members"));
    // RFC 6638 6.2
    let send = leaf(&caldav::SCHEDULE_SEND, "Send scheduling messages")
        .with_child(leaf(&caldav::SCHEDULE_SEND_INVITE, "Invite"))
        .with_child(leaf(&caldav::SCHEDULE_SEND_REPLY, "Answer invitations"))
        .with_child(leaf(&caldav::SCHEDULE_SEND_FREEBUSY, "Ask for busy time"));
    // RFC 6638 6.1
    let deliver = leaf(&caldav::SCHEDULE_DELIVER, "Deliver scheduling messages")
        .with_child(leaf(&caldav::SCHEDULE_DELIVER_INVITE, "Deliver invitations"))
        .with_child(leaf(&caldav::SCHEDULE_DELIVER_REPLY, "Deliver answers"))
        .with_child(leaf(&caldav::SCHEDULE_QUERY_FREEBUSY, "Ask for this user's busy time"));
    leaf(&webdav::ALL, "Everything").with_child(read).with_child(write).with_child(send).with_child(deliver)
}

/// `DAV:acl` has one entry: the user's own, which is Exchange's to change. RFC 3744 5.5
pub(super) fn entry(resource: &Resource, is_visit: bool, principal: &str) -> Element {
    let who = Element::new(webdav::PRINCIPAL.clone())
        .with_child(Element::new(webdav::HREF.clone()).with_text(principal));
    let mut grant = Element::new(webdav::GRANT.clone());
    for name in names(resource, is_visit) {
        grant = grant.with_child(privilege(name));
    }
    let protected = Element::new(webdav::PROTECTED.clone());
    Element::new(webdav::ACE.clone()).with_child(who).with_child(grant).with_child(protected)
}

/// `DAV:acl-restrictions`: only grants, no inversion. RFC 3744 5.6
pub(super) fn restrictions() -> Vec<Element> {
    vec![Element::new(webdav::GRANT_ONLY.clone()), Element::new(webdav::NO_INVERT.clone())]
}
