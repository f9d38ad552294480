//! People's cards, and lists of people.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::file;
use super::words::{CATEGORIES, Dice, person};
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{FolderKey, ItemKind};
use crate::simulator::mailbox::{Mailbox, NewItem};
use crate::simulator::view::mailbox_element;

const COMPANIES: [&str; 6] =
    ["Example Corp; R&D", "Fabrikam, Inc.", "Contoso GmbH", "Northwind Traders", "株式会社サンプル", ""];

/// A grey JPEG of one pixel.
const PHOTO: &str = "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////\
////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z";

pub(super) fn contact(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    today: Date,
    now: Timestamp,
) {
    let (given, family, address) = person(number);
    let mut item = NewItem::new(ItemKind::Contact);
    let p = &mut item.properties;
    let name = format!("{given} {family}");
    p.set_text(field::FILE_AS, format!("{family}, {given}"));
    p.set_text(field::DISPLAY_NAME, name.clone());
    p.set_text(field::SUBJECT, name.clone());
    p.set_text(field::GIVEN_NAME, given);
    p.set_text(field::SURNAME, family);
    let company = dice.of(&COMPANIES);
    if !company.is_empty() {
        p.set_text(field::COMPANY_NAME, company);
        p.set_text(field::DEPARTMENT, "Sales; North");
        p.set_text(field::JOB_TITLE, "Head of, well, things");
    }
    let entry = |key: &str, text: String| Element::of("Entry", text).with("Key", key);
    let mut mails = Element::new("EmailAddresses").push(entry("EmailAddress1", address));
    if number.is_multiple_of(2) {
        mails = mails.push(entry("EmailAddress2", format!("{number}.home@example.net")));
    }
    p.set(field::EMAIL_ADDRESSES, mails);
    let mut phones =
        Element::new("PhoneNumbers").push(entry("MobilePhone", format!("+49 170 {:07}", number * 7919)));
    if number.is_multiple_of(3) {
        phones = phones.push(entry("BusinessPhone", format!("+1 (555) 01{:02}", number % 100)));
        phones.children.reverse();
    }
    p.set(field::PHONE_NUMBERS, phones);
    if number.is_multiple_of(4) {
        let home = Element::new("Entry")
            .with("Key", "Home")
            .push(Element::of("Street", format!("Hauptstraße {number}\r\nHinterhaus")))
            .push(Element::of("City", "Berlin"))
            .push(Element::of("CountryOrRegion", "Germany"))
            .push(Element::of("PostalCode", format!("{:05}", 10_000 + number)));
        p.set(field::PHYSICAL_ADDRESSES, Element::new("PhysicalAddresses").push(home));
    }
    if number.is_multiple_of(5) {
        let born = Date::new(1960 + i16::try_from(number % 45).unwrap_or(0), 1, 15).unwrap_or(today);
        let day = born.saturating_add(dice.days(330).days());
        p.set_text(field::BIRTHDAY, format!("{day}T11:59:00Z"));
    }
    if number.is_multiple_of(6) {
        let note = "Met at the fair.\r\nLikes tea, not coffee; brings \"cake\".";
        p.set(field::BODY, Element::of("Body", note).with("BodyType", "Text"));
        p.set(
            field::CATEGORIES,
            Element::new("Categories").push(Element::of("String", dice.of(&CATEGORIES))),
        );
    }
    if number.is_multiple_of(10)
        && let Ok(octets) = STANDARD.decode(PHOTO)
    {
        item.attachments.push(file("ContactPicture.jpg", "image/jpeg", octets, true, now));
    }
    mailbox.add_item(folder, item, now);
}

pub(super) fn list(mailbox: &mut Mailbox, folder: FolderKey, name: &str, members: usize, now: Timestamp) {
    let mut item = NewItem::new(ItemKind::DistributionList);
    item.properties.set_text(field::SUBJECT, name);
    item.properties.set_text(field::LIST_DISPLAY_NAME, name);
    item.properties.set_text(field::LIST_FILE_AS, name);
    let all = (0..members).map(|number| {
        let (given, family, address) = person(number);
        let mut mailbox = mailbox_element(&format!("{given} {family}"), &address);
        if let Some(kind) = mailbox.child_mut("MailboxType") {
            kind.text = "OneOff".to_owned();
        }
        Element::new("Member")
            .with("Key", STANDARD.encode(format!("one-off {number}")))
            .push(mailbox)
            .push(Element::of("Status", "Normal"))
    });
    item.properties.set(field::MEMBERS, Element::new("Members").push_all(all));
    mailbox.add_item(folder, item, now);
}
