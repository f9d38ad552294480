//! exdav

fn main() -> std::process::ExitCode {
    exdav::cli::run()
}
