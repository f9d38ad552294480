//! `exdav serve`: the gateway before an Exchange server.

use super::{Failure, print_ready, stopped};
use crate::config::{self, Config};
use crate::dav::path::attachment;
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
    let Config { server, ews, mirror, sync, gateway, convert } = config;
    let gateway = Gateway::new(gateway, ews, mirror, sync, convert, attachment)?;
    Ok(server::start(server, gateway).await?)
}
