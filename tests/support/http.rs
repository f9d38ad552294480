//! exdav with its HTTP server on the stage, and a client that sends exactly what a test says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use exdav::gateway::Gateway;
use exdav::server;
use exdav::xml::{Element, Name};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running server and the user who asks it.
pub struct Client {
    pub server: server::Running,
    pub authorization: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Client {
    pub async fn of(gateway: Gateway, user: &str, password: &str) -> Self {
        Self::behind(server::Proxies::default(), gateway, user, password).await
    }

    /// The same, reached through proxies.
    pub async fn behind(proxies: server::Proxies, gateway: Gateway, user: &str, password: &str) -> Self {
        Self::with(server::Settings { proxies, ..server::Settings::default() }, gateway, user, password).await
    }

    /// A server of other settings, on a free port.
    pub async fn with(settings: server::Settings, gateway: Gateway, user: &str, password: &str) -> Self {
        let settings = server::Settings { listen: ([127, 0, 0, 1], 0).into(), ..settings };
        let server = server::start(settings, gateway).await.unwrap();
        Self { server, authorization: Some(basic(user, password)) }
    }

    /// Sends one request on a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let body = body.as_ref();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: gw.example.test\r\nConnection: close\r\n");
        if let Some(authorization) = &self.authorization
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        {
            let _ = write!(request, "Authorization: {authorization}\r\n");
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(request, "Content-Length: {}\r\n", body.len());
        }
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await.unwrap();
        Answer::read(&octets)
    }

    pub async fn propfind(&self, path: &str, depth: &str, props: &str) -> Answer {
        let body = format!("<D:propfind {NAMESPACES}><D:prop>{props}</D:prop></D:propfind>");
        self.ask("PROPFIND", path, &[("Depth", depth)], &body).await
    }

    pub async fn report(&self, path: &str, body: &str) -> Answer {
        let at = body.find(['>', ' ', '/']).unwrap();
        let body = format!("{} {NAMESPACES}{}", &body[..at], &body[at..]);
        self.ask("REPORT", path, &[("Depth", "1")], &body).await
    }
}

/// The prefixes that tests use.
pub const NAMESPACES: &str = "xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' \
    xmlns:CARD='urn:ietf:params:xml:ns:carddav' xmlns:CS='http://calendarserver.org/ns/' \
    xmlns:A='http://apple.com/ns/ical/'";

impl Answer {
    fn read(octets: &[u8]) -> Self {
        let end = octets.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
        let head = std::str::from_utf8(&octets[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut body = octets[end + 4..].to_vec();
        if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") {
            body = unchunked(&body);
        }
        Self { status, headers, body }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }

    pub fn xml(&self) -> Element {
        Element::parse(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The responses of a multistatus.
    pub fn responses(&self) -> Vec<Response> {
        assert_eq!(self.status, 207, "{}", self.text());
        self.xml().children().filter(|e| e.name().local() == "response").map(Response::read).collect()
    }
}

/// Without its end a chunked body was cut off.
fn unchunked(mut octets: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = octets.windows(2).position(|w| w == b"\r\n").expect("the body was cut off");
        let size = usize::from_str_radix(std::str::from_utf8(&octets[..line]).unwrap(), 16).unwrap();
        octets = &octets[line + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&octets[..size]);
        octets = &octets[size + 2..];
    }
}

/// One response of a multistatus.
#[derive(Debug)]
pub struct Response {
    pub href: String,
    /// Its own status, where it has no properties.
    pub status: Option<String>,
    /// Properties by status code, in document order.
    pub propstats: Vec<(u16, Vec<Element>)>,
}

impl Response {
    fn read(element: &Element) -> Self {
        let text = |e: &Element, local| e.find(local).map(|e| e.text().into_owned());
        let propstats = element.children().filter(|e| e.name().local() == "propstat").map(|propstat| {
            let status = text(propstat, "status").unwrap();
            let code = status.split(' ').nth(1).unwrap().parse().unwrap();
            (code, propstat.find("prop").unwrap().children().cloned().collect())
        });
        Self {
            href: text(element, "href").unwrap(),
            status: text(element, "status"),
            propstats: propstats.collect(),
        }
    }

    /// A property that was found.
    pub fn found(&self, local: &str) -> Option<&Element> {
        let (_, properties) = self.propstats.iter().find(|(status, _)| *status == 200)?;
        properties.iter().find(|property| property.name().local() == local)
    }

    pub fn text(&self, local: &str) -> String {
        self.found(local).map(|e| e.text().into_owned()).unwrap_or_default()
    }

    /// The href in a property.
    pub fn href_in(&self, local: &str) -> String {
        let element = self.found(local).and_then(|e| e.child(&Name::new("DAV:", "href")).cloned());
        element.map(|e| e.text().into_owned()).unwrap_or_default()
    }

    /// Names of what is missing.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.propstats.iter().filter(|(status, _)| *status == 404);
        missing.flat_map(|(_, properties)| properties).map(|p| p.name().local().to_owned()).collect()
    }
}

/// Each method with a body that would do what it is for; `object` stands for a calendar object.
pub const METHODS: [(&str, &str); 14] = [
    ("GET", ""),
    ("HEAD", ""),
    ("PROPFIND", ""),
    (
        "PROPPATCH",
        "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:displayname>taken</D:displayname></D:prop></D:set></D:propertyupdate>",
    ),
    (
        "REPORT",
        "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>",
    ),
    ("PUT", "object"),
    ("POST", "object"),
    ("DELETE", ""),
    ("MOVE", ""),
    ("COPY", ""),
    ("MKCALENDAR", ""),
    ("MKCOL", ""),
    ("LOCK", ""),
    ("ACL", ""),
];
