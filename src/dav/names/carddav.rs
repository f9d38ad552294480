//! CardDAV.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "urn:ietf:params:xml:ns:carddav";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// RFC 6352 5.2, 6.2, 7.1
pub(in crate::dav) static ADDRESS_DATA_TYPE: Name = name("address-data-type");
pub(in crate::dav) static ADDRESSBOOK: Name = name("addressbook");
pub(in crate::dav) static ADDRESSBOOK_DESCRIPTION: Name = name("addressbook-description");
pub(in crate::dav) static ADDRESSBOOK_HOME_SET: Name = name("addressbook-home-set");
// Seen: Apple's Contacts
pub(in crate::dav) static MAX_IMAGE_SIZE: Name = name("max-image-size");
pub(in crate::dav) static MAX_RESOURCE_SIZE: Name = name("max-resource-size");
pub(in crate::dav) static SUPPORTED_ADDRESS_DATA: Name = name("supported-address-data");
pub(in crate::dav) static SUPPORTED_COLLATION: Name = name("supported-collation");
pub(in crate::dav) static SUPPORTED_COLLATION_SET: Name = name("supported-collation-set");

// draft-daboo-carddav-directory-gateway-02 3, 4
pub(in crate::dav) static DIRECTORY: Name = name("directory");
pub(in crate::dav) static DIRECTORY_GATEWAY: Name = name("directory-gateway");

// RFC 6352 10
pub(in crate::dav) static ADDRESS_DATA: Name = name("address-data");
pub(in crate::dav) static ADDRESSBOOK_MULTIGET: Name = name("addressbook-multiget");
pub(in crate::dav) static ADDRESSBOOK_QUERY: Name = name("addressbook-query");
pub(in crate::dav) static ALLPROP: Name = name("allprop");
pub(in crate::dav) static SUPPORTED_FILTER: Name = name("supported-filter");
pub(in crate::dav) static FILTER: Name = name("filter");
pub(in crate::dav) static IS_NOT_DEFINED: Name = name("is-not-defined");
pub(in crate::dav) static LIMIT: Name = name("limit");
pub(in crate::dav) static NRESULTS: Name = name("nresults");
pub(in crate::dav) static PARAM_FILTER: Name = name("param-filter");
pub(in crate::dav) static PROP: Name = name("prop");
pub(in crate::dav) static PROP_FILTER: Name = name("prop-filter");
pub(in crate::dav) static TEXT_MATCH: Name = name("text-match");

// Preconditions of writing: RFC 6352 6.3
pub(in crate::dav) static NO_UID_CONFLICT: Name = name("no-uid-conflict");
pub(in crate::dav) static ADDRESSBOOK_COLLECTION_LOCATION_OK: Name =
    name("addressbook-collection-location-ok");
pub(in crate::dav) static VALID_ADDRESS_DATA: Name = name("valid-address-data");
