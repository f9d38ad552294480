//! `exdav serve`: the gateway before an Exchange server.

use super::{ConfigOption, Failure, print_ready, stopped};
use crate::config::Config;
use crate::dav::path::attachment;
use crate::gateway::Gateway;
use crate::server;
use crate::upstream::ews::Exchange;
use clap::Args;
use std::io::IsTerminal as _;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let gateway = start(config).await?;
    // Clients are served meanwhile: Exchange may come later.
    let look = tokio::spawn(gateway.look_at_upstream());
    print_ready(&format!("  gateway   {scheme}://{}/\n", gateway.address))?;
    stopped().await;
    look.abort();
    gateway.shutdown().await;
    Ok(())
}

/// Puts the modules together.
pub(super) async fn start(config: Config) -> Result<server::Running, Failure> {
    let Config { server, mut ews, mirror, mut sync, gateway, convert } = config;
    sync.fill_at_sign_in = true;
    sync.bar = std::io::stderr().is_terminal();
    ews.autodiscover.book.get_or_insert_with(|| mirror.path.join("autodiscover.json"));
    let upstream = Arc::new(Exchange::new(ews)?);
    let gateway = Gateway::new(gateway, upstream, mirror, sync, convert, attachment)?;
    gateway.take_store()?;
    Ok(server::start(server, gateway).await?)
}
