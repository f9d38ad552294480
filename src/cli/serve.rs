//! `exdav serve`: the gateway before an Exchange server.

use super::{ConfigOption, Failure, print_ready, stopped};
use crate::config::Config;
use crate::dav::path::attachment;
use crate::gateway::Gateway;
use crate::server;
use clap::Args;
use std::io::IsTerminal as _;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
}

/// Loads the program once more with settings that the C library reads when it is loaded: memory that one thread has
/// given back is there for the others, and goes back to the system. Left to itself, glibc keeps a heap for each
/// thread, and a first synchronisation stays resident three times. Whoever sets the variable decides.
pub(super) fn load_with_one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        use std::os::unix::process::CommandExt as _;
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new("/proc/self/exe");
        again.arg0(arguments.next().unwrap_or_else(|| "exdav".into())).args(arguments);
        // Comes back only where the program cannot be loaded again: it then runs on as it is.
        let _ = again.env("MALLOC_ARENA_MAX", "1").env("MALLOC_TRIM_THRESHOLD_", "131072").exec();
    }
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let gateway = start(config).await?;
    // Clients are served meanwhile: Exchange may come later.
    let look = tokio::spawn(gateway.look_at_exchange());
    print_ready(&format!("  gateway   {scheme}://{}/\n", gateway.address))?;
    stopped().await;
    look.abort();
    gateway.shutdown().await;
    Ok(())
}

/// Puts the rooms together.
pub(super) async fn start(config: Config) -> Result<server::Running, Failure> {
    let Config { server, ews, mirror, mut sync, gateway, convert } = config;
    sync.fill_at_sign_in = true;
    sync.bar = std::io::stderr().is_terminal();
    let gateway = Gateway::new(gateway, ews, mirror, sync, convert, attachment)?;
    gateway.take_store()?;
    Ok(server::start(server, gateway).await?)
}
