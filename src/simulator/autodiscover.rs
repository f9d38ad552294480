//! Autodiscover: both services, over all mailboxes. MS-OXDSCLI (POX), MS-OXWSADISC (SOAP)
//!
//! Whoever is signed in may ask about anybody, as at Exchange. Namespaces are those of real answers.

use std::fmt::Write as _;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use quick_xml::NsReader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use serde::Deserialize;

use super::world::World;

/// How this Exchange answers. `POST /autodiscover` of the control interface
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// What is told as the endpoint for those outside; else the host that was asked.
    pub ews_url: Option<String>,
    /// `redirectAddr` for every other mailbox.
    pub redirect_address: Option<String>,
    /// `redirectUrl` for every mailbox.
    pub redirect_url: Option<String>,
    /// The whole server answers 302 with this.
    pub http_redirect: Option<String>,
    /// `autodiscover.svc` is not there, as before Exchange 2010 and at other makers' servers.
    pub without_soap: bool,
    /// EWS is not here any more.
    pub without_ews: bool,
}

/// The two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// MS-OXWSADISC
    Soap,
    /// MS-OXDSCLI
    Pox,
}

const A: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const WSA: &str = "http://www.w3.org/2005/08/addressing";
const ACTION: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";
const POX: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const ANSWER: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
/// Not for those outside.
const INTERNAL: &str = "https://exchange.corp.example.com/EWS/Exchange.asmx";
const MAX_DEPTH: usize = 20;
/// Users of one request. MS-OXWSADISC 3.1.4.2
const MAX_USERS: usize = 100;

impl Service {
    /// Which of them a path names.
    pub fn of(path: &str) -> Option<Self> {
        match path.to_ascii_lowercase().as_str() {
            "/autodiscover/autodiscover.svc" => Some(Self::Soap),
            "/autodiscover/autodiscover.xml" => Some(Self::Pox),
            _ => None,
        }
    }
}

/// One leaf of a request: the names down to it, each with its namespace, and its text.
struct Leaf {
    path: Vec<(String, String)>,
    text: String,
}

impl Leaf {
    fn is(&self, path: &[(&str, &str)]) -> bool {
        self.path.len() == path.len()
            && self.path.iter().zip(path).all(|((s, n), (space, name))| s == space && n == name)
    }
}

fn leaves(octets: &[u8]) -> Option<Vec<Leaf>> {
    let mut reader = NsReader::from_reader(octets);
    let (mut path, mut text, mut found) = (Vec::new(), String::new(), Vec::new());
    let mut is_leaf = false;
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) => {
                let (space, name) = reader.resolver().resolve_element(start.name());
                let ResolveResult::Bound(space) = space else { return None };
                path.push((space.as_ref().to_owned(), name.as_ref().to_owned()));
                if path.len() > MAX_DEPTH {
                    return None;
                }
                (is_leaf, text) = (true, String::new());
            }
            Event::End(_) => {
                if is_leaf {
                    found.push(Leaf { path: path.clone(), text: text.trim().to_owned() });
                }
                is_leaf = false;
                path.pop()?;
            }
            Event::Text(part) => text.push_str(part.as_ref()),
            Event::GeneralRef(name) => text.push_str(match &*name {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                "apos" => "'",
                _ => return None,
            }),
            Event::DocType(_) => return None,
            Event::Eof => return path.is_empty().then_some(found),
            _ => {}
        }
        buffer.clear();
    }
}

/// The answer to one who is signed in; `host` is what was asked, with its scheme.
pub fn answer(world: &World, plan: &Plan, service: Service, host: &str, body: &[u8]) -> Response {
    let ews = plan.ews_url.clone().unwrap_or_else(|| format!("{host}/EWS/Exchange.asmx"));
    let (status, text) = match service {
        Service::Soap => soap(world, plan, &ews, body),
        Service::Pox => (StatusCode::OK, pox(world, plan, &ews, body)),
    };
    (status, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response()
}

fn is_known(world: &World, address: &str) -> bool {
    world.mailbox(address).is_some()
}

/// Whether this mailbox is elsewhere.
fn other_address<'a>(plan: &'a Plan, address: &str) -> Option<&'a str> {
    plan.redirect_address.as_deref().filter(|other| !other.eq_ignore_ascii_case(address))
}

