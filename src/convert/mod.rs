//! Room `convert`.
