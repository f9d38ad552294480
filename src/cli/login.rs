//! `exdav login`: a person signs in once at the identity provider, and the account keeps the refresh token.

use super::{ConfigOption, Failure, print, user};
use crate::accounts::Upstream;
use crate::upstream::ews::Exchange;
use crate::upstream::ews::auth::oauth::{Granted, Provider};
use clap::Args;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The account, as `exdav user add --login` made it
    name: String,

    #[command(flatten)]
    config: ConfigOption,

    /// Sign in with a browser on this machine instead of a code on any
    #[arg(long)]
    browser: bool,
}

/// How long the browser may take.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(600);
/// The beginning of a request in which its query stands.
const MAX_OCTETS: usize = 16 << 10;

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let accounts = user::accounts(&config)?;
    let account = accounts.find(&options.name)?;
    let account = account
        .ok_or_else(|| format!("there is no account `{0}`: exdav user add {0} --login", options.name))?;
    let exchange = Exchange::new(config.ews)?;
    let provider = exchange.provider().ok_or("`oauth.authority` is not set")?;
    let granted = if options.browser {
        with_browser(provider, &account.mailbox).await?
    } else {
        let code = provider.device_code().await?;
        print(&format!(
            "To sign in {}, open\n\n  {}\n\non any device and enter the code  {}",
            account.mailbox,
            code.verification_uri(),
            code.user_code()
        ))?;
        provider.wait(&code).await?
    };
    let token = granted
        .refresh_token()
        .ok_or("the identity provider gave no refresh token: is `offline_access` allowed?")?;
    accounts.set_upstream(&account.name, &Upstream::Tokens(Some(token.to_owned())))?;
    print(&format!("{} is signed in.", account.name))?;
    Ok(())
}

/// The browser comes back to a port of this machine. RFC 8252 7.3
async fn with_browser(provider: &Provider, login: &str) -> Result<Granted, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let redirect = format!("http://localhost:{}/", listener.local_addr()?.port());
    let browser = provider.browser(&redirect, login)?;
    print(&format!("Open in a browser on this machine:\n\n  {}", browser.url))?;
    let came = async {
        loop {
            let (stream, _) = listener.accept().await?;
            if let Some(query) = query(stream).await? {
                return Ok::<_, std::io::Error>(query);
            }
        }
    };
    let query =
        tokio::time::timeout(BROWSER_TIMEOUT, came).await.map_err(|_| "the browser did not come back")??;
    Ok(provider.redeem(browser, &query).await?)
}

/// The query of a request to `/`; others, such as that for an icon, are told that there is nothing.
async fn query(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_OCTETS {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let query = target.strip_prefix("/?").map(str::to_owned);
    let (status, text) = match query {
        Some(_) => ("200 OK", "You may close this window and go back to exdav.\n"),
        None => ("404 Not Found", "nothing here\n"),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(query)
}
