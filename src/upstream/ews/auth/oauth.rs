//! OAuth 2.0 against Microsoft Entra and AD FS: how tokens are first got, and how they are renewed.
//!
//! An application asks for itself (client credentials) or for a person, who signs in once in a browser, on this machine
//! (authorisation code with PKCE) or on another (device code). From then on the refresh token is enough; it changes
//! with use, and the owner of the [`Tokens`] gets each new one. RFC 6749, RFC 7636, RFC 8628, RFC 8252
//!
//! The flows are those of the crate `oauth2`; here is what Entra and AD FS add to them, and the bounds.

use super::super::error::Error;
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationUrl, EndpointNotSet, EndpointSet, ErrorResponseType, HttpRequest, HttpResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, StandardErrorResponse, TokenResponse as _, TokenUrl,
};
use reqwest::Url;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
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

/// The endpoints for authorisation, device codes and tokens are known.
type Client = BasicClient<EndpointSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The identity provider, as this application sees it.
#[derive(Debug)]
pub struct Provider {
    http: Http,
    client: Client,
    resource: String,
    is_adfs: bool,
}

/// What the provider grants. Without a refresh token, a person's grant ends within the hour.
pub struct Granted(BasicTokenResponse);

impl Granted {
    /// What keeps the sign-in alive.
    pub fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token().map(|token| token.secret().as_str())
    }
}

/// What a person is shown, and what is asked for with it. RFC 8628 3.2
pub struct DeviceCode(StandardDeviceAuthorizationResponse);

impl DeviceCode {
    /// What the person types.
    pub fn user_code(&self) -> &str {
        self.0.user_code().secret()
    }

    /// Where.
    pub fn verification_uri(&self) -> &str {
        self.0.verification_uri()
    }
}

/// A sign-in in the browser of this machine, under way. RFC 7636 4.1
pub struct Browser {
    /// What the browser opens.
    pub url: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
}

/// Refusals that only a person can mend. Entra: AADSTS50173, AADSTS65001 …
const ASK_AGAIN: [&str; 4] = ["invalid_grant", "interaction_required", "consent_required", "login_required"];
/// Tokens are renewed that long before they end.
const EARLY: Duration = Duration::from_secs(60);
/// A refusal is not asked for again within this time.
const REFUSED: Duration = Duration::from_secs(60);
/// No token is used longer, whatever the provider says of it; real ones live for an hour, at Entra up to a day.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// Octets of an answer; real ones have some 5 KB.
const MAX_ANSWER: usize = 1 << 20;
/// How long the provider may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a person may take to enter a code, whatever the provider says.
const DEVICE_CODE_TIMEOUT: Duration = Duration::from_hours(1);
const EXCHANGE_ONLINE: &str = "https://outlook.office365.com";

impl Provider {
    /// `endpoint` is that of EWS, where it is known; `None` without OAuth in the settings. Asks nobody.
    pub(in crate::upstream::ews) fn new(
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
        let version = if is_adfs { "" } else { "/v2.0" };
        let at = |name: &str| format!("{}/oauth2{version}/{name}", settings.authority);
        let wrong = |error| Error::Settings(format!("oauth.authority: {error}"));
        let secret = Some(settings.client_secret).filter(|secret| !secret.is_empty());
        let mut client = BasicClient::new(ClientId::new(settings.client_id))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(at("authorize")).map_err(wrong)?)
            .set_device_authorization_url(DeviceAuthorizationUrl::new(at("devicecode")).map_err(wrong)?)
            .set_token_uri(TokenUrl::new(at("token")).map_err(wrong)?);
        if let Some(secret) = secret {
            client = client.set_client_secret(ClientSecret::new(secret));
        }
        Ok(Some(Self { http: Http(http), client, resource: settings.resource, is_adfs }))
    }

    /// What is asked for on behalf of a person: Entra names it by scopes, AD FS by the resource.
    fn scopes(&self) -> Vec<Scope> {
        let scopes = if self.is_adfs {
            vec!["openid".to_owned()]
        } else {
            vec![format!("{}/EWS.AccessAsUser.All", self.resource), "offline_access".to_owned()]
        };
        scopes.into_iter().map(Scope::new).collect()
    }

    /// The parameter by which AD FS knows the resource.
    fn resource(&self) -> Option<(&str, &str)> {
        self.is_adfs.then_some(("resource", &self.resource))
    }

    /// A token for the application itself. RFC 6749 4.4
    async fn for_itself(&self) -> Result<Granted, Error> {
        let mut request = self.client.exchange_client_credentials();
        match self.resource() {
            Some((name, value)) => request = request.add_extra_param(name, value),
            None => request = request.add_scope(Scope::new(format!("{}/.default", self.resource))),
        }
        request.request_async(&self.http).await.map(Granted).map_err(refused)
    }

    async fn refresh(&self, token: &str) -> Result<Granted, Error> {
        let token = RefreshToken::new(token.to_owned());
        let mut request = self.client.exchange_refresh_token(&token).add_scopes(self.scopes());
        if let Some((name, value)) = self.resource() {
            request = request.add_extra_param(name, value);
        }
        request.request_async(&self.http).await.map(Granted).map_err(refused)
    }

    /// A code for a person to type on any device. RFC 8628 3.1
    pub async fn device_code(&self) -> Result<DeviceCode, Error> {
        let mut request = self.client.exchange_device_code().add_scopes(self.scopes());
        if let Some((name, value)) = self.resource() {
            request = request.add_extra_param(name, value);
        }
        request.request_async(&self.http).await.map(DeviceCode).map_err(refused)
    }

    /// Waits until the person has signed in with the code. RFC 8628 3.4
    pub async fn wait(&self, code: &DeviceCode) -> Result<Granted, Error> {
        let until = code.0.expires_in().min(DEVICE_CODE_TIMEOUT);
        let request = self.client.exchange_device_access_token(&code.0);
        request.request_async(&self.http, tokio::time::sleep, Some(until)).await.map(Granted).map_err(refused)
    }

    /// Begins a sign-in in a browser that comes back to `redirect`. RFC 8252 7.3
    pub fn browser(&self, redirect: &str, login: &str) -> Result<Browser, Error> {
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|e| Error::Settings(e.to_string()))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = self
            .client
            .authorize_url(CsrfToken::new_random)
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .set_pkce_challenge(challenge)
            .add_scopes(self.scopes())
            .add_extra_param("login_hint", login);
        if let Some((name, value)) = self.resource() {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(Browser { url, state, verifier, redirect })
    }

    /// Ends it with the query that the browser came back with. RFC 6749 4.1.3
    pub async fn redeem(&self, browser: Browser, query: &str) -> Result<Granted, Error> {
        let url =
            Url::parse(&format!("http://localhost/?{query}")).map_err(|e| Error::Answer(e.to_string()))?;
        let given =
            |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        if given("state").as_ref() != Some(browser.state.secret()) {
            return Err(Error::Consent("the browser came back from another sign-in".to_owned()));
        }
        if let Some(error) = given("error") {
            return Err(refusal(&error, given("error_description").as_deref()));
        }
        let code = given("code").ok_or_else(|| Error::Consent("the browser brought no code".to_owned()))?;
        let request = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(browser.verifier)
            .set_redirect_uri(Cow::Owned(browser.redirect));
        request.request_async(&self.http).await.map(Granted).map_err(refused)
    }
}

