//! The identity provider: Microsoft Entra's endpoints below `/TENANT/oauth2/v2.0`, those of AD FS below `/adfs/oauth2`.
//!
//! RFC 6749, RFC 7636 (PKCE), RFC 8628 (device code). One application is registered, [`CLIENT`] with [`SECRET`]; it may
//! act for people, and on its own for all mailboxes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::world::World;
use super::{Account, PASSWORD, account};

/// The registered application.
pub const CLIENT: &str = "11111111-2222-4333-8444-555555555555";
/// Its secret.
pub const SECRET: &str = "demo-secret";
/// Who issues tokens.
pub const ISSUER: &str = "00000001-0000-0000-c000-000000000000@example.com";

/// What was issued and is good.
#[derive(Debug, Default)]
pub struct Tokens {
    access: HashMap<String, (Account, Instant)>,
    refresh: HashMap<String, Account>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    lifetime: Option<Duration>,
    issued: u64,
}

#[derive(Debug)]
struct Code {
    account: Account,
    challenge: String,
    redirect: String,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    account: Option<Account>,
    asked: Option<Instant>,
}

/// How long an access token lives if nobody says otherwise: Entra's shortest.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How often a device may ask.
const INTERVAL: Duration = Duration::from_secs(1);

type Form = HashMap<String, String>;

fn form(text: &str) -> Form {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (plain(k), plain(v))).collect()
}

fn secret() -> String {
    let mut octets = [0; 24];
    // Without random numbers nothing works here; an empty token is refused everywhere.
    let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut octets);
    filled.map(|()| URL_SAFE_NO_PAD.encode(octets)).unwrap_or_default()
}

/// RFC 6749 5.2, as Entra writes it.
struct Refusal(&'static str, &'static str);

impl Refusal {
    fn response(self) -> Response {
        let status =
            if self.0 == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let code = self.1.trim_start_matches("AADSTS").split(':').next().and_then(|c| c.parse::<u64>().ok());
        let body = json!({"error": self.0, "error_description": self.1, "error_codes": code.into_iter().collect::<Vec<_>>()});
        (status, axum::Json(body)).into_response()
    }
}

impl Tokens {
    /// Whose access token this is.
    pub fn account(&self, token: &str) -> Option<Account> {
        self.access
            .get(token)
            .filter(|(_, until)| Instant::now() < *until)
            .map(|(account, _)| account.clone())
    }

