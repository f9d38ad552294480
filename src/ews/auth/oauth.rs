//! OAuth 2.0 against Microsoft Entra and AD FS: how tokens are first got, and how they are kept good.
//!
//! An application asks for itself (client credentials) or for a person, who signs in once in a browser, on this machine
//! (authorisation code with PKCE) or on another (device code). From then on the refresh token is enough; it changes
//! with use, and whoever made the [`Tokens`] is told each time. RFC 6749, RFC 7636, RFC 8628, RFC 8252

use super::super::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The application at its identity provider. `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Settings {
    /// `https://login.microsoftonline.com/TENANT` or `https://adfs.example.com/adfs`; empty: no OAuth.
    pub authority: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret; empty for applications that only act for people.
    pub client_secret: String,
    /// What tokens are asked for; empty: Exchange Online at Entra, the endpoint's origin at AD FS.
    pub resource: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({} at {} for {})", self.client_id, self.authority, self.resource)
    }
}

/// The identity provider, as this application sees it.
#[derive(Debug)]
pub struct Provider {
    http: reqwest::Client,
    settings: Settings,
    is_adfs: bool,
}

/// What the provider grants.
#[derive(Deserialize)]
pub struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
    refresh_token: Option<String>,
}

impl Granted {
    /// What keeps the sign-in alive; a person's grant without it ends within the hour.
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_deref()
    }
}

/// What a person is shown, and what is asked for with it. RFC 8628 3.2
#[derive(Deserialize)]
pub struct DeviceCode {
    #[serde(rename = "device_code")]
    secret: String,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    #[serde(default)]
    expires_in: u64,
    interval: Option<u64>,
}

/// A sign-in in the browser of this machine, under way. RFC 7636 4.1
pub struct Browser {
    /// What the browser opens.
    pub url: String,
    state: String,
    verifier: String,
    redirect: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Refusals that only a person can mend. Entra: AADSTS50173, AADSTS65001 …
const ASK_AGAIN: [&str; 4] = ["invalid_grant", "interaction_required", "consent_required", "login_required"];
/// Tokens are renewed that long before they end.
const EARLY: Duration = Duration::from_secs(60);
/// A refusal is not asked for again within this time.
const REFUSED: Duration = Duration::from_secs(60);
/// No token is used longer, whatever the provider says of it; real ones live for an hour, at Entra up to a day.
const LONGEST: Duration = Duration::from_hours(24);
/// Octets of an answer; real ones have some 5 KB.
const MOST_OCTETS: usize = 1 << 20;
/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(30);
const EXCHANGE_ONLINE: &str = "https://outlook.office365.com";

impl Provider {
    /// `endpoint` is that of EWS, where it is known; `None` without OAuth in the settings. Asks nobody.
    pub(in crate::ews) fn new(
        http: reqwest::Client,
        settings: &Settings,
        endpoint: Option<&Url>,
    ) -> Result<Option<Self>, Error> {
        let mut settings = settings.clone();
        if settings.authority.is_empty() {
            return Ok(None);
        }
        settings.authority.truncate(settings.authority.trim_end_matches('/').len());
        let is_adfs = settings.authority.ends_with("/adfs");
        if settings.resource.is_empty() {
            settings.resource = match (is_adfs, endpoint) {
                (false, _) => EXCHANGE_ONLINE.to_owned(),
                (true, Some(endpoint)) => endpoint.origin().ascii_serialization(),
                (true, None) => {
                    return Err(Error::Settings(
                        "AD FS needs oauth.resource where exchange.url is not set".to_owned(),
                    ));
                }
            };
        }
        settings.resource.truncate(settings.resource.trim_end_matches('/').len());
        Ok(Some(Self { http, settings, is_adfs }))
    }

    fn endpoint(&self, name: &str) -> String {
        let version = if self.is_adfs { "" } else { "/v2.0" };
        format!("{}/oauth2{version}/{name}", self.settings.authority)
    }

