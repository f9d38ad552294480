//! Where a request comes from, and what a proxy in front may say of it.
//!
//! **Invariant:** a header of whoever is not trusted changes nothing.

use crate::dav::Origin;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// Each proxy adds at the end the address that it was connected from. RFC 7239 is spoken by few, and believing two
/// headers means believing the one that the proxy passes on unread.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies in front, and what they are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their addresses; those of clients are read from `X-Forwarded-For`.
    pub trusted: Vec<Network>,
    /// The header in which they name the user whom they know by a client certificate.
    pub user_header: Option<HeaderName>,
}

/// Addresses with the same beginning. RFC 4632 3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl FromStr for Network {
    type Err = ();

    /// `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    fn has(self, other: IpAddr) -> bool {
        let same = |left: u128, right: u128, width: u32| {
            (left ^ right).checked_shr(width.saturating_sub(self.bits)).unwrap_or_default() == 0
        };
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl Proxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.has(address))
    }

    /// What is known of a request that came over a connection from `peer`.
    pub fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        let mut address = peer.to_canonical();
        if !self.trust(address) {
            return Origin { address, vouched: None };
        }
        let lines = headers.get_all(FORWARDED).iter().rev();
        // Nearest first. What stands before the first that is not trusted, anybody may have written.
        for hop in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')) {
            let Some(known) = address_of(hop.trim()) else { break };
            address = known;
            if !self.trust(address) {
                break;
            }
        }
        let mut named = self.user_header.iter().flat_map(|name| headers.get_all(name));
        // Two say that the proxy added its own to one of the client's.
        let vouched = named.next().filter(|_| named.next().is_none()).and_then(|value| value.to_str().ok());
        let vouched = vouched.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        Origin { address, vouched }
    }
}

/// Some proxies add the port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let plain = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = plain.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

/// Marks a request with its [`Origin`].
pub(super) async fn mark(
    State(proxies): State<Arc<Proxies>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let origin = proxies.origin(peer.ip(), request.headers());
    request.extensions_mut().insert(origin);
    next.run(request).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn origin(peer: &str, lines: &[(&'static str, &str)]) -> (String, Option<String>) {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let user_header = Some(HeaderName::from_static("x-client-user"));
        let proxies = Proxies { trusted: trusted.to_vec(), user_header };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let origin = proxies.origin(peer.parse().unwrap(), &headers);
        (origin.address.to_string(), origin.vouched)
    }

    #[test]
    fn whoever_is_not_trusted_may_say_what_they_like() {
        let lines = [("x-forwarded-for", "192.0.2.7"), ("x-client-user", "alice")];
        assert_eq!(origin("198.51.100.1", &lines), ("198.51.100.1".to_owned(), None));
        assert_eq!(origin("::ffff:198.51.100.1", &lines), ("198.51.100.1".to_owned(), None));
        assert_eq!(origin("11.0.0.1", &lines).0, "11.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_tells_the_address_that_it_saw_itself() {
        for (said, seen) in [
            ("192.0.2.7", "192.0.2.7"),
            ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
            ("203.0.113.9, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
            ("192.0.2.7:1234", "192.0.2.7"),
            ("[2001:db9::1]:1234", "2001:db9::1"),
            ("10.1.2.3", "10.1.2.3"),
            ("nonsense", "127.0.0.1"),
            ("192.0.2.7, nonsense, 10.1.2.3", "10.1.2.3"),
            ("", "127.0.0.1"),
        ] {
            assert_eq!(origin("127.0.0.1", &[("x-forwarded-for", said)]).0, seen, "{said}");
        }
        let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(origin("2001:db8::5", &lines).0, "192.0.2.7", "the last line was added last");
    }

    #[test]
    fn a_trusted_proxy_names_one_user_or_none() {
        assert_eq!(origin("10.9.9.9", &[("x-client-user", " alice ")]).1.as_deref(), Some("alice"));
        assert_eq!(origin("10.9.9.9", &[("x-client-user", "")]).1, None);
        assert_eq!(origin("10.9.9.9", &[("x-client-user", "alice"), ("x-client-user", "bob")]).1, None);
    }

    #[test]
    fn networks_are_read_and_what_is_none_is_refused() {
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.has([192, 0, 2, 1].into()) && !everything.has("::1".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.has("2001:db8::1".parse().unwrap()));
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "localhost", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
