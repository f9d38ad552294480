//! Hands the linker the list of what runs until the first answer, see `link/start.ld`.

#![allow(clippy::print_stdout, reason = "this is how cargo is told")]

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=link/start.ld");
    let is = |name, value| var(name).is_ok_and(|found| found == value);
    // GNU's linker and LLVM's read it, and one of these is what Rust takes by itself; whoever chose another goes without.
    let is_chosen = var("RUSTC_LINKER").is_ok()
        || var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") && !is_chosen {
        let here = var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bins=-T{here}/link/start.ld");
    }
}
