//! One HTTP exchange with the upstream, signed in.
//!
//! **Invariant:** once the scheme is known, a request is sent once; only NTLM says more, and only on a new connection.

use super::affinity::{self, ANCHOR_MAILBOX};
use super::auth::oauth::Tokens;
use super::auth::pinned::{Answered, Post};
use super::auth::{self, Choice, Credentials, Scheme, Secret};
use super::client::{Exchange, Session};
use super::endpoint::Endpoint;
use super::error::Error;
use super::network::unreachable;
use bytes::{Bytes, BytesMut};
use flate2::bufread::GzDecoder;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
    USER_AGENT,
};
use reqwest::{StatusCode, Url};
use std::io::Read as _;
use std::time::Duration;
use tokio::time::Instant;

/// A POST to the endpoint.
#[derive(Clone)]
pub(super) struct Request {
    /// The document.
    pub body: Bytes,
    /// Headers beside those that every request has.
    pub headers: HeaderMap,
    /// How long the whole exchange may take; `None`: only the answer's beginning has a limit, its end has none.
    pub timeout: Option<Duration>,
    /// Over whose connections it travels; `None`: those that the user's requests share, or one of its own where the
    /// answer goes on.
    pub client: Option<reqwest::Client>,
}

/// Its answer; the body comes in pieces.
pub(super) struct Response {
    /// Any but 401.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    body: Body,
    deadline: Option<Instant>,
}

enum Body {
    Pooled(reqwest::Response),
    Pinned(Answered),
}

impl Response {
    /// The next octets, or `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = async {
            match &mut self.body {
                Body::Pooled(answer) => answer.chunk().await.map_err(lost),
                Body::Pinned(answer) => answer.chunk().await,
            }
        };
        match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, next).await.map_err(|_| late())?,
            None => next.await,
        }
    }

    /// The whole body, of at most so many octets.
    pub async fn bytes(mut self, most: usize) -> Result<Bytes, Error> {
        let too_much = || Error::Answer(format!("it is larger than {most} octets"));
        let mut whole = BytesMut::new();
        while let Some(octets) = self.chunk().await? {
            if whole.len() + octets.len() > most {
                return Err(too_much());
            }
            whole.extend_from_slice(&octets);
        }
        // Pooled answers come unpacked.
        let packed = matches!(self.body, Body::Pinned(_))
            && self.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        if !packed {
            return Ok(whole.freeze());
        }
        let mut plain = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = GzDecoder::new(whole.as_ref()).take(limit).read_to_end(&mut plain);
        read.map_err(|error| Error::Answer(error.to_string()))?;
        if plain.len() > most { Err(too_much()) } else { Ok(plain.into()) }
    }
}

impl Session {
    /// Sends a request to the mailbox's endpoint, signed in by the scheme of that; once more if the mailbox has moved.
    ///
    /// Fails with [`Error::SignIn`] when the secret was refused, and does not show it again for a while.
    pub(super) async fn post(&self, mut request: Request) -> Result<Response, Error> {
        let (exchange, credentials) = (self.exchange(), self.credentials());
        if let Some(group) = self.group() {
            affinity::write(group, &mut request.headers);
        }
        let endpoint = exchange.endpoint(credentials).await?;
        // Boxed: what waits for an answer is part of every task that asks for anything.
        let mut outcome = Box::pin(exchange.post(credentials, &endpoint, request.clone())).await;
        let is_elsewhere = match &outcome {
            Ok(answer) => MOVED.contains(&answer.status.as_u16()),
            Err(error) => matches!(error, Error::Unreachable(_) | Error::Certificate(_)),
        };
        if is_elsewhere && let Some(endpoint) = exchange.moved(credentials, &endpoint).await {
            outcome = Box::pin(exchange.post(credentials, &endpoint, request)).await;
        }
        let outcome = outcome.map_err(|error| error.at(endpoint.url()));
        if let (Some(group), Ok(answer)) = (self.group(), &outcome) {
            affinity::read(group, &answer.headers);
        }
        outcome
    }
}

/// Nothing was carried out where these come from: the mailbox, or EWS as a whole, is at another place.
const MOVED: [u16; 8] = [301, 302, 303, 307, 308, 404, 410, 456];

/// Somebody's way to one endpoint.
struct Way<'a> {
    exchange: &'a Exchange,
    credentials: &'a Credentials,
    endpoint: &'a Endpoint,
}

impl Exchange {
    /// Sends a request to an endpoint, signed in by the scheme of that.
    ///
    /// Fails with [`Error::SignIn`] when the secret was refused, and does not show it again for a while.
    pub(super) async fn post(
        &self,
        credentials: &Credentials,
        endpoint: &Endpoint,
        request: Request,
    ) -> Result<Response, Error> {
        let begin = Instant::now() + request.timeout.unwrap_or(self.settings().timeout);
        let deadline = request.timeout.map(|_| begin);
        let identity = credentials.identity();
        identity.may_try()?;
        let way = Way { exchange: self, credentials, endpoint };
        let sent = tokio::time::timeout_at(begin, way.signed_in(request)).await;
        let (status, headers, body) = identity.tried(sent.map_err(|_| late())?)?;
        Ok(Response { status, headers, body, deadline })
    }

    /// The same where a refusal proves nothing: it is told, not remembered.
    pub(super) async fn try_post(
        &self,
        credentials: &Credentials,
        endpoint: &Endpoint,
        request: Request,
    ) -> Result<Response, Error> {
        credentials.identity().may_try()?;
        let way = Way { exchange: self, credentials, endpoint };
        let (status, headers, body) = way.signed_in(request).await?;
        Ok(Response { status, headers, body, deadline: None })
    }

