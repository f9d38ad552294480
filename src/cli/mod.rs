//! The command line: what people type, and where the modules are put together.
//!
//! **Invariant:** only here does the program print to standard output.

mod check;
mod demo;
mod health;
mod login;
mod serve;
mod simulate;
mod user;

use crate::config::{self, Config};
use crate::simulator;
use clap::{Args, Parser, Subcommand};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Calendars, contacts and tasks of Microsoft Exchange for every CalDAV and CardDAV client.
#[derive(Debug, Parser)]
#[command(name = "exdav", version, about, max_term_width = 80, after_help = START)]
struct Command {
    /// What goes to the log: a level, or targets with levels such as `exdav=debug,warn`
    #[arg(long, global = true, env = "EXDAV_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// One JSON object per line instead of text
    #[arg(long, global = true)]
    log_json: bool,

    #[command(subcommand)]
    action: Action,
}

const START: &str = "\
Start here:
  exdav demo    a simulated Exchange and the gateway before it; prints
                what to try
  exdav serve   the gateway before your own Exchange; settings are in
                exdav.toml, /etc/exdav/exdav.toml or the environment

Point a client at http://HOST:8008/ with the user name and password of the
mailbox. The log filter can also be given as RUST_LOG.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the gateway before an Exchange server
    Serve(serve::Options),
    /// Run a simulated Exchange with a lively mailbox, and the gateway before it
    Demo(demo::Options),
    /// Run only the simulated Exchange, for tests, benchmarks and other EWS clients
    Simulate(simulate::Options),
    /// Walk the way to Exchange step by step and say what to do where it ends
    Check(check::Options),
    /// Accounts with app passwords
    User(user::Options),
    /// Sign a person in at the identity provider (OAuth), once
    Login(login::Options),
    /// Ask a running exdav whether it is well; for container health checks
    Health(health::Options),
}

/// Where the simulated Exchange listens and what is in it.
#[derive(Debug, Args)]
struct ExchangeOptions {
    /// Where the simulated Exchange answers EWS, at /EWS/Exchange.asmx
    #[arg(long, default_value = "127.0.0.1:8009", value_name = "ADDRESS")]
    exchange_listen: SocketAddr,

    /// Where its control interface answers
    #[arg(long, default_value = "127.0.0.1:8010", value_name = "ADDRESS")]
    control_listen: SocketAddr,

    /// Events in each mailbox's calendar, beside the hand-made ones
    #[arg(long, value_name = "N")]
    events: Option<usize>,

    /// Those events begin within so many days, from half a year ago on
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    days: usize,

    /// Contacts in each mailbox
    #[arg(long, value_name = "N")]
    contacts: Option<usize>,

    /// Tasks in each mailbox
    #[arg(long, value_name = "N")]
    tasks: Option<usize>,

    /// Mailboxes: demo@example.com, demo2@example.com, … all with the password `demo`
    #[arg(long, default_value_t = 2, value_name = "M")]
    mailboxes: usize,

    /// Another seed makes other contents; the same seed on the same day the same
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,

    /// The moment that its clock shows at first, such as 2028-02-29T08:00:00Z; without it: this machine's clock
    #[arg(long, value_name = "MOMENT")]
    now: Option<jiff::Timestamp>,

    /// Write every request and answer into this folder, one file each
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,

    /// Ways of signing in that it offers
    #[arg(long, value_delimiter = ',', default_value = "basic", value_name = "SCHEME,…")]
    sign_in: Vec<simulator::Scheme>,

    /// Lock an account after so many wrong passwords; 0: never
    #[arg(long, default_value_t = 0, value_name = "N")]
    lockout: u64,

    /// How much each caller may have, as that server's default policy says; finer by the control interface
    #[arg(long, default_value = "none", value_name = "POLICY")]
    throttling: simulator::Throttle,

    /// Which product it is: answers, faults and what is stored are as that product has them
    #[arg(long, default_value = "exchange2016", value_name = "PRODUCT")]
    product: simulator::Product,

    /// Serve EWS over TLS with this certificate (PEM); together with --exchange-key
    #[arg(long, requires = "exchange_key", value_name = "FILE")]
    exchange_certificate: Option<PathBuf>,

    /// The private key of the certificate (PEM)
    #[arg(long, requires = "exchange_certificate", value_name = "FILE")]
    exchange_key: Option<PathBuf>,
}

