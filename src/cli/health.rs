//! `exdav health`: one GET, for container health checks that have no curl.

use super::Failure;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The health address of a running exdav
    #[arg(default_value = "http://127.0.0.1:8008/healthz")]
    url: String,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    // The client wants one, even where it speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(4)).no_proxy().build()?;
    client.get(&options.url).send().await?.error_for_status()?;
    Ok(())
}
