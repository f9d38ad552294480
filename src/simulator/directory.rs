//! The organisation's directory: everybody who has a mailbox, and colleagues who are only looked up.

use super::element::Element;
use super::view::mailbox_element;

/// Somebody in the directory.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Primary address.
    pub address: String,
    /// The name shown to others.
    pub display_name: String,
    /// First name; empty for lists.
    pub given: String,
    /// Family name.
    pub surname: String,
    /// Department.
    pub department: String,
    /// Office.
    pub office: String,
    /// Business phone.
    pub phone: String,
    /// Mobile phone.
    pub mobile: String,
    /// A distribution list of the organisation.
    pub is_list: bool,
}

impl Person {
    /// Ambiguous name resolution: any of the names or proxy addresses begins with the entry, or it is the X.500 name. The user
    /// principal name is none of them. MS-NSPI 3.1.4.7
    pub fn fits(&self, entry: &str) -> bool {
        let entry = entry.to_lowercase();
        let begins = |text: &str| !text.is_empty() && text.to_lowercase().starts_with(&entry);
        let words = entry.split_once(' ');
        let both = words.is_some_and(|(one, other)| {
            let fits =
                |a: &str, b: &str| a.to_lowercase().starts_with(one) && b.to_lowercase().starts_with(other);
            fits(&self.given, &self.surname) || fits(&self.surname, &self.given)
        });
        both || format!("alias-{}", self.address).to_lowercase().starts_with(&entry)
            || [&self.display_name, &self.given, &self.surname, &self.address, &self.office]
                .into_iter()
                .any(|text| begins(text))
            || self.x500().eq_ignore_ascii_case(&entry)
    }

    /// `legacyExchangeDN`
    pub fn x500(&self) -> String {
        let alias = self.address.split('@').next().unwrap_or_default();
        format!("/o=Example/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={alias}")
    }

    /// `t:Mailbox`
    pub fn mailbox(&self) -> Element {
        let mut mailbox = mailbox_element(&self.display_name, &self.address);
        if let Some(kind) = mailbox.child_mut("MailboxType").filter(|_| self.is_list) {
            "PublicDL".clone_into(&mut kind.text);
        }
        mailbox
    }

    /// `t:Contact` with what the directory holds, in the order of the schema. MS-OXWSRSLNM 2.2.4.2
    pub fn contact(&self, all: bool) -> Element {
        let filled = |name, text: &str| Some(Element::of(name, text)).filter(|_| !text.is_empty());
        let entry = |key: &str, text: &str| Element::of("Entry", text).with("Key", key);
        let mut contact = Element::new("Contact")
            .push(Element::of("DisplayName", self.display_name.clone()))
            .push_some(filled("GivenName", &self.given).filter(|_| all))
            .push_some(filled("CompanyName", "Example Corp").filter(|_| all))
            .push(
                Element::new("EmailAddresses")
                    .push(entry("EmailAddress1", &format!("SMTP:{}", self.address)))
                    .push(entry("EmailAddress2", &format!("smtp:alias-{}", self.address))),
            );
        let phones = [("BusinessPhone", &self.phone), ("MobilePhone", &self.mobile)];
        let phones: Vec<Element> =
            phones.into_iter().filter(|(_, n)| all && !n.is_empty()).map(|(key, n)| entry(key, n)).collect();
        if all {
            let street = Element::new("Entry").with("Key", "Business").push(Element::of("City", "Berlin"));
            contact = contact.push(Element::new("PhysicalAddresses").push(street));
        }
        if !phones.is_empty() {
            contact = contact.push(Element::new("PhoneNumbers").push_all(phones));
        }
        contact
            .push(Element::of("ContactSource", "ActiveDirectory"))
            .push_some(filled("Department", &self.department).filter(|_| all))
            .push_some(filled("JobTitle", "Engineer").filter(|_| all))
            .push_some(filled("OfficeLocation", &self.office).filter(|_| all))
            .push_some(filled("Surname", &self.surname).filter(|_| all))
    }
}
