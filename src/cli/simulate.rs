//! `exdav simulate`: the simulated Exchange alone.

use super::{ExchangeOptions, Failure, print_ready, stopped};
use crate::simulator::{self, CONTROL_HELP};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_long_help = CONTROL_HELP)]
pub(super) struct Options {
    #[command(flatten)]
    exchange: ExchangeOptions,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let exchange = simulator::start(options.exchange.settings()).await?;
    print_ready(&format!(
        "A simulated Exchange. Mailboxes: {}; the password is `demo`.\n\n  \
         exchange  {}\n  control   http://{}\n",
        options.exchange.accounts(),
        options.exchange.url(exchange.exchange),
        exchange.control,
    ))?;
    stopped().await;
    exchange.shutdown().await;
    Ok(())
}
