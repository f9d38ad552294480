//! Where contacts live and work.

use crate::xml::Element;

/// An entry of PhysicalAddresses. MS-OXWSCONT 3.1.4.1.2
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// May hold several lines.
    pub street: String,
    /// Town.
    pub city: String,
    /// State or province.
    pub state: String,
    /// `CountryOrRegion`
    pub country: String,
    /// Postal code.
    pub postal_code: String,
}

impl Address {
    pub(super) fn read(entry: &Element) -> Self {
        let text = |local| entry.find(local).map(|e| e.text().trim().to_owned()).unwrap_or_default();
        Self {
            street: text("Street"),
            city: text("City"),
            state: text("State"),
            country: text("CountryOrRegion"),
            postal_code: text("PostalCode"),
        }
    }
}