    /// A request of one who does not sign in.
    pub(super) async fn knock(&self, url: &Url) -> Result<reqwest::Response, Error> {
        // IIS answers 411 to a POST that does not say that it is empty.
        let request = self.http().post(url.clone()).header(CONTENT_LENGTH, 0);
        let request = request.header(CONTENT_TYPE, "text/xml; charset=utf-8").body("");
        request.header(USER_AGENT, &self.settings().user_agent).send().await.map_err(lost)
    }
}

impl Way<'_> {
    async fn signed_in(&self, request: Request) -> Result<(StatusCode, HeaderMap, Body), Error> {
        let Request { body, mut headers, timeout, client } = request;
        let settings = self.exchange.settings();
        let text = |value: &str| HeaderValue::from_str(value).map_err(|e| Error::Settings(e.to_string()));
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/xml; charset=utf-8"));
        headers.insert(USER_AGENT, text(&settings.user_agent)?);
        if let Some(anchor) = self.credentials.anchor().and_then(|a| HeaderValue::from_str(a).ok()) {
            headers.entry(ANCHOR_MAILBOX).or_insert(anchor);
        }
        // A stream's envelopes must come at once, not when a compressor thinks fit.
        if timeout.is_some() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        } else {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let http = match (client, timeout) {
            (Some(client), _) => client,
            (None, Some(_)) => self.credentials.line().client(|| self.exchange.connections())?,
            (None, None) => self.exchange.hanging().clone(),
        };
        let http = &http;
        let identity = self.credentials.identity();
        let password = match identity.secret() {
            Secret::Password(password) => password,
            Secret::Tokens(tokens) => return self.with_token(http, tokens, headers, body).await,
        };
        match self.scheme().await? {
            Scheme::Basic => {
                let answer = self
                    .pooled(http, &auth::basic(self.credentials.login(), password), headers, body)
                    .await?;
                if answer.status() != StatusCode::UNAUTHORIZED {
                    return Ok(pooled(answer));
                }
                // A server that no longer takes this scheme has not said that the password is wrong.
                if !Scheme::Basic.is_offered(answer.headers()) && Scheme::best(answer.headers()).is_some() {
                    self.endpoint.schemes().learn(None);
                    return Err(Error::Scheme(Scheme::Basic));
                }
                Err(Error::SignIn)
            }
            scheme => {
                let (network, url) = (self.exchange.network(), self.endpoint.url());
                let sent = Post { network, url, scheme, headers: &headers, body }.send(identity).await;
                if matches!(sent, Err(Error::Scheme(_))) {
                    self.endpoint.schemes().learn(None);
                }
                let answer = sent?;
                Ok((answer.status, answer.headers.clone(), Body::Pinned(answer)))
            }
        }
    }

    async fn with_token(
        &self,
        http: &reqwest::Client,
        tokens: &Tokens,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Body), Error> {
        let token = tokens.bearer(None).await?;
        let answer = self.pooled(http, &format!("Bearer {token}"), headers.clone(), body.clone()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(pooled(answer));
        }
        // Tokens end before their time when somebody's rights change; a fresh one is asked for once.
        let token = tokens.bearer(Some(&token)).await?;
        let answer = self.pooled(http, &format!("Bearer {token}"), headers, body).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(pooled(answer));
        }
        Err(Error::Consent("Exchange refused a token that the identity provider had just issued".to_owned()))
    }

    async fn pooled(
        &self,
        http: &reqwest::Client,
        authorization: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<reqwest::Response, Error> {
        let mut authorization = HeaderValue::from_str(authorization).map_err(|_| Error::SignIn)?;
        authorization.set_sensitive(true);
        let request = http.post(self.endpoint.url().clone());
        request.headers(headers).header(AUTHORIZATION, authorization).body(body).send().await.map_err(lost)
    }

    /// The scheme for passwords: what was chosen, what is known, or what the server says to one who does not sign in.
    async fn scheme(&self) -> Result<Scheme, Error> {
        if let Choice::Only(scheme) = self.exchange.settings().sign_in {
            return Ok(scheme);
        }
        if let Some(scheme) = self.endpoint.schemes().learned() {
            return Ok(scheme);
        }
        let answer = self.exchange.knock(self.endpoint.url()).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => {
                let scheme = Scheme::best(answer.headers()).ok_or(Error::NoScheme)?;
                tracing::info!(%scheme, "Exchange is signed in to");
                self.endpoint.schemes().learn(Some(scheme));
                Ok(scheme)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(Error::Busy { back_off: None })
            }
            StatusCode::FORBIDDEN => Err(Error::Forbidden),
            // It does not ask who comes: Basic does no harm, and is not remembered.
            status if status.is_success() || status.is_client_error() => Ok(Scheme::Basic),
            status => {
                Err(Error::Http { status: status.as_u16(), text: "to a request without sign-in".to_owned() })
            }
        }
    }
}

fn pooled(answer: reqwest::Response) -> (StatusCode, HeaderMap, Body) {
    (answer.status(), answer.headers().clone(), Body::Pooled(answer))
}

fn late() -> Error {
    Error::Lost("no answer in time".to_owned())
}

pub(super) fn lost(error: reqwest::Error) -> Error {
    let (is_connect, error) = (error.is_connect(), error.without_url());
    match unreachable(&error) {
        Error::Unreachable(text) if !is_connect => Error::Lost(text),
        other => other,
    }
}