fn pox(world: &World, plan: &Plan, ews: &str, body: &[u8]) -> String {
    let root = [(POX, "Autodiscover"), (POX, "Request")];
    let leaves = leaves(body).unwrap_or_default();
    let field = |name| {
        let path = [root.as_slice(), &[(POX, name)]].concat();
        leaves.iter().find(|leaf| leaf.is(&path)).map(|leaf| leaf.text.as_str())
    };
    let Some((address, schema)) = field("EMailAddress").zip(field("AcceptableResponseSchema")) else {
        return pox_error(600, "Invalid Request");
    };
    if schema != OUTLOOK {
        return pox_error(601, "Provider is not available");
    }
    let account = if let Some(other) = other_address(plan, address) {
        format!("<Action>redirectAddr</Action><RedirectAddr>{}</RedirectAddr>", escape(other))
    } else if let Some(url) = &plan.redirect_url {
        format!("<Action>redirectUrl</Action><RedirectUrl>{}</RedirectUrl>", escape(url.as_str()))
    } else if is_known(world, address) {
        let protocol = |kind: &str, url: &str| {
            let url = escape(url);
            format!(
                "<Protocol><Type>{kind}</Type><Server>mail.example.com</Server><ASUrl>{url}</ASUrl><EwsUrl>{url}</EwsUrl>\
                 <OOFUrl>{url}</OOFUrl></Protocol>"
            )
        };
        let (inside, outside) = (protocol("EXCH", INTERNAL), protocol("EXPR", ews));
        format!("<AccountType>email</AccountType><Action>settings</Action>{inside}{outside}")
    } else {
        return pox_error(500, "The e-mail address cannot be found.");
    };
    let name = escape(address.split('@').next().unwrap_or_default());
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"{ANSWER}\"><Response xmlns=\"{OUTLOOK}\">\
         <User><DisplayName>{name}</DisplayName></User><Account>{account}</Account></Response></Autodiscover>"
    )
}

fn pox_error(code: u16, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"{ANSWER}\"><Response>\
         <Error Time=\"21:25:04.8897083\" Id=\"4130155072\"><ErrorCode>{code}</ErrorCode><Message>{message}</Message>\
         <DebugData/></Error></Response></Autodiscover>"
    )
}

fn soap(world: &World, plan: &Plan, ews: &str, body: &[u8]) -> (StatusCode, String) {
    let Some(leaves) = leaves(body) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, fault("s:Client", "The request is not well formed."));
    };
    let header =
        |space, name| leaves.iter().find(|l| l.is(&[(SOAP, "Envelope"), (SOAP, "Header"), (space, name)]));
    if header(WSA, "Action").is_none_or(|action| action.text != ACTION) {
        let text = "The message with Action '' cannot be processed at the receiver, due to a ContractFilter mismatch at \
                    the EndpointDispatcher.";
        return (StatusCode::INTERNAL_SERVER_ERROR, fault("a:ActionNotSupported", text));
    }
    let request = [(SOAP, "Envelope"), (SOAP, "Body"), (A, "GetUserSettingsRequestMessage"), (A, "Request")];
    let all = |below: &[(&str, &str)]| -> Vec<&str> {
        let path = [request.as_slice(), below].concat();
        leaves.iter().filter(|leaf| leaf.is(&path)).map(|leaf| leaf.text.as_str()).collect()
    };
    let users = all(&[(A, "Users"), (A, "User"), (A, "Mailbox")]);
    let settings = all(&[(A, "RequestedSettings"), (A, "Setting")]);
    if header(A, "RequestedServerVersion").is_none() {
        return (
            StatusCode::OK,
            whole("InvalidRequest", "The RequestedServerVersion header is missing.", ""),
        );
    }
    if users.is_empty() || settings.is_empty() || users.len() > MAX_USERS {
        return (StatusCode::OK, whole("InvalidRequest", "The request is invalid.", ""));
    }
    let responses: String =
        users.into_iter().map(|address| user(world, plan, ews, address, &settings)).collect();
    (StatusCode::OK, whole("NoError", "", &format!("<UserResponses>{responses}</UserResponses>")))
}