/// How the provider is asked.
#[derive(Debug)]
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Http {
    /// One request of a flow; a provider that is out of order is unreachable.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let away = |error: reqwest::Error| {
            Error::Unreachable(format!("the identity provider: {}", error.without_url()))
        };
        let request = reqwest::Request::try_from(request).map_err(away)?;
        let sent = reqwest::RequestBuilder::from_parts(self.0.clone(), request).timeout(ANSWER_TIMEOUT);
        let mut answer = sent.send().await.map_err(away)?;
        let status = answer.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(Error::Unreachable(format!("the identity provider answers {status}")));
        }
        let mut octets = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(away)? {
            if octets.len() + piece.len() > MAX_ANSWER {
                return Err(strange("it is too long"));
            }
            octets.extend_from_slice(&piece);
        }
        let mut response = HttpResponse::new(octets);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// The provider's answer is none of OAuth's.
fn strange(why: &str) -> Error {
    Error::Settings(format!("oauth.authority: the answer is none of an identity provider: {why}"))
}

fn refused<T>(error: RequestTokenError<Error, StandardErrorResponse<T>>) -> Error
where
    T: ErrorResponseType + AsRef<str> + fmt::Display + 'static,
{
    match error {
        RequestTokenError::ServerResponse(answer) => {
            refusal(answer.error().as_ref(), answer.error_description().map(String::as_str))
        }
        RequestTokenError::Request(error) => error,
        // The octets may hold a token.
        RequestTokenError::Parse(error, _) => strange(&format!("no good value at `{}`", error.path())),
        RequestTokenError::Other(why) => strange(&why),
    }
}

fn refusal(code: &str, description: Option<&str>) -> Error {
    let described = description.unwrap_or_default().lines().next().unwrap_or_default();
    let text = format!("{code}: {}", described.chars().take(300).collect::<String>());
    match code {
        "expired_token" => Error::Consent("nobody signed in with the code".to_owned()),
        "access_denied" => Error::Consent(text),
        _ if ASK_AGAIN.contains(&code) => Error::Consent(text),
        _ => Error::Settings(format!("the identity provider refuses the application: {text}")),
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
    pub(in crate::upstream::ews) async fn bearer(&self, refused: Option<&str>) -> Result<Arc<str>, Error> {
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
        if let (Some(new), Some(old)) = (granted.refresh_token(), &mut state.refresh)
            && new != old
        {
            new.clone_into(old);
            if let Some(keep) = &self.keep {
                keep(new);
            }
        }
        let lifetime = granted.0.expires_in().unwrap_or_default().min(MAX_LIFETIME);
        let token: Arc<str> = granted.0.access_token().secret().as_str().into();
        // Of a very short life, half is used.
        let until = Instant::now() + lifetime.saturating_sub(EARLY).max(lifetime / 2);
        state.access = Some((Arc::clone(&token), until));
        state.refused = None;
        Ok(token)
    }
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
            entra.client.token_uri().as_str(),
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
        );
        let scopes: Vec<_> = entra.scopes().iter().map(|scope| scope.to_string()).collect();
        assert_eq!(scopes, ["https://outlook.office365.com/EWS.AccessAsUser.All", "offline_access"]);
        assert_eq!(entra.resource(), None);
        let adfs = provider("https://adfs.example.com/adfs");
        assert_eq!(adfs.client.token_uri().as_str(), "https://adfs.example.com/adfs/oauth2/token");
        assert_eq!(adfs.resource(), Some(("resource", "https://mail.example.com")));
    }

    #[test]
    fn the_browser_is_sent_with_a_challenge_and_never_with_the_verifier() {
        let browser = provider("https://login.example.com/t").browser("http://127.0.0.1:5/", "a@b").unwrap();
        let url = browser.url.as_str();
        assert!(url.contains("code_challenge_method=S256") && url.contains("login_hint=a%40b"));
        assert!(!url.contains(browser.verifier.secret()) && browser.verifier.secret().len() == 43);
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = Settings { client_secret: "s3cret".to_owned(), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
