//! Envelopes: out of requests, around answers. Requests are checked against the grammar before anybody looks at them.

use quick_xml::NsReader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};

use super::element::{Element, Space};
use super::product::Product;
use super::schema::grammar;

/// Levels of elements that a request may have.
const MAX_DEPTH: usize = 60;

/// A request: its headers and its operation.
#[derive(Debug)]
pub struct Envelope {
    /// SOAP headers of the types namespace.
    pub headers: Vec<Element>,
    /// The element of the operation.
    pub body: Element,
}

impl Envelope {
    /// A header by its local name.
    pub fn header(&self, name: &str) -> Option<&Element> {
        self.headers.iter().find(|header| header.name == name)
    }
}

/// A request that is refused as a whole: HTTP 500 with a SOAP fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `ErrorSchemaValidation`, `ErrorServerBusy` …
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// `Name` and text of `t:Value` elements in MessageXml.
    pub values: Vec<(&'static str, String)>,
}

impl Fault {
    /// A fault without values.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), values: Vec::new() }
    }

    /// Exchange's answer to a request that its schema does not know.
    fn schema(violation: &str) -> Self {
        Self {
            code: "ErrorSchemaValidation",
            text: format!("The request failed schema validation: {violation}"),
            values: Vec::new(),
        }
    }
}

/// Reads a request and checks it against the grammar.
pub fn read(octets: &[u8]) -> Result<Envelope, Fault> {
    let malformed = |why: String| Fault::schema(&why);
    let text = std::str::from_utf8(octets).map_err(|e| malformed(e.to_string()))?;
    let root = tree(text)?;
    if root.name != "Envelope" || root.space != Space::Soap {
        return Err(malformed("The root element is not a SOAP 1.1 envelope.".to_owned()));
    }
    let headers: Vec<Element> = root.child("Header").map(|h| h.children.clone()).unwrap_or_default();
    let body = root
        .child("Body")
        .and_then(|body| body.children.first())
        .ok_or_else(|| malformed("The SOAP body is empty.".to_owned()))?
        .clone();
    for header in headers.iter().filter(|header| header.space == Space::Types) {
        if header.name == "RequestServerVersion" && grammar().check_header(header).is_err() {
            return Err(Fault::new("ErrorInvalidServerVersion", "The specified server version is invalid."));
        }
        grammar().check_header(header).map_err(|violation| malformed(violation.text))?;
    }
    if !grammar().operation(body.name) {
        return Err(Fault::new("ErrorInvalidRequest", "The request is invalid."));
    }
    grammar().check_body(&body).map_err(|violation| malformed(violation.text))?;
    Ok(Envelope { headers, body })
}

fn tree(text: &str) -> Result<Element, Fault> {
    let malformed = |why: String| Fault::schema(&why);
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|e| malformed(e.to_string()))?;
        let space = match resolved {
            ResolveResult::Bound(namespace) => space(namespace.as_ref())
                .ok_or_else(|| malformed("An element is in an unknown namespace.".to_owned())),
            ResolveResult::Unbound => Ok(Space::None),
            ResolveResult::Unknown(_) => Err(malformed("A prefix is not declared.".to_owned())),
        };
        let ended = match event {
            Event::Start(start) => {
                let element = element(&start, space?)?;
                if open.len() >= MAX_DEPTH {
                    return Err(malformed("The request is nested too deeply.".to_owned()));
                }
                open.push(element);
                None
            }
            Event::Empty(start) => Some(element(&start, space?)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                if let Some(top) = open.last_mut() {
                    top.text.push_str(text.as_ref());
                }
                None
            }
            Event::GeneralRef(reference) => {
                let name: &str = reference.as_ref();
                let resolved =
                    unescape(&format!("&{name};")).map_err(|e| malformed(e.to_string()))?.into_owned();
                if let Some(top) = open.last_mut() {
                    top.text.push_str(&resolved);
                }
                None
            }
            Event::CData(data) => {
                if let Some(top) = open.last_mut() {
                    top.text.push_str(data.as_ref());
                }
                None
            }
            Event::DocType(_) => return Err(malformed("A DTD is not allowed.".to_owned())),
            Event::Eof => return Err(malformed("The request ends too early.".to_owned())),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
        };
        if let Some(mut ended) = ended {
            if !ended.children.is_empty() {
                ended.text.clear();
            }
            match open.last_mut() {
                Some(parent) => parent.children.push(ended),
                None => return Ok(ended),
            }
        }
    }
}