    /// What is asked for on behalf of a person: Entra names it by scopes, AD FS by the resource.
    fn wanted(&self) -> [(&'static str, String); 2] {
        let resource = &self.settings.resource;
        if self.is_adfs {
            [("resource", resource.clone()), ("scope", "openid".to_owned())]
        } else {
            [("scope", format!("{resource}/EWS.AccessAsUser.All offline_access")), ("prompt", String::new())]
        }
    }

    /// A token for the application itself. RFC 6749 4.4
    async fn for_itself(&self) -> Result<Granted, Error> {
        let scope = format!("{}/.default", self.settings.resource);
        let resource = if self.is_adfs { ("resource", &self.settings.resource) } else { ("scope", &scope) };
        self.token(&[("grant_type", "client_credentials"), (resource.0, resource.1)]).await
    }

    async fn refresh(&self, token: &str) -> Result<Granted, Error> {
        let wanted = self.wanted();
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        fields.extend(wanted.iter().map(|(name, value)| (*name, value.as_str())));
        self.token(&fields).await
    }

    /// A code for a person to type on any device. RFC 8628 3.1
    pub async fn device_code(&self) -> Result<DeviceCode, Error> {
        let wanted = self.wanted();
        let fields: Vec<_> = wanted.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.ask("devicecode", &fields).await? {
            Ok(code) => Ok(code),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Waits until the person has signed in with the code. RFC 8628 3.4
    pub async fn wait(&self, code: &DeviceCode) -> Result<Granted, Error> {
        let mut pause = Duration::from_secs(code.interval.unwrap_or(5).clamp(1, 60));
        let until = Instant::now() + Duration::from_secs(code.expires_in.clamp(60, 3600));
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code.secret.as_str()),
        ];
        while Instant::now() < until {
            tokio::time::sleep(pause).await;
            match self.ask("token", &fields).await {
                Ok(Ok(granted)) => return Ok(granted),
                Ok(Err(refusal)) if refusal.error == "authorization_pending" => {}
                Ok(Err(refusal)) if refusal.error == "slow_down" => pause += Duration::from_secs(5),
                // RFC 8628 3.5: a lost connection is no answer.
                Err(Error::Unreachable(_) | Error::Lost(_)) => {
                    pause = (pause * 2).min(Duration::from_secs(60));
                }
                Ok(Err(refusal)) => return Err(refusal.into()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Consent("nobody signed in with the code".to_owned()))
    }

    /// Begins a sign-in in a browser that comes back to `redirect`. RFC 8252 7.3
    pub fn browser(&self, redirect: &str, login: &str) -> Result<Browser, Error> {
        let (state, verifier) = (secret()?, secret()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let wanted = self.wanted();
        let mut fields = vec![
            ("client_id", self.settings.client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", redirect),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", &state),
            ("login_hint", login),
        ];
        fields.extend(wanted.iter().map(|(name, value)| (*name, value.as_str())));
        let url = format!("{}?{}", self.endpoint("authorize"), encoded(&fields));
        Ok(Browser { url, state, verifier, redirect: redirect.to_owned() })
    }

    /// Ends it with the query that the browser came back with. RFC 6749 4.1.3
    pub async fn redeem(&self, browser: &Browser, query: &str) -> Result<Granted, Error> {
        let url =
            Url::parse(&format!("http://localhost/?{query}")).map_err(|e| Error::Answer(e.to_string()))?;
        let given =
            |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        if given("state").as_deref() != Some(&browser.state) {
            return Err(Error::Consent("the browser came back from another sign-in".to_owned()));
        }
        if let Some(error) = given("error") {
            let error_description = given("error_description").unwrap_or_default();
            return Err(Refusal { error, error_description }.into());
        }
        let code = given("code").ok_or_else(|| Error::Consent("the browser brought no code".to_owned()))?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &browser.redirect),
            ("code_verifier", &browser.verifier),
        ];
        self.token(&fields).await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Result<Granted, Error> {
        self.ask("token", fields).await?.map_err(Error::from)
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        endpoint: &str,
        fields: &[(&str, &str)],
    ) -> Result<Result<T, Refusal>, Error> {
        let mut all = vec![("client_id", self.settings.client_id.as_str())];
        if !self.settings.client_secret.is_empty() && endpoint == "token" {
            all.push(("client_secret", &self.settings.client_secret));
        }
        all.extend(fields.iter().filter(|(_, value)| !value.is_empty()));
        let request = self.http.post(self.endpoint(endpoint)).timeout(PATIENCE);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded(&all));
        let away = |error: reqwest::Error| {
            Error::Unreachable(format!("the identity provider: {}", error.without_url()))
        };
        let mut answer = request.send().await.map_err(away)?;
        let status = answer.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(Error::Unreachable(format!("the identity provider answers {status}")));
        }
        let strange = || {
            Error::Settings(format!("oauth.authority: the answer ({status}) is none of an identity provider"))
        };
        let mut octets = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(away)? {
            if octets.len() + piece.len() > MOST_OCTETS {
                return Err(strange());
            }
            octets.extend_from_slice(&piece);
        }
        if status.is_success() {
            serde_json::from_slice(&octets).map(Ok).map_err(|_| strange())
        } else {
            serde_json::from_slice(&octets).map(Err).map_err(|_| strange())
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let described = refusal.error_description.lines().next().unwrap_or_default();
        let text = format!("{}: {}", refusal.error, described.chars().take(300).collect::<String>());
        if ASK_AGAIN.contains(&refusal.error.as_str()) || refusal.error == "access_denied" {
            Self::Consent(text)
        } else {
            Self::Settings(format!("the identity provider refuses the application: {text}"))
        }
    }
}

/// Told of each new refresh token.
pub type Keep = Box<dyn Fn(&str) + Send + Sync>;

/// An access token that is always good. Never shown by `Debug`.
pub struct Tokens {
    provider: Arc<Provider>,
    state: Mutex<State>,
    keep: Option<Keep>,
}

#[derive(Default)]
struct State {
    refresh: Option<String>,
    access: Option<(Arc<str>, Instant)>,
    refused: Option<(Error, Instant)>,
}

impl Tokens {
    /// Of the application itself.
    pub(super) fn of_the_application(provider: Arc<Provider>) -> Self {
        Self { provider, state: Mutex::default(), keep: None }
    }

    /// Of a person who signed in once.
    pub(super) fn of_a_person(provider: Arc<Provider>, refresh: String, keep: Keep) -> Self {
        let state = State { refresh: Some(refresh), ..State::default() };
        Self { provider, state: Mutex::new(state), keep: Some(keep) }
    }

    /// A good token, but not the one that Exchange has just refused. Those who come together ask the provider once.
    pub(in crate::ews) async fn bearer(&self, refused: Option<&str>) -> Result<Arc<str>, Error> {
        let mut state = self.state.lock().await;
        if refused.is_some_and(|refused| state.access.as_ref().is_some_and(|(token, _)| **token == *refused))
        {
            state.access = None;
        }
        if let Some((token, until)) = &state.access
            && Instant::now() < *until
        {
            return Ok(Arc::clone(token));
        }
        if let Some((error, at)) = &state.refused
            && at.elapsed() < REFUSED
        {
            return Err(error.clone());
        }
        let granted = match &state.refresh {
            None => self.provider.for_itself().await,
            Some(token) => self.provider.refresh(token).await,
        };
        let granted = granted.inspect_err(|error| {
            if matches!(error, Error::Consent(_) | Error::Settings(_)) {
                state.refused = Some((error.clone(), Instant::now()));
            }
        })?;
        if let (Some(new), Some(old)) = (&granted.refresh_token, &mut state.refresh)
            && new != old
        {
            old.clone_from(new);
            if let Some(keep) = &self.keep {
                keep(new);
            }
        }
        let lifetime = Duration::from_secs(granted.expires_in).min(LONGEST);
        let token: Arc<str> = granted.access_token.into();
        // Of a very short life, half is used.
        let until = Instant::now() + lifetime.saturating_sub(EARLY).max(lifetime / 2);
        state.access = Some((Arc::clone(&token), until));
        state.refused = None;
        Ok(token)
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().filter(|(_, value)| !value.is_empty());
    // The form of a query and that of a body are one. WHATWG URL 5
    Url::parse_with_params("http://localhost/", pairs)
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}

/// 256 random bits as text. RFC 7636 4.1
fn secret() -> Result<String, Error> {
    let mut octets = [0; 32];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut octets).map_err(|_| Error::Settings("the system has no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn provider(authority: &str) -> Provider {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings =
            Settings { authority: authority.to_owned(), client_id: "app".to_owned(), ..Settings::default() };
        let endpoint = Url::parse("https://mail.example.com/EWS/Exchange.asmx").unwrap();
        Provider::new(reqwest::Client::new(), &settings, Some(&endpoint)).unwrap().unwrap()
    }

    #[test]
    fn entra_and_ad_fs_have_their_own_addresses_and_words() {
        let entra = provider("https://login.microsoftonline.com/contoso.com/");
        assert_eq!(
            entra.endpoint("token"),
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
        );
        assert_eq!(entra.wanted()[0].1, "https://outlook.office365.com/EWS.AccessAsUser.All offline_access");
        let adfs = provider("https://adfs.example.com/adfs");
        assert_eq!(adfs.endpoint("token"), "https://adfs.example.com/adfs/oauth2/token");
        assert_eq!(adfs.wanted()[0], ("resource", "https://mail.example.com".to_owned()));
    }

    #[test]
    fn the_browser_is_sent_with_a_challenge_and_never_with_the_verifier() {
        let browser = provider("https://login.example.com/t").browser("http://127.0.0.1:5/", "a@b").unwrap();
        assert!(
            browser.url.contains("code_challenge_method=S256") && browser.url.contains("login_hint=a%40b")
        );
        assert!(!browser.url.contains(&browser.verifier) && browser.verifier.len() == 43);
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = Settings { client_secret: "s3cret".to_owned(), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
