//! Somebody whom the directory knows. MS-OXWSRSLNM 2.2.4.1

use super::mailbox::mailbox;
use super::{class_name, name as t, read_item};
use crate::model::item::{ItemClass, Person};
use crate::xml::{Element, Name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A `Resolution`; `None` for somebody without an SMTP address.
pub(in crate::upstream::ews) fn person(resolution: &Element) -> Option<Person> {
    let mut mailbox = mailbox(resolution.find("Mailbox")?)?;
    let known = resolution.find("Contact").and_then(|contact| contact.find("EmailAddresses"));
    if !mailbox.address.contains('@') {
        // An X.500 name: the contact tells the address.
        mailbox.address = known.into_iter().flat_map(Element::children).find_map(smtp)?;
    }
    let photo = resolution.find("Contact").and_then(|contact| contact.find("Photo"));
    let photo = photo.and_then(|photo| STANDARD.decode(photo.text().trim()).ok());
    let told = resolution.find("Contact").into_iter().flat_map(Element::children).cloned();
    let mut children: Vec<Element> = told.collect();
    let has = |children: &[Element], local: &str| children.iter().any(|child| child.name().local() == local);
    if !has(&children, "DisplayName") && !mailbox.name.is_empty() {
        children.push(Element::new(t("DisplayName")).with_text(&mailbox.name));
    }
    children.retain(|child| child.name().local() != "EmailAddresses");
    children.push(addresses(&mailbox.address, known));
    let id = mailbox.address.to_lowercase();
    let id = Element::new(t("ItemId")).with_attribute(Name::new("", "Id"), id.as_str());
    let bare = Element::new(class_name(ItemClass::Contact)).with_child(id);
    let contact = read_item(&children.into_iter().fold(bare, Element::with_child))?;
    Some(Person { mailbox, contact, photo })
}

fn smtp(entry: &Element) -> Option<String> {
    let text = entry.text();
    let address = match text.trim().split_once(':') {
        Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address,
        Some(_) => return None,
        None => text.trim(),
    };
    address.contains('@').then(|| address.to_owned())
}

/// The primary address first, then the others; the directory writes `SMTP:` before each.
fn addresses(primary: &str, known: Option<&Element>) -> Element {
    let others = known.into_iter().flat_map(Element::children).filter_map(smtp);
    let others = others.filter(|address| !address.eq_ignore_ascii_case(primary));
    let all = std::iter::once(primary.to_owned()).chain(others);
    all.zip(["EmailAddress1", "EmailAddress2", "EmailAddress3"]).fold(
        Element::new(t("EmailAddresses")),
        |list, (address, key)| {
            let entry = Element::new(t("Entry")).with_attribute(Name::new("", "Key"), key);
            list.with_child(entry.with_text(&address))
        },
    )
}
