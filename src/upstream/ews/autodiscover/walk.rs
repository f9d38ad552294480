//! One walk through the steps of Autodiscover. MS-OXDISCO 3.1.5

use super::answer::{Answer, MAX_OCTETS, Service};
use super::trust::{self, Refused, Trust, Trusted};
use crate::upstream::ews::auth::{Choice, Credentials, Scheme, Secret};
use crate::upstream::ews::client::Exchange;
use crate::upstream::ews::endpoint::Endpoint;
use crate::upstream::ews::error::Error;
use crate::upstream::ews::network::srv;
use crate::upstream::ews::transport::{Request, lost};
use reqwest::header::{HeaderMap, LOCATION, USER_AGENT};
use reqwest::{StatusCode, Url};
use std::collections::HashSet;
use std::fmt::Display;
use std::time::Duration;

/// One step and how it ended, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was asked.
    pub place: String,
    /// What came of it.
    pub outcome: String,
    /// Whether it led on.
    pub has_led_on: bool,
}

/// Redirects of all kinds in one walk. Microsoft's clients stop at ten.
const MAX_REDIRECTS: u32 = 10;
/// How long one request may take: many hosts drop what they do not serve.
const STEP: Duration = Duration::from_secs(8);
/// How long the whole walk may take.
const WALK: Duration = Duration::from_secs(30);

struct Walk<'a> {
    exchange: &'a Exchange,
    credentials: &'a Credentials,
    trust: Trust,
    asked: HashSet<(Url, String)>,
    redirects: u32,
    /// What a server that asked for a sign-in said to it, if that was not a yes.
    refusal: Option<Error>,
    steps: Vec<Step>,
}

/// What came of asking one host.
enum Asked {
    Endpoint(Url),
    Address(String),
    /// There is no such service; another may be there.
    NotHere,
    /// The host does not answer, or not in TLS.
    Away,
    /// The password was wrong.
    SignIn,
}

/// From an address to the endpoint, and the way.
pub(super) async fn walk(
    exchange: &Exchange,
    credentials: &Credentials,
    address: &str,
) -> (Vec<Step>, Result<Url, Error>) {
    let mut walk = Walk {
        exchange,
        credentials,
        trust: Trust::new(&exchange.settings().autodiscover.trusted),
        asked: HashSet::new(),
        redirects: 0,
        refusal: None,
        steps: Vec::new(),
    };
    let outcome = tokio::time::timeout(WALK, walk.address(address.to_owned())).await;
    let outcome = outcome.unwrap_or_else(|_| {
        walk.step(&address, format!("not found within {} seconds", WALK.as_secs()), false);
        Err(Error::Undiscovered(address.to_owned()))
    });
    (walk.steps, outcome)
}

