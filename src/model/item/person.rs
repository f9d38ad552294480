//! Somebody whom the directory knows.

use super::{Item, Mailbox};

/// An entry of the directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Name and address.
    pub mailbox: Mailbox,
    /// What the directory tells of them, in the form of a contact that lies in no folder: its id is the address.
    pub contact: Item,
    /// The octets of a picture.
    pub photo: Option<Vec<u8>>,
}

impl Person {
    /// All SMTP addresses that the directory tells, the primary one first.
    pub fn addresses(&self) -> Vec<String> {
        self.contact.emails().into_iter().map(|(_, address)| address).collect()
    }
}
