//! `exdav serve`: the gateway before an Exchange server.

use super::{Failure, print_ready, stopped};
use crate::config::{self, Config};
use crate::gateway::Gateway;
use crate::server;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration; fixtures/exdav.example.toml has every key
    #[arg(long, env = "EXDAV_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let config = config::load(&options.config, std::env::vars())?;
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let gateway = start(config).await?;
    print_ready(&format!("  gateway   {scheme}://{}/\n", gateway.address))?;
    stopped().await;
    gateway.shutdown().await;
    Ok(())
}

/// Puts the rooms together.
pub(super) async fn start(config: Config) -> Result<server::Running, Failure> {
    let gateway = Gateway::new(config.gateway, config.ews, config.mirror, config.sync, config.convert)?;
    Ok(server::start(config.server, gateway).await?)
}
