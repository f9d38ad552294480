//! Where events take place, and where contacts live and work.

/// A place with what is known of it beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: Option<String>,
    /// Degrees north.
    pub latitude: Option<String>,
    /// Degrees east.
    pub longitude: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
}

/// A postal address of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// May hold several lines.
    pub street: String,
    /// Town.
    pub city: String,
    /// State or province.
    pub state: String,
    /// Country.
    pub country: String,
    /// Postal code.
    pub postal_code: String,
}
