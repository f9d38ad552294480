//! WebDAV and its relatives.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "DAV:";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// RFC 4918 14
pub(in crate::dav) static ALLPROP: Name = name("allprop");
pub(in crate::dav) static COLLECTION: Name = name("collection");
pub(in crate::dav) static ERROR: Name = name("error");
pub(in crate::dav) static HREF: Name = name("href");
pub(in crate::dav) static INCLUDE: Name = name("include");
pub(in crate::dav) static MULTISTATUS: Name = name("multistatus");
pub(in crate::dav) static PROP: Name = name("prop");
pub(in crate::dav) static PROPFIND: Name = name("propfind");
pub(in crate::dav) static PROPNAME: Name = name("propname");
pub(in crate::dav) static PROPSTAT: Name = name("propstat");
pub(in crate::dav) static RESPONSE: Name = name("response");
pub(in crate::dav) static RESPONSEDESCRIPTION: Name = name("responsedescription");
pub(in crate::dav) static STATUS: Name = name("status");

// RFC 4918 15
pub(in crate::dav) static DISPLAYNAME: Name = name("displayname");
pub(in crate::dav) static GETCONTENTLENGTH: Name = name("getcontentlength");
pub(in crate::dav) static GETCONTENTTYPE: Name = name("getcontenttype");
pub(in crate::dav) static GETETAG: Name = name("getetag");
pub(in crate::dav) static GETLASTMODIFIED: Name = name("getlastmodified");
pub(in crate::dav) static RESOURCETYPE: Name = name("resourcetype");

// RFC 3744 4, 5
pub(in crate::dav) static ACE: Name = name("ace");
pub(in crate::dav) static ACL: Name = name("acl");
pub(in crate::dav) static ACL_RESTRICTIONS: Name = name("acl-restrictions");
pub(in crate::dav) static ALL: Name = name("all");
pub(in crate::dav) static ALTERNATE_URI_SET: Name = name("alternate-URI-set");
pub(in crate::dav) static CURRENT_USER_PRIVILEGE_SET: Name = name("current-user-privilege-set");
pub(in crate::dav) static DESCRIPTION: Name = name("description");
pub(in crate::dav) static GRANT_ONLY: Name = name("grant-only");
pub(in crate::dav) static GRANT: Name = name("grant");
pub(in crate::dav) static GROUP_MEMBERSHIP: Name = name("group-membership");
pub(in crate::dav) static INHERITED_ACL_SET: Name = name("inherited-acl-set");
pub(in crate::dav) static NO_INVERT: Name = name("no-invert");
pub(in crate::dav) static OWNER: Name = name("owner");
pub(in crate::dav) static PRINCIPAL: Name = name("principal");
pub(in crate::dav) static PRINCIPAL_COLLECTION_SET: Name = name("principal-collection-set");
pub(in crate::dav) static PRINCIPAL_URL: Name = name("principal-URL");
pub(in crate::dav) static PRIVILEGE: Name = name("privilege");
pub(in crate::dav) static PROTECTED: Name = name("protected");
pub(in crate::dav) static SUPPORTED_PRIVILEGE: Name = name("supported-privilege");
pub(in crate::dav) static SUPPORTED_PRIVILEGE_SET: Name = name("supported-privilege-set");

// RFC 3744 3
pub(in crate::dav) static BIND: Name = name("bind");
pub(in crate::dav) static READ: Name = name("read");
pub(in crate::dav) static READ_CURRENT_USER_PRIVILEGE_SET: Name = name("read-current-user-privilege-set");
pub(in crate::dav) static UNBIND: Name = name("unbind");
pub(in crate::dav) static WRITE: Name = name("write");
pub(in crate::dav) static WRITE_CONTENT: Name = name("write-content");
pub(in crate::dav) static WRITE_PROPERTIES: Name = name("write-properties");

// RFC 3744 9
pub(in crate::dav) static ACL_PRINCIPAL_PROP_SET: Name = name("acl-principal-prop-set");
pub(in crate::dav) static APPLY_TO_PRINCIPAL_COLLECTION_SET: Name = name("apply-to-principal-collection-set");
pub(in crate::dav) static MATCH: Name = name("match");
pub(in crate::dav) static PRINCIPAL_MATCH: Name = name("principal-match");
pub(in crate::dav) static PRINCIPAL_PROPERTY: Name = name("principal-property");
pub(in crate::dav) static PRINCIPAL_PROPERTY_SEARCH: Name = name("principal-property-search");
pub(in crate::dav) static PRINCIPAL_SEARCH_PROPERTY: Name = name("principal-search-property");
pub(in crate::dav) static PRINCIPAL_SEARCH_PROPERTY_SET: Name = name("principal-search-property-set");
pub(in crate::dav) static PROPERTY_SEARCH: Name = name("property-search");

// RFC 3253 3
pub(in crate::dav) static EXPAND_PROPERTY: Name = name("expand-property");
pub(in crate::dav) static PROPERTY: Name = name("property");
pub(in crate::dav) static REPORT: Name = name("report");
pub(in crate::dav) static SUPPORTED_REPORT: Name = name("supported-report");
pub(in crate::dav) static SUPPORTED_REPORT_SET: Name = name("supported-report-set");

// RFC 5397 3
pub(in crate::dav) static CURRENT_USER_PRINCIPAL: Name = name("current-user-principal");

// RFC 6578 6
pub(in crate::dav) static LIMIT: Name = name("limit");
pub(in crate::dav) static NRESULTS: Name = name("nresults");
pub(in crate::dav) static SYNC_COLLECTION: Name = name("sync-collection");
pub(in crate::dav) static SYNC_LEVEL: Name = name("sync-level");
pub(in crate::dav) static SYNC_TOKEN: Name = name("sync-token");

// RFC 5689 5

// Preconditions: RFC 4918 16, RFC 3744 7, RFC 3253 3.6, RFC 6578 3.2
pub(in crate::dav) static NEED_PRIVILEGES: Name = name("need-privileges");
pub(in crate::dav) static NUMBER_OF_MATCHES_WITHIN_LIMITS: Name = name("number-of-matches-within-limits");
pub(in crate::dav) static PROPFIND_FINITE_DEPTH: Name = name("propfind-finite-depth");
pub(in crate::dav) static VALID_SYNC_TOKEN: Name = name("valid-sync-token");

// Writing: RFC 4918 9, RFC 4331 6, RFC 5689 3
pub(in crate::dav) static QUOTA_NOT_EXCEEDED: Name = name("quota-not-exceeded");
pub(in crate::dav) static RESOURCE_MUST_BE_NULL: Name = name("resource-must-be-null");
pub(in crate::dav) static VALID_RESOURCETYPE: Name = name("valid-resourcetype");

// RFC 4918 9.2, RFC 5689 3
pub(in crate::dav) static CANNOT_MODIFY_PROTECTED_PROPERTY: Name = name("cannot-modify-protected-property");
pub(in crate::dav) static MKCOL: Name = name("mkcol");
pub(in crate::dav) static PROPERTYUPDATE: Name = name("propertyupdate");
pub(in crate::dav) static REMOVE: Name = name("remove");
pub(in crate::dav) static SET: Name = name("set");
