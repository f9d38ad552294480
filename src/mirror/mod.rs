//! Room `mirror`.
