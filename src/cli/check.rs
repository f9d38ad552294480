//! `exdav check`: the way to Exchange step by step, each with what was found, and what to do where it ends.

use super::{ConfigOption, Failure, password, print};
use crate::accounts::Accounts;
use crate::config::Config;
use crate::gateway;
use crate::upstream::ews::auth::{Choice, Scheme};
use crate::upstream::ews::autodiscover::Step;
use crate::upstream::ews::{
    Abilities, ConcurrencyProbe, Credentials, Error, Exchange, Product, ServerVersion,
};
use crate::upstream::{FolderSelector, WellKnownFolder};
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,

    /// Sign in as this user too: an account of exdav's, or a mailbox whose password comes on standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Steps are padded to this width.
const WIDTH: usize = 11;
const FOLDERS: [(&str, WellKnownFolder); 3] = [
    ("calendar", WellKnownFolder::Calendar),
    ("contacts", WellKnownFolder::Contacts),
    ("tasks", WellKnownFolder::Tasks),
];

/// A step that failed, and what to do.
struct Stop {
    what: String,
    advice: String,
}

fn found(step: &str, text: &str) -> Result<(), Failure> {
    Ok(print(&format!("ok    {step:WIDTH$} {text}"))?)
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let mut config = options.config.load()?;
    // Who checks wants to see the first answer, not the last.
    config.ews.patience = Duration::ZERO;
    let mut step = "settings";
    match walk(&config, options.user.as_deref(), &mut step).await? {
        Ok(()) => Ok(()),
        Err(Stop { what, advice }) => {
            print(&format!("FAIL  {step:WIDTH$} {what}\n      {:WIDTH$} → {advice}", ""))?;
            Err(format!("the way to Exchange ends at: {step}").into())
        }
    }
}

async fn walk(
    config: &Config,
    user: Option<&str>,
    step: &mut &'static str,
) -> Result<Result<(), Stop>, Failure> {
    /// Goes on with what a step gave, or ends the walk.
    macro_rules! go {
        ($name:literal, $outcome:expr) => {{
            *step = $name;
            match $outcome {
                Ok(value) => value,
                Err(error) => return Ok(Err(stop(&error, config))),
            }
        }};
    }
    let exchange = go!("settings", Exchange::new(config.ews.clone()));
    found("settings", exchange.name())?;
    *step = "account";
    let mut known = None;
    let endpoint = if config.ews.url.is_empty() {
        let Some(user) = user else {
            print("      give --user NAME to go on: Autodiscover starts from a mailbox")?;
            return Ok(Ok(()));
        };
        let credentials = credentials(config, &exchange, user)?;
        let (steps, outcome) = exchange.discover(&credentials).await;
        known = Some(credentials);
        for Step { place, outcome, has_led_on } in steps {
            let mark = if has_led_on { "ok" } else { "--" };
            print(&format!("{mark:5} {:WIDTH$} {place}: {outcome}", "discovery"))?;
        }
        go!("discovery", outcome)
    } else {
        *step = "settings";
        go!("settings", reqwest::Url::parse(exchange.name()).map_err(|e| Error::Settings(e.to_string())))
    };
    *step = "address";
    let proxy = &config.ews.network.proxy;
    // With this kind alone names are looked up here.
    let is_left = !proxy.is_empty() && !proxy.starts_with("socks5://");
    let listed = if is_left { None } else { addresses(&endpoint).await };
    match listed {
        Some(listed) if !listed.is_empty() => found("address", &listed)?,
        // A proxy may know names that this machine does not.
        _ if !proxy.is_empty() => found("address", "left to the proxy")?,
        _ => {
            let what = format!("the name in {endpoint} has no address");
            let advice = "is the name in exchange.url right, and does this machine's DNS know it?".to_owned();
            return Ok(Err(Stop { what, advice }));
        }
    }
    let offered = go!("connection", exchange.offered(&endpoint).await);
    let secured =
        if endpoint.scheme() == "https" { "TLS, the certificate is trusted" } else { "without TLS" };
    found("connection", secured)?;
    *step = "schemes";
    let words: Vec<String> = offered.iter().map(ToString::to_string).collect();
    let taken = match config.ews.sign_in {
        Choice::Only(scheme) => format!("{scheme}, as exchange.sign_in says"),
        Choice::Auto => {
            Scheme::preferred(&offered).map_or_else(|| "none for passwords".to_owned(), |s| s.to_string())
        }
    };
    found(
        "schemes",
        &format!(
            "offered: {}; taken: {taken}",
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        ),
    )?;
    let Some(user) = user else {
        print("      give --user NAME to go on: signing in, folders, rights")?;
        return Ok(Ok(()));
    };
    *step = "account";
    let credentials = match known {
        Some(credentials) => credentials,
        None => credentials(config, &exchange, user)?,
    };
    let session = exchange.session(credentials);
    let folders = go!(
        "sign-in",
        session.get_folders(&FOLDERS.map(|(_, which)| FolderSelector::WellKnown(which))).await
    );
    found("sign-in", &format!("Exchange accepts {user}"))?;
    *step = "version";
    let version = session.server_version().cloned().unwrap_or_default();
    found("version", &named(&version, &config.ews.version))?;
    for ((name, _), folder) in FOLDERS.into_iter().zip(folders) {
        let folder = go!("folders", folder);
        let [create, modify, delete, read] = folder.rights;
        let rights = [("read", read), ("create", create), ("change", modify), ("delete", delete)];
        let rights: Vec<&str> = rights.into_iter().filter(|(_, has)| *has).map(|(word, _)| word).collect();
        found("folders", &format!("{name}: “{}”, may {}", folder.display_name, rights.join(", ")))?;
    }
    let product = Product::of(&version);
    *step = "time zones";
    match session.count_time_zones().await {
        Ok(zones) => found("time zones", &format!("{zones} known to the server"))?,
        // grommunio answers with a fault without a code of Exchange's.
        Err(Error::Response { .. } | Error::Unsupported { .. } | Error::Http { .. }) => {
            found("time zones", "the server has no list; exdav's own is used")?;
        }
        Err(error) => return Ok(Err(stop(&error, config))),
    }
    found("features", &features(&product.abilities()))?;
    for consequence in crate::upstream::ews::consequences(&product.capabilities()) {
        print(&format!("note  {:WIDTH$} {consequence}", "writes"))?;
    }
    let crowd = go!("limits", session.crowd().await);
    limits(&crowd, &product.abilities(), session.concurrency())?;
    Ok(Ok(()))
}

