//! The settings, one row each.

use super::{Error, value};
use crate::convert;
use crate::convert::HtmlForm;
use crate::gateway;
use crate::mirror;
use crate::server;
use crate::sync;
use crate::upstream::ews;
use crate::upstream::ews::auth::{Choice, Scheme};
use crate::upstream::ews::network::Tls;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The modules' own settings, side by side.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Sockets.
    pub server: server::Settings,
    /// The upstream.
    pub ews: ews::Settings,
    /// The store.
    pub mirror: mirror::Settings,
    /// Freshness.
    pub sync: sync::Settings,
    /// Sign-in and links.
    pub gateway: gateway::Settings,
    /// Translation.
    pub convert: convert::Settings,
}

impl Config {
    /// Refuses what cannot work together.
    pub fn check(&self) -> Result<(), Error> {
        if self.ews.url.is_empty() && self.ews.autodiscover.domains.is_empty() {
            let Some(key) = KEYS.iter().find(|key| (key.table, key.name) == ("exchange", "url")) else {
                return Ok(());
            };
            return Err(Error::Missing {
                table: key.table,
                name: key.name,
                variable: key.variable(),
                doc: key.doc,
            });
        }
        if let Some(tls) = &self.server.tls {
            let empty = |path: &PathBuf| path.as_os_str().is_empty();
            if empty(&tls.certificate) || empty(&tls.key) {
                return Err(Error::Together("server.certificate", "server.key"));
            }
        }
        if self.server.proxies.user_header.is_some() && self.server.proxies.trusted.is_empty() {
            return Err(Error::Needs("server.user_header", "server.trusted_proxies"));
        }
        Ok(())
    }
}

/// A setting.
pub struct Key {
    /// Its table in the file.
    pub table: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What its value looks like.
    pub form: &'static str,
    /// As it would be written; `None`: there is none.
    pub default: Option<&'static str>,
    /// A value to imitate.
    pub example: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Reads a value.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Key {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("EXDAV_{}_{}", self.table.to_uppercase(), self.name.to_uppercase())
    }
}

fn tls(config: &mut Config) -> &mut server::Tls {
    config.server.tls.get_or_insert_with(|| server::Tls { certificate: PathBuf::new(), key: PathBuf::new() })
}

const DURATION: &str = "a duration: `250ms`, `15s`, `5m`, `2h`, `7d`";
const SIZE: &str = "a size: `512 KB`, `20 MB`";
const HTML: [(&str, HtmlForm); 4] = [
    ("x-alt-desc", HtmlForm::XAltDesc),
    ("altrep", HtmlForm::Altrep),
    ("styled-description", HtmlForm::StyledDescription),
    ("none", HtmlForm::None),
];
const TLS: [(&str, Tls); 2] = [("1.2", Tls::V1_2), ("1.3", Tls::V1_3)];
const SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];
const SCHEMES: [(&str, Choice); 4] = [
    ("auto", Choice::Auto),
    ("ntlm", Choice::Only(Scheme::Ntlm)),
    ("negotiate", Choice::Only(Scheme::Negotiate)),
    ("basic", Choice::Only(Scheme::Basic)),
];
const VERSIONS: [(&str, &str); 4] = [
    ("Exchange2010_SP2", "Exchange2010_SP2"),
    ("Exchange2013", "Exchange2013"),
    ("Exchange2013_SP1", "Exchange2013_SP1"),
    ("Exchange2016", "Exchange2016"),
];