fn user(world: &World, plan: &Plan, ews: &str, address: &str, settings: &[&str]) -> String {
    let response = |code: &str, message: &str, target: Option<&str>, rest: &str| {
        let target = match target {
            Some(target) => format!("<RedirectTarget>{}</RedirectTarget>", escape(target)),
            None => "<RedirectTarget i:nil=\"true\"/>".to_owned(),
        };
        let rest = if rest.is_empty() { "<UserSettingErrors/><UserSettings/>" } else { rest };
        format!(
            "<UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{message}</ErrorMessage>{target}{rest}</UserResponse>"
        )
    };
    if let Some(other) = other_address(plan, address) {
        return response("RedirectAddress", "Redirection address.", Some(other), "");
    }
    if let Some(url) = &plan.redirect_url {
        return response("RedirectUrl", "Redirection URL.", Some(url), "");
    }
    if !is_known(world, address) {
        let text = format!("The user '{}' could not be found.", escape(address));
        return response("InvalidUser", &text, None, "");
    }
    let (mut errors, mut found) = (String::new(), String::new());
    for setting in settings {
        let value = match *setting {
            "ExternalEwsUrl" => ews,
            "InternalEwsUrl" => INTERNAL,
            "CasVersion" => "15.01.2507.039",
            "EwsSupportedSchemas" => {
                "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, \
                                      Exchange2013, Exchange2013_SP1, Exchange2015, Exchange2016"
            }
            "UserDisplayName" | "AutoDiscoverSMTPAddress" => address,
            _ => {
                let _ = write!(
                    errors,
                    "<UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode><ErrorMessage>Setting is not available.\
                     </ErrorMessage><SettingName>{}</SettingName></UserSettingError>",
                    escape(*setting)
                );
                continue;
            }
        };
        let _ = write!(
            found,
            "<UserSetting i:type=\"StringSetting\"><Name>{setting}</Name><Value>{}</Value></UserSetting>",
            escape(value)
        );
    }
    let rest = format!("<UserSettingErrors>{errors}</UserSettingErrors><UserSettings>{found}</UserSettings>");
    response("NoError", "No error.", None, &rest)
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{SOAP}\" xmlns:a=\"{WSA}\"><s:Header>{header}\
         </s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn whole(code: &str, message: &str, rest: &str) -> String {
    let header = format!(
        "<a:Action s:mustUnderstand=\"1\">{ACTION}Response</a:Action><h:ServerVersionInfo xmlns:h=\"{A}\">\
         <h:MajorVersion>15</h:MajorVersion><h:MinorVersion>1</h:MinorVersion>\
         <h:MajorBuildNumber>2507</h:MajorBuildNumber><h:MinorBuildNumber>39</h:MinorBuildNumber>\
         <h:Version>Exchange2016</h:Version></h:ServerVersionInfo>"
    );
    let body = format!(
        "<GetUserSettingsResponseMessage xmlns=\"{A}\"><Response xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <ErrorCode>{code}</ErrorCode><ErrorMessage>{message}</ErrorMessage>{rest}</Response>\
         </GetUserSettingsResponseMessage>"
    );
    envelope(&header, &body)
}

fn fault(code: &str, text: &str) -> String {
    let body = format!(
        "<s:Fault><faultcode>{code}</faultcode><faultstring xml:lang=\"en-US\">{}</faultstring></s:Fault>",
        escape(text)
    );
    envelope("", &body)
}
