//! Room `xml`.
