//! Envelopes: around requests, and out of answers.

use super::error::{Error, ResponseCode};
use crate::xml::{Element, Reader, Writer, decode_lossy};
use std::time::Duration;

/// Namespace of types.
pub const T: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
/// Namespace of messages.
pub const M: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

const PREFIXES: &[(&str, &str)] = &[("soap", SOAP), ("t", T), ("m", M)];

/// A name in the namespace of types.
pub const fn t(local: &'static str) -> crate::xml::Name {
    crate::xml::Name::new(T, local)
}

/// A name in the namespace of messages.
pub const fn m(local: &'static str) -> crate::xml::Name {
    crate::xml::Name::new(M, local)
}

const fn soap(local: &'static str) -> crate::xml::Name {
    crate::xml::Name::new(SOAP, local)
}

/// The document of a request, in the caller's mailbox or in that of somebody whom it may impersonate.
pub fn envelope(version: &str, impersonated: Option<&str>, body: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new(PREFIXES);
    writer.open(&soap("Envelope")).open(&soap("Header"));
    writer.open(&t("RequestServerVersion")).attribute("Version", version).close();
    if let Some(address) = impersonated {
        writer.open(&t("ExchangeImpersonation")).open(&t("ConnectingSID"));
        writer.leaf(&t("PrimarySmtpAddress"), address).close().close();
    }
    writer.close().open(&soap("Body"));
    body(&mut writer);
    writer.finish()
}

/// The same request by another `RequestServerVersion`.
pub fn by_version(request: &[u8], from: &str, to: &str) -> bytes::Bytes {
    let header = |version: &str| format!("RequestServerVersion Version=\"{version}\"");
    String::from_utf8_lossy(request).replacen(&header(from), &header(to), 1).into()
}

/// The operation's answer within an envelope; a Fault becomes an error.
pub fn open_envelope(octets: &[u8]) -> Result<Element, Error> {
    let text = decode_lossy(octets);
    let root = Reader::lenient(&text).document().map_err(|e| Error::Answer(e.to_string()))?;
    let body = root.into_children().find(|child| child.name().local() == "Body");
    let body = body.ok_or_else(|| Error::Answer("there is no soap:Body".to_owned()))?;
    let content = body.into_children().next();
    let content = content.ok_or_else(|| Error::Answer("soap:Body is empty".to_owned()))?;
    if content.name().local() == "Fault" { Err(fault(&content)) } else { Ok(content) }
}

/// `ServerVersionInfo`. MS-OXWSCDATA 2.2.3.12
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerVersion {
    /// Major and minor version.
    pub release: (u32, u32),
    /// Major and minor build.
    pub build: (u32, u32),
    /// Its newest schema.
    pub schema: String,
    /// The `Server` header beside it. RFC 9110 10.2.4
    pub server: String,
}