impl ExchangeOptions {
    fn settings(&self) -> simulator::Settings {
        simulator::Settings {
            exchange_listen: self.exchange_listen,
            control_listen: self.control_listen,
            mailboxes: self.mailboxes,
            events: self.events,
            days: self.days,
            contacts: self.contacts,
            tasks: self.tasks,
            seed: self.seed,
            now: self.now,
            record: self.record.clone(),
            sign_in: self.sign_in.clone(),
            lockout: self.lockout,
            tls: self.tls(),
            throttling: self.throttling,
            product: self.product,
        }
    }

    fn tls(&self) -> Option<simulator::Tls> {
        let (certificate, key) = self.exchange_certificate.clone().zip(self.exchange_key.clone())?;
        Some(simulator::Tls { certificate, key })
    }

    /// The endpoint, for clients. Certificates are made for names, not for addresses.
    fn url(&self, address: SocketAddr) -> String {
        match &self.exchange_certificate {
            Some(_) if address.ip().is_loopback() => {
                format!("https://localhost:{}/EWS/Exchange.asmx", address.port())
            }
            Some(_) => format!("https://{address}/EWS/Exchange.asmx"),
            None => format!("http://{address}/EWS/Exchange.asmx"),
        }
    }

    /// The mailboxes' names, for people.
    fn accounts(&self) -> String {
        match self.mailboxes {
            0 | 1 => "demo@example.com".to_owned(),
            2 => "demo@example.com, demo2@example.com".to_owned(),
            many => format!("demo@example.com, demo2@example.com … demo{many}@example.com"),
        }
    }
}

/// Runs the program; the exit code tells whether it went well.
pub fn run() -> std::process::ExitCode {
    let command = Command::parse();
    start_log(command.log.as_deref(), command.log_json);
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(
            |runtime| {
                runtime.block_on(async {
                    match command.action {
                        Action::Serve(options) => serve::run(options).await,
                        Action::Demo(options) => demo::run(options).await,
                        Action::Simulate(options) => simulate::run(options).await,
                        Action::Check(options) => check::run(options).await,
                        Action::User(options) => user::run(options).await,
                        Action::Login(options) => login::run(options).await,
                        Action::Health(options) => health::run(options).await,
                    }
                })
            },
        );
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                let said = inner.to_string();
                if !text.contains(&said) {
                    text = format!("{text}: {said}");
                }
                cause = inner.source();
            }
            eprintln!("exdav: {text}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// What a command fails with: printed with its causes, never matched.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn start_log(filter: Option<&str>, json: bool) {
    let asked = filter.map(str::to_owned).or_else(|| std::env::var("RUST_LOG").ok());
    let (targets, misread) = match asked.as_deref().map(str::parse::<Targets>) {
        Some(Ok(targets)) => (targets, None),
        Some(Err(error)) => (Targets::new().with_default(LevelFilter::INFO), Some(error)),
        None => (Targets::new().with_default(LevelFilter::INFO), None),
    };
    // Colours are for people, not for files and journals.
    let is_read_now = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(is_read_now).with_writer(std::io::stderr);
    let log = tracing_subscriber::registry().with(targets);
    if json {
        log.with(lines.json()).init();
    } else {
        log.with(lines).init();
    }
    if let Some(error) = misread {
        tracing::warn!(%error, "the log filter cannot be read: the level is info");
    }
}

/// The settings, from the file that is named or found and from the environment.
#[derive(Clone, Debug, Args)]
struct ConfigOption {
    /// The configuration; without it exdav.toml, then /etc/exdav/exdav.toml, then the environment alone
    #[arg(long, env = "EXDAV_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl ConfigOption {
    fn load(&self) -> Result<Config, config::Error> {
        config::load(self.config.as_deref(), std::env::vars())
    }
}

/// A password: asked for without echo at a terminal, else the first line of standard input.
fn password(prompt: &str) -> Result<String, Failure> {
    let line = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{prompt}: "))?
    } else {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if line.is_empty() { Err("no password was given".into()) } else { Ok(line) }
}

/// One line for people and scripts.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Tells people and scripts that all is up: the text, and a line that begins with `ready`.
fn print_ready(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}\nready: stop with Ctrl-C")?;
    out.flush()
}

/// Completes on SIGINT or SIGTERM.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
