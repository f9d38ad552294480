//! The two services' documents: what is asked, and what an answer means.

use crate::upstream::ews::error::Error;
use crate::xml::{Element, Name, Reader, Writer, decode_lossy};
use bytes::Bytes;

/// The two services, which differ by the end of their URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `autodiscover.svc`. MS-OXWSADISC
    Soap,
    /// `autodiscover.xml`, “plain old XML”. MS-OXDSCLI
    Pox,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// EWS endpoints, those for the outside first.
    Settings(Vec<String>),
    /// Ask there.
    RedirectUrl(String),
    /// Ask for this mailbox.
    RedirectAddress(String),
    /// The server knows better: its code and words.
    Refused(String),
}

/// Largest answer; real ones are below 20 KB.
pub const MAX_OCTETS: usize = 1 << 20;
/// Endpoints that are looked at.
const MAX_ENDPOINTS: usize = 6;

const A: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const WSA: &str = "http://www.w3.org/2005/08/addressing";
const ACTION: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";
const POX: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const POX_ANSWER: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
const EXTERNAL: &str = "ExternalEwsUrl";
const INTERNAL: &str = "InternalEwsUrl";

const fn a(local: &'static str) -> Name {
    Name::new(A, local)
}

impl Service {
    /// Where it is on a host that follows the convention.
    pub fn path(self) -> &'static str {
        match self {
            Self::Soap => "/autodiscover/autodiscover.svc",
            Self::Pox => "/autodiscover/autodiscover.xml",
        }
    }

    /// Which it is, by a path.
    pub fn of(path: &str) -> Self {
        if path.to_ascii_lowercase().ends_with(".svc") { Self::Soap } else { Self::Pox }
    }

    /// The question for a mailbox's settings.
    pub fn ask(self, url: &str, address: &str) -> Bytes {
        match self {
            Self::Soap => get_user_settings(url, address),
            Self::Pox => {
                // All in the default namespace, without prefixes: servers of other makers do not resolve these.
                let pox = |local| Name::new("", local);
                let mut writer = Writer::new(&[]);
                writer.open(&pox("Autodiscover")).attribute("xmlns", POX).open(&pox("Request"));
                writer.leaf(&pox("EMailAddress"), address);
                writer.leaf(&pox("AcceptableResponseSchema"), POX_ANSWER);
                writer.finish().into()
            }
        }
    }

    /// Reads an answer; whatever it is.
    pub fn read(self, octets: &[u8]) -> Result<Answer, Error> {
        let text = decode_lossy(octets);
        let root = Reader::lenient(&text).document().map_err(|e| Error::Answer(e.to_string()))?;
        let read = match self {
            Self::Soap => read_soap(&root),
            Self::Pox => read_pox(&root),
        };
        read.ok_or_else(|| Error::Answer("it is none of Autodiscover".to_owned()))
    }
}

/// MS-OXWSADISC 3.1.4.2 (GetUserSettings)
fn get_user_settings(url: &str, address: &str) -> Bytes {
    let soap = |local| Name::new(SOAP, local);
    let wsa = |local| Name::new(WSA, local);
    let mut writer = Writer::new(&[("soap", SOAP), ("a", A), ("wsa", WSA)]);
    writer.open(&soap("Envelope")).open(&soap("Header"));
    // The oldest that has the operation; newer servers understand it.
    writer.leaf(&a("RequestedServerVersion"), "Exchange2010");
    writer.leaf(&wsa("Action"), ACTION).leaf(&wsa("To"), url);
    writer.close().open(&soap("Body"));
    writer.open(&a("GetUserSettingsRequestMessage")).open(&a("Request"));
    writer.open(&a("Users")).open(&a("User")).leaf(&a("Mailbox"), address).close().close();
    writer.open(&a("RequestedSettings"));
    writer.leaf(&a("Setting"), EXTERNAL).leaf(&a("Setting"), INTERNAL);
    writer.finish().into()
}

fn text_of(element: &Element, local: &str) -> String {
    element.find(local).map(|e| e.text().trim().to_owned()).unwrap_or_default()
}

fn refused(code: &str, words: &str) -> Answer {
    let text = format!("{code} {words}");
    Answer::Refused(text.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned())
}

/// MS-OXWSADISC 2.2.4 (UserResponse), 2.2.5 (ErrorCode)
fn read_soap(root: &Element) -> Option<Answer> {
    let content = root.find("Body")?.children().next()?;
    if content.name().local() == "Fault" {
        let said = text_of(content, "faultstring");
        return Some(refused("Fault", &said));
    }
    let response = content.find("Response")?;
    let whole = text_of(response, "ErrorCode");
    if whole != "NoError" {
        return Some(refused(&whole, &text_of(response, "ErrorMessage")));
    }
    let user = response.find("UserResponses")?.find("UserResponse")?;
    let target = text_of(user, "RedirectTarget");
    Some(match text_of(user, "ErrorCode").as_str() {
        "RedirectUrl" => Answer::RedirectUrl(target),
        "RedirectAddress" => Answer::RedirectAddress(target),
        "NoError" => {
            let settings: Vec<&Element> = user.find("UserSettings")?.children().collect();
            let named = |name: &str| {
                let found = settings.iter().find(|setting| text_of(setting, "Name") == name);
                found.map(|setting| text_of(setting, "Value")).filter(|url| !url.is_empty())
            };
            Answer::Settings([named(EXTERNAL), named(INTERNAL)].into_iter().flatten().collect())
        }
        code => refused(code, &text_of(user, "ErrorMessage")),
    })
}

