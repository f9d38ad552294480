//! Room `dav`.
