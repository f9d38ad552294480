//! `exdav demo`: the simulated Exchange and the gateway before it, put together as `serve` does it.

use super::{ExchangeOptions, Failure, print_ready, serve, stopped};
use crate::config::Config;
use crate::dav::path::{calendar_home, default_address_book, default_calendar};
use crate::simulator::{self, CONTROL_HELP};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_long_help = CONTROL_HELP)]
pub(super) struct Options {
    /// Where CalDAV and CardDAV clients connect
    #[arg(long, default_value = "127.0.0.1:8008", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Keep the mirror in this folder; without it, it vanishes with the demo
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    #[command(flatten)]
    exchange: ExchangeOptions,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let exchange = simulator::start(options.exchange.settings()).await?;
    let passing = if options.store.is_none() { Some(Passing::create()?) } else { None };
    let mut config = Config::default();
    config.server.listen = settled(options.listen)?;
    config.gateway.public_url = format!("http://{}", config.server.listen);
    config.ews.url = options.exchange.url(exchange.exchange);
    config.ews.network.authorities.extend(options.exchange.exchange_certificate.clone());
    if let Some(folder) = options.store.or_else(|| passing.as_ref().map(|p| p.0.clone())) {
        config.mirror.path = folder;
    }
    let gateway = serve::start(config).await?;
    let url = format!("http://{}", gateway.address);
    let curl = "curl -su demo@example.com:demo";
    let user = "demo@example.com";
    let (calendar, contacts) = (default_calendar(user), default_address_book(user));
    let home = calendar_home(user);
    print_ready(&format!(
        "A simulated Exchange with a lively mailbox, and exdav before it.\n\n  \
         gateway   {url}/\n  exchange  {}\n  control   http://{}\n  \
         user      demo@example.com   (mailboxes: {})\n  password  demo\n\n\
         Point a calendar or contacts client at the gateway, or try:\n\n  \
         # everything in the calendar, as one file\n  \
         {curl} {url}{calendar}\n  \
         # the calendars and task lists\n  \
         {curl} -X PROPFIND -H 'Depth: 1' {url}{home}\n  \
         # all contacts, as vCards\n  \
         {curl} {url}{contacts}\n",
        options.exchange.url(exchange.exchange),
        exchange.control,
        options.exchange.accounts(),
    ))?;
    stopped().await;
    gateway.shutdown().await;
    exchange.shutdown().await;
    Ok(())
}

/// Links are made before the gateway listens, so a free port is chosen first.
fn settled(listen: SocketAddr) -> std::io::Result<SocketAddr> {
    if listen.port() == 0 { std::net::TcpListener::bind(listen)?.local_addr() } else { Ok(listen) }
}

/// A folder for the time of the demo.
struct Passing(PathBuf);

impl Passing {
    fn create() -> std::io::Result<Passing> {
        let folder = std::env::temp_dir().join(format!("exdav-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Passing(folder))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // What is left behind is a mirror of invented data in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