fn space(namespace: &str) -> Option<Space> {
    [Space::Types, Space::Messages, Space::Soap].into_iter().find(|space| space.uri() == namespace)
}

/// An element without its content; a name that the grammar does not have is no element of any request.
fn element(start: &BytesStart<'_>, space: Space) -> Result<Element, Fault> {
    let local = start.local_name();
    let local: &str = local.as_ref();
    let known = match (space, local) {
        (Space::Soap, "Envelope") => Some("Envelope"),
        (Space::Soap, "Header") => Some("Header"),
        (Space::Soap, "Body") => Some("Body"),
        _ => grammar().name(local),
    };
    let name = known.ok_or_else(|| Fault::schema(&format!("The element '{local}' is not known.")))?;
    let mut element = Element { space, name, ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| Fault::schema(&e.to_string()))?;
        if attribute
            .key
            .as_namespace_binding()
            .is_some_and(|b| matches!(b, PrefixDeclaration::Default | PrefixDeclaration::Named(_)))
        {
            continue;
        }
        let key: &str = attribute.key.as_ref();
        if key.contains(':') {
            continue;
        }
        let name = grammar()
            .name(key)
            .ok_or_else(|| Fault::schema(&format!("The '{key}' attribute is not declared.")))?;
        let value =
            unescape(attribute.value.as_ref()).map_err(|e| Fault::schema(&e.to_string()))?.into_owned();
        element.attributes.push((name, value));
    }
    Ok(element)
}

/// The document of an answer.
pub fn answer(body: &Element, product: Product) -> Vec<u8> {
    let mut out = String::with_capacity(4096);
    open(&mut out, product);
    write(&mut out, body);
    out.push_str("</s:Body></s:Envelope>");
    out.into_bytes()
}

/// The document of a fault.
pub fn fault(fault: &Fault, product: Product) -> Vec<u8> {
    let mut out = String::with_capacity(1024);
    if !product.traits().has_codes_in_faults {
        let prefix = if fault.code.starts_with("Error") { "" } else { "SOAP:" };
        let text = escape(fault.text.as_str());
        return format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP:Envelope \
             xmlns:SOAP=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP:Header/><SOAP:Body><SOAP:Fault>\
             <faultcode>{prefix}{}</faultcode><faultstring>{text}</faultstring></SOAP:Fault></SOAP:Body>\
             </SOAP:Envelope>",
            fault.code
        )
        .into_bytes();
    }
    open(&mut out, product);
    out.push_str(
        "<s:Fault><faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">a:",
    );
    out.push_str(fault.code);
    out.push_str("</faultcode><faultstring xml:lang=\"en-US\">");
    out.push_str(&escape(fault.text.as_str()));
    out.push_str("</faultstring><detail><e:ResponseCode>");
    out.push_str(fault.code);
    out.push_str("</e:ResponseCode><e:Message>");
    out.push_str(&escape(fault.text.as_str()));
    out.push_str("</e:Message>");
    if !fault.values.is_empty() {
        let values =
            fault.values.iter().map(|(name, text)| Element::of("Value", text.clone()).with("Name", *name));
        write(&mut out, &Element::new("MessageXml").push_all(values));
    }
    out.push_str("</detail></s:Fault></s:Body></s:Envelope>");
    out.into_bytes()
}

fn open(out: &mut String, product: Product) {
    out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope");
    for space in [Space::Soap, Space::Types, Space::Messages, Space::Errors] {
        out.push_str(" xmlns:");
        out.push_str(space.prefix().trim_end_matches(':'));
        out.push_str("=\"");
        out.push_str(space.uri());
        out.push('"');
    }
    out.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
    out.push_str("><s:Header><t:ServerVersionInfo ");
    out.push_str(&product.traits().version());
    out.push_str("/></s:Header><s:Body>");
}

fn write(out: &mut String, element: &Element) {
    out.push('<');
    out.push_str(element.space.prefix());
    out.push_str(element.name);
    for (name, value) in &element.attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        out.push_str(&escape(value.as_str()).replace('\n', "&#10;"));
        out.push('"');
    }
    if element.text.is_empty() && element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    if element.children.is_empty() {
        out.push_str(&escape(element.text.as_str()).replace('\r', "&#xD;"));
    }
    for child in &element.children {
        write(out, child);
    }
    out.push_str("</");
    out.push_str(element.space.prefix());
    out.push_str(element.name);
    out.push('>');
}