/// MS-OXDSCLI 2.2.4 (response). EXPR is for those outside, EXCH for those inside.
fn read_pox(root: &Element) -> Option<Answer> {
    let response = root.find("Response").filter(|_| root.name().local() == "Autodiscover")?;
    if let Some(error) = response.find("Error") {
        return Some(refused(&text_of(error, "ErrorCode"), &text_of(error, "Message")));
    }
    let account = response.find("Account")?;
    match text_of(account, "Action").as_str() {
        "redirectAddr" => return Some(Answer::RedirectAddress(text_of(account, "RedirectAddr"))),
        "redirectUrl" => return Some(Answer::RedirectUrl(text_of(account, "RedirectUrl"))),
        _ => {}
    }
    let protocols = || account.children().filter(|child| child.name().local() == "Protocol");
    let of = |kind: &'static str| {
        let is_kind = move |protocol: &&Element| text_of(protocol, "Type") == kind;
        let url = |protocol: &Element| ["EwsUrl", "ASUrl"].map(|name| text_of(protocol, name));
        protocols().filter(is_kind).flat_map(url).filter(|url| !url.is_empty())
    };
    let mut found: Vec<String> = Vec::new();
    for url in ["EXPR", "EXCH", "EXHTTP"].into_iter().flat_map(of).take(MAX_ENDPOINTS) {
        if !found.contains(&url) {
            found.push(url);
        }
    }
    Some(Answer::Settings(found))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn pox(content: &str) -> String {
        format!(
            "<Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006'>\
             <Response xmlns='{POX_ANSWER}'>{content}</Response></Autodiscover>"
        )
    }

    fn soap(code: &str, content: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='{SOAP}'><s:Body><GetUserSettingsResponseMessage xmlns='{A}'><Response>\
             <ErrorCode>NoError</ErrorCode><UserResponses><UserResponse><ErrorCode>{code}</ErrorCode>{content}\
             </UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn the_endpoint_for_the_outside_comes_first_whatever_the_order() {
        let protocol = |kind, host| {
            format!("<Protocol><Type>{kind}</Type><ASUrl>https://{host}/EWS/Exchange.asmx</ASUrl></Protocol>")
        };
        let document = pox(&format!(
            "<Account><Action>settings</Action>{}{}{}</Account>",
            protocol("EXCH", "inside"),
            protocol("WEB", "web"),
            protocol("EXPR", "outside")
        ));
        let expected = ["outside", "inside"].map(|host| format!("https://{host}/EWS/Exchange.asmx"));
        assert_eq!(
            Service::Pox.read(document.as_bytes()).unwrap(),
            Answer::Settings(expected.clone().into())
        );
        let setting = |name, host| {
            format!(
                "<UserSetting><Name>{name}</Name><Value>https://{host}/EWS/Exchange.asmx</Value></UserSetting>"
            )
        };
        let settings = setting("InternalEwsUrl", "inside") + &setting("ExternalEwsUrl", "outside");
        let document = soap("NoError", &format!("<UserSettings>{settings}</UserSettings>"));
        assert_eq!(Service::Soap.read(document.as_bytes()).unwrap(), Answer::Settings(expected.into()));
    }

    #[test]
    fn redirects_and_refusals_are_told_apart() {
        let address = "<Account><Action>redirectAddr</Action><RedirectAddr>a@b.c</RedirectAddr></Account>";
        let url = "<Account><Action>redirectUrl</Action><RedirectUrl>https://b.c/</RedirectUrl></Account>";
        let error =
            "<Error Id='1' Time='2'><ErrorCode>500</ErrorCode><Message>No such address</Message></Error>";
        for (content, expected) in [
            (address, Answer::RedirectAddress("a@b.c".to_owned())),
            (url, Answer::RedirectUrl("https://b.c/".to_owned())),
            (error, Answer::Refused("500 No such address".to_owned())),
        ] {
            assert_eq!(Service::Pox.read(pox(content).as_bytes()).unwrap(), expected);
        }
        let target = |text: &str| format!("<RedirectTarget> {text} </RedirectTarget>");
        for (document, expected) in [
            (soap("RedirectAddress", &target("a@b.c")), Answer::RedirectAddress("a@b.c".to_owned())),
            (soap("RedirectUrl", &target("https://b.c/")), Answer::RedirectUrl("https://b.c/".to_owned())),
            (
                soap("InvalidUser", "<ErrorMessage>no</ErrorMessage>"),
                Answer::Refused("InvalidUser no".to_owned()),
            ),
        ] {
            assert_eq!(Service::Soap.read(document.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn hostile_answers_end_as_errors() {
        let deep = "<a>".repeat(100_000);
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        for octets in ["", "<html/>", "<Autodiscover/>", deep.as_str(), bomb] {
            for service in [Service::Soap, Service::Pox] {
                assert!(service.read(octets.as_bytes()).is_err(), "{octets:.40}");
            }
        }
    }

    #[test]
    fn the_address_cannot_leave_its_element() {
        for service in [Service::Soap, Service::Pox] {
            let document = service.ask("https://h/", "<x>&@example.com");
            assert!(String::from_utf8(document.to_vec()).unwrap().contains("&lt;x&gt;&amp;@example.com<"));
        }
    }
}