/// All addresses of the host, in the resolver's order.
async fn addresses(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let found = tokio::net::lookup_host((host.as_str(), url.port_or_known_default()?)).await.ok()?;
    let mut listed: Vec<String> = Vec::new();
    for address in found.map(|address| address.ip().to_string()) {
        if !listed.contains(&address) {
            listed.push(address);
        }
    }
    Some(format!("{host}: {}", listed.join(", ")))
}

/// An account's, or those of a mailbox with the password from standard input.
fn credentials(config: &Config, exchange: &Exchange, user: &str) -> Result<Credentials, Failure> {
    if let Some(accounts) = Accounts::open(&config.gateway.accounts)?
        && let Some(account) = accounts.find(user)?
    {
        return Ok(exchange.credentials(&gateway::access(&accounts, &account))?);
    }
    let password = password(&format!("Password of {user} at Exchange"))?;
    Ok(Credentials::password(user, &password))
}

/// The product and its version.
fn named(version: &ServerVersion, asked: &str) -> String {
    let product = Product::of(version);
    let advice = match product {
        _ if *version == ServerVersion { server: version.server.clone(), ..ServerVersion::default() } => {
            return "the server does not tell".to_owned();
        }
        Product::Exchange2007 => ", which is too old",
        Product::Exchange2010 if asked != "Exchange2010_SP2" => {
            "; set exchange.version = \"Exchange2010_SP2\""
        }
        _ => "",
    };
    let ((major, minor), (build, revision)) = (version.release, version.build);
    let name = product.abilities().name;
    format!("{name}{advice} ({major}.{minor}.{build}.{revision}, schema {})", version.schema)
}

fn features(abilities: &Abilities) -> String {
    match (abilities.can, abilities.cannot) {
        ([], []) => {
            "nothing is known of this kind of server: what it does not take is told in the log".to_owned()
        }
        (can, []) => can.join(", "),
        (can, cannot) => format!("{}; not: {}", can.join(", "), cannot.join(", ")),
    }
}

