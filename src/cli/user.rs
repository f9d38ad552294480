//! `exdav user …`: accounts of exdav's own and their app passwords.

use super::{Failure, print};
use crate::accounts::{Accounts, Upstream};
use crate::config;
use clap::{Args, Subcommand};
use std::io::Read as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration; `accounts.path` in it names the file of accounts
    #[arg(long, env = "EXDAV_CONFIG", value_name = "FILE", global = true, default_value = "exdav.toml")]
    config: PathBuf,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an account and its first app password
    Add {
        /// The sign-in name, usually the mailbox's address
        name: String,
        /// The mailbox's SMTP address, if it is not the name
        #[arg(long, value_name = "ADDRESS")]
        mailbox: Option<String>,
        /// The mailbox's own sign-in name at Exchange; its password is read from standard input and sealed
        #[arg(long, value_name = "NAME", conflicts_with = "login")]
        exchange_user: Option<String>,
        /// The mailbox is reached by tokens: `exdav login` comes next
        #[arg(long)]
        login: bool,
        /// What the app password is for
        #[arg(long, default_value = "first", value_name = "LABEL")]
        label: String,
    },
    /// Make another app password
    Password {
        /// The account
        name: String,
        /// What it is for, such as `phone`
        #[arg(long, value_name = "LABEL")]
        label: String,
    },
    /// Take an app password back; with no label, remove the account
    Remove {
        /// The account
        name: String,
        /// The app password
        #[arg(long, value_name = "LABEL")]
        label: Option<String>,
    },
    /// Show all accounts; secrets are not shown
    List,
}

/// The accounts of a configuration.
pub(super) fn accounts(config: &config::Config) -> Result<Accounts, Failure> {
    let found = Accounts::open(&config.gateway.accounts)?;
    found.ok_or_else(|| "`accounts.path` is not set: put `path = \"accounts.json\"` under [accounts]".into())
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    let config = config::load(&options.config, std::env::vars())?;
    let accounts = accounts(&config)?;
    match options.action {
        Action::Add { name, mailbox, exchange_user, login, label } => {
            let upstream = match exchange_user {
                Some(login) => Upstream::Password { login, password: secret()? },
                None if login => Upstream::Tokens(None),
                None => Upstream::Service,
            };
            let mailbox = mailbox.unwrap_or_else(|| name.clone());
            if !mailbox.contains('@') {
                return Err(format!("`{mailbox}` is no SMTP address; give it by --mailbox").into());
            }
            accounts.add(&name, &mailbox, &upstream)?;
            let password = accounts.add_password(&name, &label)?;
            print(&password)?;
            eprintln!("The app password of {name}; it is not shown again.");
            if login {
                eprintln!("Next: exdav login {name}");
            }
        }
        Action::Password { name, label } => {
            print(&accounts.add_password(&name, &label)?)?;
            eprintln!("The app password of {name}; it is not shown again.");
        }
        Action::Remove { name, label: Some(label) } => accounts.remove_password(&name, &label)?,
        Action::Remove { name, label: None } => accounts.remove(&name)?,
        Action::List => {
            for listed in accounts.list()? {
                let account = listed.account;
                let passwords = listed.passwords.join(", ");
                print(&format!(
                    "{}\t{}\t{:?}\t{passwords}",
                    account.name, account.mailbox, account.upstream
                ))?;
            }
        }
    }
    Ok(())
}

/// The first line of standard input.
fn secret() -> Result<String, Failure> {
    eprintln!("Password at Exchange, then Enter and Ctrl-D:");
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    if line.is_empty() { Err("no password came on standard input".into()) } else { Ok(line) }
}
