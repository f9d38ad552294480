//! `exdav user …`: accounts of exdav's own and their app passwords.

use super::{ConfigOption, Failure, password, print};
use crate::accounts::{Account, Accounts, Upstream};
use crate::config::Config;
use crate::gateway;
use crate::upstream::ews::Exchange;
use crate::upstream::{FolderSelector, WellKnownFolder};
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,

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
        /// The mailbox's own sign-in name at Exchange; its password is asked for, or read from standard input, and sealed
        #[arg(long, value_name = "NAME", conflicts_with = "login")]
        exchange_user: Option<String>,
        /// The mailbox is reached by tokens: `exdav login` comes next
        #[arg(long)]
        login: bool,
        /// What the app password is for
        #[arg(long, default_value = "first", value_name = "LABEL")]
        label: String,
        /// Make it even if its mailbox cannot be reached now
        #[arg(long)]
        unchecked: bool,
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
pub(super) fn accounts(config: &Config) -> Result<Accounts, Failure> {
    let found = Accounts::open(&config.gateway.accounts)?;
    found.ok_or_else(|| "`accounts.path` is not set: put `path = \"accounts.json\"` under [accounts]".into())
}

/// How long Exchange may take to show the mailbox.
const MAX_LOOK: Duration = Duration::from_secs(20);

/// Whether the account reaches its mailbox. One that is signed in later cannot be tried before.
async fn reach(config: Config, accounts: &Accounts, account: &Account) -> Result<(), Failure> {
    if account.upstream == Upstream::Tokens(None) {
        return Ok(());
    }
    let exchange = Exchange::new(config.ews)?;
    let credentials = exchange.credentials(&gateway::access(accounts, account))?;
    let session = exchange.session(credentials).giving_up_at_once();
    let calendar = [FolderSelector::WellKnown(WellKnownFolder::Calendar)];
    let found = tokio::time::timeout(MAX_LOOK, session.get_folders(&calendar)).await;
    found.map_err(|_| "Exchange does not answer")??.pop().ok_or("Exchange shows no calendar")??;
    Ok(())
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let accounts = accounts(&config)?;
    match options.action {
        Action::Add { name, mailbox, exchange_user, login, label, unchecked } => {
            let upstream = match exchange_user {
                Some(login) => {
                    let password = password(&format!("Password of {login} at Exchange"))?;
                    Upstream::Password { login, password }
                }
                None if login => Upstream::Tokens(None),
                None => Upstream::Service,
            };
            let mailbox = mailbox.unwrap_or_else(|| name.clone());
            if !mailbox.contains('@') {
                return Err(format!("`{mailbox}` is no SMTP address; give it by --mailbox").into());
            }
            let account =
                Account { name: name.clone(), mailbox: mailbox.clone(), upstream: upstream.clone() };
            if !unchecked {
                let reached = reach(config, &accounts, &account).await;
                reached.map_err(|error| {
                    format!("{name} does not reach {mailbox}: {error}; nothing was made (--unchecked makes it all the same)")
                })?;
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