impl Walk<'_> {
    /// Ends a request that takes too long.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| Error::Lost("no answer in time".to_owned());
        tokio::time::timeout(STEP.min(self.exchange.settings().timeout), work).await.map_err(late)?
    }

    fn step(&mut self, place: &impl Display, outcome: impl Into<String>, has_led_on: bool) {
        let (place, outcome) = (place.to_string(), outcome.into());
        tracing::debug!(place, outcome, has_led_on, "Autodiscover");
        self.steps.push(Step { place, outcome, has_led_on });
    }

    async fn address(&mut self, mut address: String) -> Result<Url, Error> {
        loop {
            let domain =
                trust::domain(&address).ok_or_else(|| Error::Undiscovered(address.clone()))?.to_owned();
            self.trust.add_domain(&domain);
            match self.domain(&domain, &address).await {
                Asked::Endpoint(url) => return Ok(url),
                Asked::Address(next) if self.redirects < MAX_REDIRECTS => {
                    self.redirects += 1;
                    address = next;
                    continue;
                }
                Asked::Address(_) => self.step(&address, "too many redirects", false),
                Asked::NotHere | Asked::Away | Asked::SignIn => {}
            }
            return match self.refusal.take() {
                // A wrong password is remembered: it must not be shown again at once.
                Some(error) => self.credentials.identity().tried(Err(error)),
                None => Err(Error::Undiscovered(domain)),
            };
        }
    }

    /// The documented order.
    async fn domain(&mut self, domain: &str, address: &str) -> Asked {
        // A domain's own host often is a web site, whose no says nothing about Exchange.
        let own = self.host(domain, address).await;
        if matches!(own, Asked::Endpoint(_) | Asked::Address(_)) {
            return own;
        }
        let host = format!("autodiscover.{domain}");
        let conventional = self.host(&host, address).await;
        if !matches!(conventional, Asked::NotHere | Asked::Away) {
            return conventional;
        }
        if let Some(hinted) = self.plain_redirect(&host).await {
            let asked = self.ask(hinted, address).await;
            if !matches!(asked, Asked::NotHere | Asked::Away) {
                return asked;
            }
        }
        if let Some(host) = self.record(domain).await {
            let asked = self.services(&host, address).await;
            if !matches!(asked, Asked::NotHere | Asked::Away) {
                return asked;
            }
        }
        if let Secret::Tokens(_) = self.credentials.identity().secret()
            && let Some(online) = Trust::online()
        {
            return self.services(&online, address).await;
        }
        Asked::NotHere
    }

    /// Both services of a host of the domain.
    async fn host(&mut self, host: &str, address: &str) -> Asked {
        match self.trust.own(host) {
            Some(host) => self.services(&host, address).await,
            None => Asked::Away,
        }
    }

    async fn services(&mut self, host: &Trusted, address: &str) -> Asked {
        for service in [Service::Soap, Service::Pox] {
            match self.ask(host.with_path(service.path()), address).await {
                Asked::NotHere => {}
                end => return end,
            }
        }
        Asked::NotHere
    }

    /// The host that the domain's DNS names. MS-OXDISCO 3.1.5.3
    async fn record(&mut self, domain: &str) -> Option<Trusted> {
        let name = format!("_autodiscover._tcp.{domain}");
        let place = format!("DNS record {name}");
        let Some((host, port)) = srv::lookup(&name, self.exchange.settings().autodiscover.nameserver).await
        else {
            self.step(&place, "there is none", false);
            return None;
        };
        match self.trust.hinted(&format!("https://{host}:{port}/")) {
            Ok(trusted) => {
                self.step(&place, format!("leads to {trusted}"), true);
                Some(trusted)
            }
            Err(Refused(why)) => {
                self.step(&place, format!("{why}; refused"), false);
                None
            }
        }
    }

    /// The redirect of the only step without TLS; nothing of the user is sent.
    async fn plain_redirect(&mut self, host: &str) -> Option<Trusted> {
        let url = format!("http://{host}{}", Service::Pox.path());
        let request = self.exchange.http().get(&url).header(USER_AGENT, &self.exchange.settings().user_agent);
        let answer = match self.in_time(async { request.send().await.map_err(lost) }).await {
            Err(error) => Err(said(&error)),
            Ok(answer) if answer.status() != StatusCode::FOUND => {
                Err(format!("HTTP {}, no redirect", answer.status().as_u16()))
            }
            Ok(answer) => {
                let target = location(answer.headers());
                self.trust.hinted(&target).map_err(|Refused(why)| format!("{why}; refused"))
            }
        };
        match answer {
            Ok(trusted) if self.redirects < MAX_REDIRECTS => {
                self.redirects += 1;
                self.step(&url, format!("leads to {trusted}"), true);
                Some(trusted)
            }
            Ok(_) => {
                self.step(&url, "too many redirects", false);
                None
            }
            Err(why) => {
                self.step(&url, why, false);
                None
            }
        }
    }

    /// Follows what a trusted host told.
    fn follow(&mut self, by: &Trusted, target: &str) -> Option<Trusted> {
        match Trust::told(by, target) {
            Ok(next) if self.redirects < MAX_REDIRECTS => {
                self.redirects += 1;
                self.step(by, format!("leads to {next}"), true);
                Some(next)
            }
            Ok(_) => {
                self.step(by, "too many redirects", false);
                None
            }
            Err(Refused(why)) => {
                self.step(by, format!("{why}; refused"), false);
                None
            }
        }
    }

    /// Asks one URL, and those to which it redirects.
    async fn ask(&mut self, mut at: Trusted, address: &str) -> Asked {
        loop {
            if !self.asked.insert((at.url().clone(), address.to_owned())) {
                self.step(&at, "was asked before; a loop", false);
                return Asked::NotHere;
            }
            let knocked = match self.in_time(self.exchange.knock(at.url())).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.step(&at, said(&error), false);
                    return Asked::Away;
                }
            };
            let (status, headers) = (knocked.status(), knocked.headers());
            if status.is_redirection() {
                match self.follow(&at, &location(headers)) {
                    Some(next) => at = next,
                    None => return Asked::NotHere,
                }
                continue;
            }
            // Only who asks for a sign-in gets one.
            let scheme = match self.scheme(status, headers) {
                Ok(scheme) => scheme,
                Err(why) => {
                    self.step(&at, why, false);
                    return Asked::NotHere;
                }
            };
            match self.signed_in(&at, scheme, address).await {
                Ok(Answer::Settings(endpoints)) => return self.endpoint(&at, endpoints).await,
                Ok(Answer::RedirectUrl(target)) => match self.follow(&at, &target) {
                    Some(next) => at = next,
                    None => return Asked::NotHere,
                },
                Ok(Answer::RedirectAddress(next)) if trust::domain(&next).is_some() => {
                    let is_new = !next.eq_ignore_ascii_case(address);
                    self.step(&at, format!("the mailbox is {next}"), is_new);
                    return if is_new { Asked::Address(next.to_ascii_lowercase()) } else { Asked::NotHere };
                }
                Ok(Answer::RedirectAddress(_)) => {
                    self.step(&at, "the mailbox is at an address that is none", false);
                    return Asked::NotHere;
                }
                Ok(Answer::Refused(why)) => {
                    self.step(&at, format!("says: {why}"), false);
                    return Asked::NotHere;
                }
                Err(error) => {
                    self.step(&at, said(&error), false);
                    let asked = match &error {
                        Error::SignIn => Asked::SignIn,
                        Error::Lost(_) | Error::Unreachable(_) | Error::Certificate(_) => Asked::Away,
                        _ => Asked::NotHere,
                    };
                    if matches!(error, Error::SignIn | Error::Consent(_)) {
                        self.refusal = Some(error);
                    }
                    return asked;
                }
            }
        }
    }

    /// How to sign in at a server, if it asks for that and takes what there is.
    fn scheme(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<Scheme, String> {
        if status != StatusCode::UNAUTHORIZED {
            return Err(format!("HTTP {}, no Autodiscover", status.as_u16()));
        }
        let offered = Scheme::all_offered(headers);
        let taken = match (self.credentials.identity().secret(), self.exchange.settings().sign_in) {
            (Secret::Tokens(_), _) => Some(Scheme::Bearer),
            (Secret::Password(_), Choice::Only(scheme)) => Some(scheme),
            (Secret::Password(_), Choice::Auto) => Scheme::preferred(&offered),
        };
        taken.filter(|scheme| offered.contains(scheme)).ok_or_else(|| {
            self.refusal.get_or_insert(Error::NoScheme);
            "offers no sign-in that exdav may use".to_owned()
        })
    }

    async fn signed_in(&self, at: &Trusted, scheme: Scheme, address: &str) -> Result<Answer, Error> {
        let endpoint = Endpoint::new(at.url().clone());
        endpoint.schemes().learn(Some(scheme));
        let service = Service::of(at.url().path());
        let request = Request {
            body: service.ask(at.url().as_str(), address),
            headers: HeaderMap::new(),
            timeout: None,
            client: None,
        };
        self.in_time(async {
            let answer = self.exchange.try_post(self.credentials, &endpoint, request).await?;
            if answer.status.is_redirection() {
                return Ok(Answer::RedirectUrl(location(&answer.headers)));
            }
            let status = answer.status.as_u16();
            let octets = answer.bytes(MAX_OCTETS).await?;
            // SOAP faults come with HTTP 500.
            service.read(&octets).map_err(|error| match status {
                200 => error,
                _ => Error::Http { status, text: "no Autodiscover".to_owned() },
            })
        })
        .await
    }

    /// The first of the endpoints that answers.
    async fn endpoint(&mut self, at: &Trusted, endpoints: Vec<String>) -> Asked {
        if endpoints.is_empty() {
            self.step(at, "knows the mailbox, but no EWS for it", false);
        }
        for endpoint in endpoints {
            let trusted = match Trust::told(at, &endpoint) {
                Ok(trusted) => trusted,
                Err(Refused(why)) => {
                    self.step(at, format!("EWS {why}; refused"), false);
                    continue;
                }
            };
            match self.in_time(self.exchange.knock(trusted.url())).await {
                Ok(answer) if answer.status() != StatusCode::NOT_FOUND => {
                    self.step(at, format!("EWS is at {trusted}"), true);
                    return Asked::Endpoint(trusted.url().clone());
                }
                Ok(_) => self.step(&trusted, "HTTP 404, no EWS", false),
                Err(error) => self.step(&trusted, said(&error), false),
            }
        }
        Asked::NotHere
    }
}

/// An error in the words of a step: whether it is Exchange that is there, is not known yet.
fn said(error: &Error) -> String {
    match error {
        Error::Unreachable(why) => format!("cannot be reached: {why}"),
        Error::Certificate(why) => format!("its certificate is not trusted: {why}"),
        Error::Lost(why) => why.clone(),
        Error::SignIn => "refuses the name or the password".to_owned(),
        other => other.to_string(),
    }
}

fn location(headers: &HeaderMap) -> String {
    headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