/// The throttling policy, as far as a few requests at once show it: it cannot be read.
fn limits(crowd: &ConcurrencyProbe, abilities: &Abilities, at_once: usize) -> Result<(), Failure> {
    let ConcurrencyProbe { served, crowded, busy, back_off } = *crowd;
    let (what, advice) = if crowded > 0 {
        (
            format!("of {at_once} requests at once {crowded} were too many (EWSMaxConcurrency)"),
            format!(
                "set exchange.concurrency = {}, or give the user a throttling policy with more",
                served.max(1)
            ),
        )
    } else if busy > 0 {
        let quiet = back_off
            .map_or_else(String::new, |wait| format!(", which asks for {} ms of quiet", wait.as_millis()));
        (
            format!("of {at_once} requests at once {busy} were refused by a busy Exchange{quiet}"),
            "wait a few minutes; if it stays, the user's budget (EwsRechargeRate, EwsCutoffBalance) is too small".to_owned(),
        )
    } else {
        let usual = match (abilities.requests, abilities.streams) {
            (Some(requests), Some(streams)) => {
                format!("; {} allows {requests} by default, and {streams} streams", abilities.name)
            }
            _ => String::new(),
        };
        return found(
            "limits",
            &format!("{at_once} requests at once are taken (exchange.concurrency){usual}"),
        );
    };
    Ok(print(&format!("note  {:WIDTH$} {what}\n      {:WIDTH$} → {advice}", "limits", ""))?)
}

/// What to do about each failure.
fn stop(error: &Error, config: &Config) -> Stop {
    let advice = match error {
        Error::Unreachable(_) | Error::Lost(_) if config.ews.network.proxy.is_empty() => {
            "is the host in exchange.url right, is it running, and does a firewall or a proxy (exchange.proxy) stand between?"
        }
        Error::Unreachable(_) | Error::Lost(_) => {
            "does the proxy in exchange.proxy let exdav through to Exchange?"
        }
        Error::Certificate(_) => {
            "put the authority that issued it into a PEM file and name that in exchange.ca, or pin the certificate by \
             exchange.pin; if it is for another name, use that name in exchange.url"
        }
        Error::SignIn => {
            "try name and password in Outlook on the web, spelled user@domain and DOMAIN\\user; is the account locked? With \
             NTLM, nothing that ends TLS may stand between exdav and Exchange (Extended Protection)"
        }
        Error::Forbidden => {
            "EWS is switched off for this user or for exdav: Set-CASMailbox -EwsEnabled $true; Set-OrganizationConfig \
             -EwsApplicationAccessPolicy may want exchange.user_agent on its list"
        }
        Error::Busy { .. } => {
            "Exchange throttles: wait a few minutes; if it stays, give the user a throttling policy with higher Ews limits or \
             lower exchange.concurrency"
        }
        Error::Scheme(_) | Error::NoScheme => "set exchange.sign_in to what is offered, or set [oauth] up",
        Error::Kept(_) => {
            "give the service account's new password in exchange.service_password, or that of the account"
        }
        Error::Consent(_) => "run exdav login for this account",
        Error::Undiscovered(_) => {
            "the lines above tell what each place said: does the domain in exchange.domain have a host autodiscover.DOMAIN \
             in this machine's DNS, and does a firewall let exdav reach it? If not, set exchange.url"
        }
        Error::Settings(_) => "mend the settings",
        Error::Http { status: 404, .. } => "there is no EWS at this path; it usually is /EWS/Exchange.asmx",
        Error::Http { .. } | Error::Answer(_) => {
            "is exchange.url that of EWS, and not of a web page or a proxy's login?"
        }
        Error::Unsupported { .. } => "exdav does without it where it can; see the line “features”",
        Error::Response { code, .. } | Error::Fault { code, .. } => match code.as_str() {
            "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" | "ErrorImpersonationFailed" => {
                "give the service account the role ApplicationImpersonation for this mailbox"
            }
            "ErrorNonExistentMailbox" => "does the account's mailbox address exist? See exdav user list",
            "ErrorInvalidServerVersion" => "set exchange.version to an older one",
            _ => "look the code up in Microsoft's list of EWS response codes",
        },
    };
    Stop { what: error.to_string(), advice: advice.to_owned() }
}
