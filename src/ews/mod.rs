//! Room `ews`.
