//! One time zone type: UTC, IANA, or custom rules.
