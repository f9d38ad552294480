//! Zones, people, ids and settings that clients look up.

use super::{Call, Messages, listed};
use crate::simulator::calendar::zone;
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::soap::Fault;
use crate::simulator::view::mailbox_element;
use crate::simulator::world::Refusal;

/// MS-OXWSGTZ 3.1.4.1
pub fn time_zones(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let wanted: Vec<&str> = listed(call.request, "Ids").iter().map(|id| id.text.trim()).collect();
    let full = call.request.attribute("ReturnFullTimeZoneData") != Some("false");
    let year = call.now.to_zoned(jiff::tz::TimeZone::UTC).year();
    let definitions =
        zone::all().filter(|(id, _)| wanted.is_empty() || wanted.contains(id)).filter_map(|(id, _)| {
            let its = zone::of_windows(id)?;
            let whole = zone::definition(id, &its, year);
            Some(if full { whole } else { Element { children: Vec::new(), ..whole } })
        });
    Ok(vec![Ok(vec![Element::message("TimeZoneDefinitions").push_all(definitions)])])
}

/// Most candidates of an answer. docs/EXCHANGE.md, Limits
const MAX_CANDIDATES: usize = 100;

/// The directory and the caller's default contacts, in the order of `SearchScope`. MS-OXWSRSLNM 3.1.4.1
pub fn resolve(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let entry = call.request.child_text("UnresolvedEntry").unwrap_or_default().trim().to_lowercase();
    let entry = entry.strip_prefix("smtp:").unwrap_or(&entry);
    let full = matches!(call.request.attribute("ReturnFullContactData"), Some("true" | "1"));
    let all = call.request.attribute("ContactDataShape").is_none_or(|shape| shape == "AllProperties");
    let people = call.world.people().filter(|person| person.fits(entry)).map(|person| {
        let contact = full.then(|| person.contact(all));
        Element::new("Resolution").push(person.mailbox()).push_some(contact)
    });
    let mut people: Vec<Element> = people.collect();
    let mut contacts = Vec::new();
    let fits = |texts: &[&str]| texts.iter().any(|t| t.to_lowercase().starts_with(entry));
    if let Some(mailbox) = call.world.mailboxes.get(call.caller)
        && let Some(folder) = mailbox.distinguished("contacts")
    {
        for item in mailbox.items_in(folder) {
            let name = item.properties.text(field::DISPLAY_NAME).unwrap_or_default();
            let address = item.properties.get(field::EMAIL_ADDRESSES).and_then(|l| l.children.first());
            let address = address.map(|e| e.text.trim()).unwrap_or_default();
            if !address.is_empty() && fits(&[name, address]) {
                contacts.push(Element::new("Resolution").push(mailbox_element(name, address)));
            }
        }
    }
    let mut found = match call.request.attribute("SearchScope") {
        Some("ActiveDirectory") => people,
        Some("Contacts") => contacts,
        Some("ContactsActiveDirectory") => {
            contacts.append(&mut people);
            contacts
        }
        _ => {
            people.append(&mut contacts);
            people
        }
    };
    if found.is_empty() {
        let nobody = "No results were found.";
        return Ok(vec![Err(Refusal::new("ErrorNameResolutionNoResults", nobody))]);
    }
    let is_whole = found.len() <= MAX_CANDIDATES;
    found.truncate(MAX_CANDIDATES);
    let set = Element::message("ResolutionSet")
        .with("TotalItemsInView", found.len().to_string())
        .with("IncludesLastItemInRange", is_whole.to_string())
        .push_all(found);
    Ok(vec![Ok(vec![set])])
}

/// All formats are one here. MS-OXWSCVTID 3.1.4.1
pub fn convert_id(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let format = call.request.attribute("DestinationFormat").unwrap_or("EwsId");
    let one = |id: &Element| {
        let known = id.attribute("Id").unwrap_or_default();
        if crate::simulator::ids::decode(known).is_none() {
            return Err(Refusal::new("ErrorInvalidIdMalformed", "Id is malformed."));
        }
        Ok(vec![
            Element::message("AlternateId")
                .with("xsi:type", "t:AlternateIdType")
                .with("Format", format)
                .with("Id", known)
                .with("Mailbox", mailbox.address.clone()),
        ])
    };
    Ok(listed(call.request, "SourceIds").iter().map(one).collect())
}

/// The settings of Outlook on the web hold the user's time zone. MS-OXWSUSRCFG 3.1.4.3
pub fn user_configuration(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let name = call.request.child("UserConfigurationName");
    let wanted = name.and_then(|n| n.attribute("Name")).unwrap_or_default();
    if wanted != "OWA.UserOptions" {
        return Ok(vec![Err(Refusal::not_found())]);
    }
    let entry = |key: &str, value: &str| {
        let object = |name: &'static str, text: &str| {
            Element::new(name).push(Element::of("Type", "String")).push(Element::of("Value", text))
        };
        Element::new("DictionaryEntry")
            .push(object("DictionaryKey", key))
            .push(object("DictionaryValue", value))
    };
    let mut shown = name.cloned().unwrap_or_default();
    shown.space = crate::simulator::element::Space::Types;
    let configuration = Element::message("UserConfiguration")
        .push(shown)
        .push(Element::new("Dictionary").push(entry("timezone", "W. Europe Standard Time")));
    Ok(vec![Ok(vec![configuration])])
}