/// What an answer's header says of the server.
pub fn server_version(octets: &[u8]) -> Option<ServerVersion> {
    let root = Reader::lenient(&decode_lossy(octets)).document().ok()?;
    let info = root.find("Header")?.find("ServerVersionInfo")?;
    let number = |name| info.attribute(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    Some(ServerVersion {
        release: (number("MajorVersion"), number("MinorVersion")),
        build: (number("MajorBuildNumber"), number("MinorBuildNumber")),
        schema: info.attribute("Version").unwrap_or_default().to_owned(),
        server: String::new(),
    })
}

fn fault(fault: &Element) -> Error {
    let detail = fault.find("detail");
    let code = detail
        .and_then(|detail| detail.find("ResponseCode"))
        .or_else(|| fault.find("faultcode"))
        .map(|code| code.text().trim().rsplit(':').next().unwrap_or_default().to_owned())
        .unwrap_or_default();
    if code == "ErrorServerBusy" {
        return Error::Busy { back_off: detail.and_then(back_off) };
    }
    let text = fault.find("faultstring").map(|text| text.text().trim().to_owned()).unwrap_or_default();
    Error::Fault { code: ResponseCode::new(&code), text }
}

/// `BackOffMilliseconds` anywhere below.
fn back_off(element: &Element) -> Option<Duration> {
    value_named(element, "BackOffMilliseconds")?.trim().parse().ok().map(Duration::from_millis)
}

fn value_named(element: &Element, name: &str) -> Option<String> {
    if element.name().local() == "Value" && element.attribute("Name") == Some(name) {
        return Some(element.text().into_owned());
    }
    element.children().find_map(|child| value_named(child, name))
}

/// The response messages of an answer, in the order of the request.
pub fn messages(answer: &Element) -> impl Iterator<Item = &Element> {
    answer.find("ResponseMessages").into_iter().flat_map(Element::children)
}

/// A response message, or what it says went wrong.
pub fn check(message: &Element) -> Result<&Element, Error> {
    if message.attribute("ResponseClass") == Some("Success") {
        return Ok(message);
    }
    let code = message.find("ResponseCode").map(|code| code.text().into_owned()).unwrap_or_default();
    let details = message.find("MessageXml");
    let inner = details.and_then(|xml| value_named(xml, "InnerErrorResponseCode"));
    if code.trim() == "ErrorServerBusy" || inner.as_deref() == Some("ErrorServerBusy") {
        return Err(Error::Busy { back_off: details.and_then(back_off) });
    }
    let text = message.find("MessageText").map(|text| text.text().into_owned()).unwrap_or_default();
    Err(Error::Response { code: ResponseCode::new(&code), text })
}

/// Whether the server did not come to this part of a request: too busy, or stopped by an earlier part. docs/EXCHANGE.md, Errors
pub fn is_put_off(message: &Element) -> bool {
    matches!(check(message), Err(Error::Busy { .. }))
        || message
            .find("ResponseCode")
            .is_some_and(|code| code.text().trim() == "ErrorBatchProcessingStopped")
}

/// `Some` with what the server asks for when it was too busy for every part of a request: nothing was done.
pub fn busy_throughout(answer: &Element) -> Option<Option<Duration>> {
    let mut back_off = None;
    let mut parts = messages(answer).peekable();
    parts.peek()?;
    for message in parts {
        match check(message) {
            Err(Error::Busy { back_off: told }) => back_off = back_off.max(Some(told)),
            _ if is_put_off(message) => {}
            _ => return None,
        }
    }
    back_off
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn within(body: &str) -> Vec<u8> {
        format!(
            "<s:Envelope xmlns:s='{SOAP}' xmlns:t='{T}' xmlns:m='{M}'><s:Body>{body}</s:Body></s:Envelope>"
        )
        .into_bytes()
    }

    #[test]
    fn a_busy_server_is_recognised_in_a_fault_and_in_an_answer() {
        let fault = within(
            "<s:Fault><faultcode>a:ErrorServerBusy</faultcode><faultstring>x</faultstring><detail><t:MessageXml>\
             <t:Value Name='BackOffMilliseconds'>1500</t:Value></t:MessageXml></detail></s:Fault>",
        );
        let wait = Some(Duration::from_millis(1500));
        assert!(matches!(open_envelope(&fault), Err(Error::Busy { back_off }) if back_off == wait));
        let answer = within(
            "<m:GetItemResponse><m:ResponseMessages><m:GetItemResponseMessage ResponseClass='Error'>\
             <m:ResponseCode>ErrorInternalServerError</m:ResponseCode><m:MessageXml>\
             <t:Value Name='InnerErrorResponseCode'>ErrorServerBusy</t:Value></m:MessageXml>\
             </m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse>",
        );
        let answer = open_envelope(&answer).unwrap();
        assert!(matches!(check(messages(&answer).next().unwrap()), Err(Error::Busy { .. })));
    }

    #[test]
    fn a_fault_gives_its_code() {
        let fault = within(
            "<s:Fault><faultcode>a:ErrorSchemaValidation</faultcode><faultstring>The request failed</faultstring>\
             <detail><e:ResponseCode xmlns:e='x'> ErrorSchemaValidation\n</e:ResponseCode></detail></s:Fault>",
        );
        assert!(open_envelope(&fault).unwrap_err().is("ErrorSchemaValidation"));
    }
}