    /// Access tokens issued from now on live as long.
    pub fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = Some(lifetime);
    }

    /// Access tokens are good no more; with `all`, nor are refresh tokens: people must consent again.
    pub fn revoke(&mut self, all: bool) {
        self.access.clear();
        if all {
            self.refresh.clear();
        }
    }

    /// Answers of the token endpoint since the start.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Answers a request to one of the endpoints; `None` for other paths.
    pub fn answer(
        &mut self,
        world: &World,
        path: &str,
        query: &str,
        body: &str,
        host: &str,
    ) -> Option<Response> {
        let (_, endpoint) = path.rsplit_once('/')?;
        let is_ours = path.starts_with("/adfs/oauth2/")
            || path.contains("/oauth2/v2.0/")
            || path.ends_with("/oauth2/deviceauth");
        if !is_ours {
            return None;
        }
        let form = form(body);
        let outcome = match endpoint {
            "token" => self.token(&form),
            "devicecode" => self.device_code(
                &form,
                &format!(
                    "{}/deviceauth",
                    path.trim_end_matches("/v2.0/devicecode").trim_end_matches("/devicecode")
                ),
                host,
            ),
            "deviceauth" => return Some(self.confirm(world, &form)),
            "authorize" => return Some(self.authorize(world, query, &form)),
            _ => return None,
        };
        Some(outcome.map_or_else(Refusal::response, |value| axum::Json(value).into_response()))
    }

    fn token(&mut self, form: &Form) -> Result<Value, Refusal> {
        let given = |name: &str| form.get(name).map(String::as_str);
        if given("client_id") != Some(CLIENT) {
            return Err(Refusal(
                "unauthorized_client",
                "AADSTS700016: Application was not found in the directory.",
            ));
        }
        if given("client_secret").is_some_and(|secret| secret != SECRET) {
            return Err(Refusal("invalid_client", "AADSTS7000215: Invalid client secret provided."));
        }
        let wrong = |text| Refusal("invalid_grant", text);
        let account = match given("grant_type") {
            Some("client_credentials") => {
                if given("client_secret").is_none() {
                    return Err(Refusal("invalid_client", "AADSTS7000216: 'client_secret' is required."));
                }
                let of_the_app = given("scope").is_some_and(|scope| scope.ends_with("/.default"));
                if !of_the_app && given("resource").is_none() {
                    return Err(Refusal(
                        "invalid_scope",
                        "AADSTS1002012: The scope is not valid: it must end in /.default.",
                    ));
                }
                return Ok(self.issue(Account::App, None));
            }
            Some("refresh_token") => {
                let token = given("refresh_token").unwrap_or_default();
                self.refresh
                    .get(token)
                    .cloned()
                    .ok_or(wrong("AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed."))?
            }
            Some("authorization_code") => {
                let code = self.codes.remove(given("code").unwrap_or_default());
                let code = code
                    .ok_or(wrong("AADSTS70008: The provided authorization code is expired or was used."))?;
                let verifier = given("code_verifier").unwrap_or_default();
                if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != code.challenge {
                    return Err(wrong("AADSTS501481: The Code_Verifier does not match the code_challenge."));
                }
                if given("redirect_uri") != Some(code.redirect.as_str()) {
                    return Err(wrong("AADSTS50011: The redirect URI does not match."));
                }
                code.account
            }
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                let name = given("device_code").unwrap_or_default().to_owned();
                let device =
                    self.devices.get_mut(&name).ok_or(wrong("AADSTS70020: The device code is not known."))?;
                let is_early = device.asked.is_some_and(|at| at.elapsed() < INTERVAL.mul_f32(0.8));
                device.asked = Some(Instant::now());
                match device.account.clone() {
                    _ if is_early => return Err(Refusal("slow_down", "AADSTS70021: Asked too often.")),
                    None => {
                        return Err(Refusal(
                            "authorization_pending",
                            "AADSTS70016: Pending end-user authorization.",
                        ));
                    }
                    Some(account) => {
                        self.devices.remove(&name);
                        account
                    }
                }
            }
            _ => {
                return Err(Refusal(
                    "unsupported_grant_type",
                    "AADSTS70003: The grant type is not supported.",
                ));
            }
        };
        let refresh = secret();
        self.refresh.insert(refresh.clone(), account.clone());
        Ok(self.issue(account, Some(refresh)))
    }

    fn issue(&mut self, account: Account, refresh: Option<String>) -> Value {
        let (token, lifetime) = (secret(), self.lifetime.unwrap_or(LIFETIME));
        self.access.insert(token.clone(), (account, Instant::now() + lifetime));
        self.issued += 1;
        let mut answer =
            json!({"token_type": "Bearer", "expires_in": lifetime.as_secs(), "access_token": token});
        if let (Some(refresh), Some(fields)) = (refresh, answer.as_object_mut()) {
            fields.insert("refresh_token".to_owned(), Value::String(refresh));
        }
        answer
    }

    /// RFC 8628 3.2
    fn device_code(&mut self, form: &Form, page: &str, host: &str) -> Result<Value, Refusal> {
        if form.get("client_id").map(String::as_str) != Some(CLIENT) {
            return Err(Refusal(
                "unauthorized_client",
                "AADSTS700016: Application was not found in the directory.",
            ));
        }
        let scopes = form.get("scope").map(String::as_str).unwrap_or_default();
        if !scopes.contains("EWS.AccessAsUser.All") && !form.contains_key("resource") {
            return Err(Refusal(
                "invalid_scope",
                "AADSTS70011: The provided value for the scope is not valid.",
            ));
        }
        let code = secret();
        let user_code: String =
            code.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_ascii_uppercase();
        let uri = format!("{host}{page}");
        let message = format!("To sign in, open {uri} and enter the code {user_code}.");
        self.devices
            .insert(code.clone(), Device { user_code: user_code.clone(), account: None, asked: None });
        Ok(json!({
            "device_code": code, "user_code": user_code, "verification_uri": uri, "expires_in": 900,
            "interval": INTERVAL.as_secs(), "message": message,
        }))
    }

    fn person(world: &World, form: &Form) -> Option<Account> {
        let name = form.get("login").or_else(|| form.get("user"))?;
        account(world, name, "").filter(|_| form.get("password").map(String::as_str) == Some(PASSWORD))
    }

    /// What a person does at the page of the device code: `code`, `login`, `password`.
    fn confirm(&mut self, world: &World, form: &Form) -> Response {
        let Some(person) = Self::person(world, form) else {
            return (StatusCode::FORBIDDEN, "wrong name or password\n").into_response();
        };
        let wanted = form.get("code").map(String::as_str).unwrap_or_default();
        match self.devices.values_mut().find(|device| device.user_code == wanted) {
            Some(device) => {
                device.account = Some(person);
                "you may close this window\n".into_response()
            }
            None => (StatusCode::NOT_FOUND, "that code is not known\n").into_response(),
        }
    }

    /// RFC 6749 4.1.1. A person posts `login` and `password` to the address that the application opened.
    fn authorize(&mut self, world: &World, query: &str, posted: &Form) -> Response {
        let asked = form(query);
        let given = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let redirect = given("redirect_uri");
        let is_local = redirect.starts_with("http://127.0.0.1:") || redirect.starts_with("http://localhost:");
        let is_right = given("client_id") == CLIENT
            && given("response_type") == "code"
            && given("code_challenge_method") == "S256"
            && is_local;
        if !is_right {
            return (StatusCode::BAD_REQUEST, "AADSTS900144: the request is not valid\n").into_response();
        }
        let Some(person) = Self::person(world, posted) else {
            let page = "<form method=post><input name=login><input name=password type=password><button>";
            return ([(header::CONTENT_TYPE, "text/html")], page).into_response();
        };
        let code = secret();
        self.codes.insert(
            code.clone(),
            Code {
                account: person,
                challenge: given("code_challenge").to_owned(),
                redirect: redirect.to_owned(),
            },
        );
        let state = percent_encoding::utf8_percent_encode(given("state"), percent_encoding::NON_ALPHANUMERIC);
        (StatusCode::FOUND, [(header::LOCATION, format!("{redirect}?code={code}&state={state}"))])
            .into_response()
    }
}