/// All settings, in the order of the example file.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    vec![
        Key {
            table: "exchange",
            name: "url",
            form: "an http or https URL",
            default: None,
            example: "\"https://mail.example.com/EWS/Exchange.asmx\"",
            doc: "The EWS endpoint of your Exchange; without it Autodiscover finds that of each mailbox, from `domain`.",
            set: |config, text| {
                value::url("https://mail.example.com/EWS/Exchange.asmx", text).map(|url| config.ews.url = url)
            },
        },
        Key {
            table: "exchange",
            name: "domain",
            form: "a mail domain, or an array of them",
            default: None,
            example: "\"example.com\"",
            doc: "The domain of your users' mail addresses, from which Autodiscover finds their Exchange; other domains may not sign in.",
            set: |config, text| value::hosts(text).map(|hosts| config.ews.autodiscover.domains = hosts),
        },
        Key {
            table: "exchange",
            name: "trusted_hosts",
            form: "a host, or an array of them",
            default: None,
            example: "\"autodiscover.hoster.example\"",
            doc: "Hosts outside of `domain` to which Autodiscover may be led by what nobody proves: a redirect without TLS, a DNS record.",
            set: |config, text| value::hosts(text).map(|hosts| config.ews.autodiscover.trusted = hosts),
        },
        Key {
            table: "exchange",
            name: "nameserver",
            form: "an address with a port",
            default: None,
            example: "\"192.0.2.53:53\"",
            doc: "The DNS server that Autodiscover asks for its record; without it those of /etc/resolv.conf.",
            set: |config, text| {
                value::parsed("an address with a port such as `192.0.2.53:53`", text)
                    .map(|address| config.ews.autodiscover.nameserver = Some(address))
            },
        },
        Key {
            table: "exchange",
            name: "version",
            form: "`Exchange2010_SP2`, `Exchange2013`, `Exchange2013_SP1` or `Exchange2016`",
            default: Some("\"Exchange2013_SP1\""),
            example: "\"Exchange2016\"",
            doc: "The schema version that is spoken; newer servers understand older versions, an older server is asked by its own.",
            set: |config, text| {
                value::choice(&VERSIONS, text).map(|version| version.clone_into(&mut config.ews.version))
            },
        },
        Key {
            table: "exchange",
            name: "connect_timeout",
            form: DURATION,
            default: Some("\"4s\""),
            example: "\"5s\"",
            doc: "How long to wait for a connection.",
            set: |config, text| value::duration(text).map(|d| config.ews.connect_timeout = d),
        },
        Key {
            table: "exchange",
            name: "timeout",
            form: DURATION,
            default: Some("\"60s\""),
            example: "\"2m\"",
            doc: "How long to wait for an answer.",
            set: |config, text| value::duration(text).map(|d| config.ews.timeout = d),
        },
        Key {
            table: "exchange",
            name: "patience",
            form: DURATION,
            default: Some("\"30s\""),
            example: "\"1m\"",
            doc: "How long a request to Exchange is tried again while Exchange is busy; reads only, where its answer was lost.",
            set: |config, text| value::duration(text).map(|d| config.ews.patience = d),
        },
        Key {
            table: "exchange",
            name: "concurrency",
            form: "a number from 1 to 20",
            default: Some("4"),
            example: "8",
            doc: "Requests of one user that may be under way at once. Exchange allows about ten.",
            set: |config, text| value::number(1..=20, text).map(|number| config.ews.concurrency = number),
        },
        Key {
            table: "exchange",
            name: "user_agent",
            form: "a text",
            default: Some(concat!("\"exdav/", env!("CARGO_PKG_VERSION"), "\"")),
            example: "\"exdav\"",
            doc: "How exdav introduces itself; some organisations allow EWS only to those that they know.",
            set: |config, text| value::text(text).map(|text| config.ews.user_agent = text),
        },
        Key {
            table: "exchange",
            name: "sign_in",
            form: "`auto`, `ntlm`, `negotiate` or `basic`",
            default: Some("\"auto\""),
            example: "\"ntlm\"",
            doc: "How users are signed in to Exchange: the safest way that it offers, or this one only.",
            set: |config, text| value::choice(&SCHEMES, text).map(|choice| config.ews.sign_in = choice),
        },
        Key {
            table: "exchange",
            name: "ca",
            form: "a path",
            default: None,
            example: "\"/etc/exdav/company-ca.pem\"",
            doc: "PEM file with authorities that may vouch for Exchange, beside those that the system trusts.",
            set: |config, text| value::path(text).map(|path| config.ews.network.authorities = vec![path]),
        },
        Key {
            table: "exchange",
            name: "pin",
            form: "64 hexadecimal digits",
            default: None,
            example: "\"9f86d0…\"",
            doc: "SHA-256 of Exchange's certificate: this one is accepted, whoever signed it, and no other.",
            set: |config, text| value::sha256(text).map(|pin| config.ews.network.pin = Some(pin)),
        },
        Key {
            table: "exchange",
            name: "tls",
            form: "`1.2` or `1.3`",
            default: Some("\"1.2\""),
            example: "\"1.3\"",
            doc: "The oldest version of TLS that is spoken with Exchange.",
            set: |config, text| value::choice(&TLS, text).map(|oldest| config.ews.network.oldest = oldest),
        },
        Key {
            table: "exchange",
            name: "proxy",
            form: "an http or socks5 URL",
            default: None,
            example: "\"http://proxy.example.com:3128\"",
            doc: "The proxy to Exchange and to the identity provider, with `user:password@` if it asks for them.",
            set: |config, text| {
                if !["http://", "socks5://", "socks5h://"].iter().any(|scheme| text.starts_with(scheme)) {
                    return Err(value::expected(
                        "a URL such as `http://proxy.example.com:3128`",
                        "something else",
                    ));
                }
                text.clone_into(&mut config.ews.network.proxy);
                Ok(())
            },
        },
        Key {
            table: "exchange",
            name: "service_user",
            form: "a user name",
            default: None,
            example: "\"CORP\\\\svc-exdav\"",
            doc: "A service account that impersonates the mailboxes of accounts.",
            set: |config, text| value::text(text).map(|text| config.ews.service.login = text),
        },
        Key {
            table: "exchange",
            name: "service_password",
            form: "a text",
            default: None,
            example: "\"…\"",
            doc: "Its password; better given as EXDAV_EXCHANGE_SERVICE_PASSWORD.",
            set: |config, text| value::text(text).map(|text| config.ews.service.password = text),
        },
        Key {
            table: "oauth",
            name: "authority",
            form: "an https URL",
            default: None,
            example: "\"https://login.microsoftonline.com/contoso.com\"",
            doc: "The identity provider: Microsoft Entra with the tenant, or AD FS as `https://adfs.example.com/adfs`.",
            set: |config, text| {
                value::url("https://login.microsoftonline.com/contoso.com", text)
                    .map(|url| config.ews.oauth.authority = url)
            },
        },
        Key {
            table: "oauth",
            name: "client_id",
            form: "an application id",
            default: None,
            example: "\"6f1c…\"",
            doc: "The application that is registered there for exdav.",
            set: |config, text| value::text(text).map(|text| config.ews.oauth.client_id = text),
        },
        Key {
            table: "oauth",
            name: "client_secret",
            form: "a text",
            default: None,
            example: "\"…\"",
            doc: "Its secret, for the application itself (full_access_as_app); better given as EXDAV_OAUTH_CLIENT_SECRET.",
            set: |config, text| value::text(text).map(|text| config.ews.oauth.client_secret = text),
        },
        Key {
            table: "oauth",
            name: "resource",
            form: "a URL",
            default: None,
            example: "\"https://mail.example.com\"",
            doc: "What tokens are asked for; without it Exchange Online at Entra, the origin of `exchange.url` at AD FS.",
            set: |config, text| value::text(text).map(|text| config.ews.oauth.resource = text),
        },
        Key {
            table: "server",
            name: "listen",
            form: "an address with a port",
            default: Some("\"127.0.0.1:8008\""),
            example: "\"[::]:8443\"",
            doc: "Where CalDAV and CardDAV clients connect.",
            set: |config, text| {
                value::parsed("an address with a port such as `127.0.0.1:8008`", text)
                    .map(|address| config.server.listen = address)
            },
        },
        Key {
            table: "server",
            name: "certificate",
            form: "a path",
            default: None,
            example: "\"/etc/exdav/certificate.pem\"",
            doc: "PEM file with the certificate and those above it; together with `key` it turns TLS on.",
            set: |config, text| value::path(text).map(|path| tls(config).certificate = path),
        },
        Key {
            table: "server",
            name: "key",
            form: "a path",
            default: None,
            example: "\"/etc/exdav/key.pem\"",
            doc: "PEM file with the private key.",
            set: |config, text| value::path(text).map(|path| tls(config).key = path),
        },
        Key {
            table: "server",
            name: "public_url",
            form: "a URL without path",
            default: None,
            example: "\"https://dav.example.com\"",
            doc: "Where clients reach exdav, for links to attachments; without it there are no links.",
            set: |config, text| {
                text.trim_end_matches('/').clone_into(&mut config.gateway.public_url);
                Ok(())
            },
        },
        Key {
            table: "server",
            name: "max_resource_size",
            form: SIZE,
            default: Some("\"20 MB\""),
            example: "\"40 MB\"",
            doc: "Largest object that a client may send.",
            set: |config, text| value::size(text).map(|size| config.server.dav.max_resource_size = size),
        },
        Key {
            table: "server",
            name: "answer_within",
            form: DURATION,
            default: Some("\"40s\""),
            example: "\"90s\"",
            doc: "How long clients wait for Exchange; then the mirror answers, or a 503 says when to come back.",
            set: |config, text| value::duration(text).map(|d| config.server.dav.answer_within = d),
        },
        Key {
            table: "server",
            name: "max_attachment_size",
            form: SIZE,
            default: Some("\"20 MB\""),
            example: "\"10 MB\"",
            doc: "Largest file that a client may attach; Exchange has a limit of its own, for requests half as large again.",
            set: |config, text| value::size(text).map(|size| config.server.dav.max_attachment_size = size),
        },
        Key {
            table: "server",
            name: "body_timeout",
            form: DURATION,
            default: Some("\"60s\""),
            example: "\"2m\"",
            doc: "How long a request's body may take to arrive.",
            set: |config, text| value::duration(text).map(|d| config.server.dav.body_timeout = d),
        },
        Key {
            table: "server",
            name: "shutdown_grace",
            form: DURATION,
            default: Some("\"10s\""),
            example: "\"30s\"",
            doc: "How long running requests may go on when exdav is asked to end.",
            set: |config, text| value::duration(text).map(|d| config.server.shutdown_grace = d),
        },
        Key {
            table: "server",
            name: "trusted_proxies",
            form: "addresses and networks",
            default: None,
            example: "[\"127.0.0.1\", \"10.0.0.0/8\"]",
            doc: "Reverse proxies whose X-Forwarded-For is believed; of all others it is not read.",
            set: |config, text| {
                let all: Result<_, _> = text.split(',').map(|one| one.trim().parse()).collect();
                let wrong = |()| value::expected("addresses such as `127.0.0.1` or `10.0.0.0/8`", text);
                all.map(|all| config.server.proxies.trusted = all).map_err(wrong)
            },
        },
        Key {
            table: "server",
            name: "user_header",
            form: "a header's name",
            default: None,
            example: "\"X-Client-User\"",
            doc: "Header in which these proxies name the account that they know by a client certificate.",
            set: |config, text| {
                value::parsed("a header's name such as `X-Client-User`", text)
                    .map(|name| config.server.proxies.user_header = Some(name))
            },
        },
        Key {
            table: "sign_in",
            name: "recheck",
            form: DURATION,
            default: Some("\"15m\""),
            example: "\"5m\"",
            doc: "How long Exchange's yes to a password holds before Exchange is asked again.",
            set: |config, text| value::duration(text).map(|d| config.gateway.recheck = d),
        },
        Key {
            table: "sign_in",
            name: "refusal",
            form: DURATION,
            default: Some("\"10s\""),
            example: "\"1m\"",
            doc: "How long Exchange's no holds, so that a client with an old password does not lock the account.",
            set: |config, text| value::duration(text).map(|d| config.gateway.refusal = d),
        },
        Key {
            table: "sign_in",
            name: "offline",
            form: DURATION,
            default: Some("\"7d\""),
            example: "\"1d\"",
            doc: "How long users whom Exchange accepted before are let in while Exchange is away.",
            set: |config, text| value::duration(text).map(|d| config.gateway.offline = d),
        },
        Key {
            table: "sign_in",
            name: "pass_through",
            form: "`true` or `false`",
            default: Some("true"),
            example: "false",
            doc: "Whether names that are no account sign in with what Exchange accepts.",
            set: |config, text| value::choice(&SWITCH, text).map(|on| config.gateway.pass_through = on),
        },
        Key {
            table: "accounts",
            name: "path",
            form: "a path",
            default: None,
            example: "\"/var/lib/exdav/accounts.json\"",
            doc: "The file of accounts with app passwords, made by `exdav user`; without it there are none. Keep a copy.",
            set: |config, text| value::path(text).map(|path| config.gateway.accounts.path = path),
        },
        Key {
            table: "accounts",
            name: "key",
            form: "a path",
            default: None,
            example: "\"/etc/exdav/accounts.key\"",
            doc: "The file with the key that seals their secrets, made when it is missing; without it beside the accounts.",
            set: |config, text| value::path(text).map(|path| config.gateway.accounts.key = path),
        },
        Key {
            table: "store",
            name: "path",
            form: "a path",
            default: Some("\"exdav-store\""),
            example: "\"/var/lib/exdav\"",
            doc: "The folder of the mirror; it can be deleted at any time and is filled again.",
            set: |config, text| value::path(text).map(|path| config.mirror.path = path),
        },
        Key {
            table: "store",
            name: "cache",
            form: SIZE,
            default: Some("\"2 MB\""),
            example: "\"16 MB\"",
            doc: "Memory for each open mirror.",
            set: |config, text| value::size(text).map(|size| config.mirror.cache = size),
        },
        Key {
            table: "store",
            name: "idle",
            form: DURATION,
            default: Some("\"2m\""),
            example: "\"1h\"",
            doc: "A mirror that nobody has needed for this long is closed, and its memory is free for others; who needs it \
                  next waits some milliseconds longer.",
            set: |config, text| value::duration(text).map(|d| config.mirror.idle = d),
        },
        Key {
            table: "sync",
            name: "freshness",
            form: DURATION,
            default: Some("\"15s\""),
            example: "\"1m\"",
            doc: "Within this time after a look at Exchange nobody asks it again.",
            set: |config, text| value::duration(text).map(|d| config.sync.freshness = d),
        },
        Key {
            table: "sync",
            name: "hierarchy",
            form: DURATION,
            default: Some("\"2m\""),
            example: "\"10m\"",
            doc: "How often new and renamed folders are looked for.",
            set: |config, text| value::duration(text).map(|d| config.sync.hierarchy = d),
        },
        Key {
            table: "sync",
            name: "live",
            form: "`true` or `false`",
            default: Some("true"),
            example: "false",
            doc: "Whether Exchange is listened to for changes (streaming notifications): while it is, an unchanged \
                  mailbox is not asked for.",
            set: |config, text| value::choice(&SWITCH, text).map(|on| config.sync.live.enabled = on),
        },
        Key {
            table: "sync",
            name: "sleep",
            form: DURATION,
            default: Some("\"2h\""),
            example: "\"30m\"",
            doc: "After this time without a client's request a mailbox is no longer listened to; the next request asks.",
            set: |config, text| value::duration(text).map(|d| config.sync.live.sleep = d),
        },
        Key {
            table: "calendar",
            name: "zone",
            form: "an IANA name",
            default: None,
            example: "\"Europe/Berlin\"",
            doc: "The time zone of all-day and floating times; without it that of the machine.",
            set: |config, text| {
                if jiff::tz::TimeZone::get(text).is_err() {
                    return Err(value::expected("an IANA time zone such as `Europe/Berlin`", text));
                }
                text.clone_into(&mut config.gateway.zone);
                Ok(())
            },
        },
        Key {
            table: "calendar",
            name: "html",
            form: "`x-alt-desc`, `altrep`, `styled-description` or `none`",
            default: Some("\"x-alt-desc\""),
            example: "\"altrep\"",
            doc: "The property that carries formatted descriptions beside the plain text.",
            set: |config, text| value::choice(&HTML, text).map(|form| config.convert.html = form),
        },
        Key {
            table: "calendar",
            name: "inline_attachments",
            form: SIZE,
            default: Some("\"0 KB\""),
            example: "\"1 MB\"",
            doc: "Attachments up to this size are part of the event's text; larger ones are links to exdav.",
            set: |config, text| value::size(text).map(|size| config.convert.inline_attachments = size),
        },
        Key {
            table: "calendar",
            name: "past",
            form: "a number of days: `90d`",
            default: None,
            example: "\"365d\"",
            doc: "How far back events are shown: those that ended longer ago are hidden from clients and stay in Exchange; \
                  without it all are shown.",
            set: |config, text| value::days(text).map(|days| config.sync.past = Some(days)),
        },
    ]
});
