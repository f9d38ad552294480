//! exdav
fn main() {}
