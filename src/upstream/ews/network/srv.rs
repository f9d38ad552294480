//! DNS records that name a service's host, asked of the system's name servers. RFC 1035, RFC 2782
//!
//! A resolver crate would bring a dozen others for this one question, whose answer proves nothing to those who ask here:
//! an answer that somebody forged leads no further than a right one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long one name server may take.
const DNS_TIMEOUT: Duration = Duration::from_secs(2);
/// Name servers that are asked, as with the system's own resolver. resolv.conf(5) MAXNS
const MAX_SERVERS: usize = 3;
/// What fits into a datagram without extensions; a longer answer comes cut off. RFC 1035 4.2.1
const MAX_OCTETS: usize = 512;
/// Pointers in a name; more are a circle.
const MAX_POINTERS: u32 = 10;
/// Octets of a name; pointers could put together more. RFC 1035 2.3.4
const MAX_NAME: usize = 253;
const SRV: u16 = 33;
const INTERNET: u16 = 1;
const HEADER: usize = 12;

/// The host and port that the record of `name` puts first; `None` where there is none, or nobody answers.
pub(in crate::upstream::ews) async fn lookup(
    name: &str,
    server: Option<SocketAddr>,
) -> Option<(String, u16)> {
    let servers = server.map_or_else(|| configured(Path::new("/etc/resolv.conf")), |server| vec![server]);
    for server in servers.into_iter().take(MAX_SERVERS) {
        if let Ok(Some(answer)) = tokio::time::timeout(DNS_TIMEOUT, ask(server, name)).await {
            return first(&answer);
        }
    }
    None
}

fn configured(path: &Path) -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = servers.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    addresses.map(|address| SocketAddr::new(address, 53)).collect()
}

async fn ask(server: SocketAddr, name: &str) -> Option<Vec<u8>> {
    let any =
        if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    let mut id = [0; 2];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut id).ok()?;
    let query = query(id, name)?;
    socket.send(&query).await.ok()?;
    let mut answer = vec![0; MAX_OCTETS];
    loop {
        let size = socket.recv(&mut answer).await.ok()?;
        let octets = answer.get(..size)?;
        // What does not repeat the question is somebody else's answer.
        if octets.starts_with(&id) && octets.get(HEADER..query.len()) == query.get(HEADER..) {
            return Some(octets.to_vec());
        }
    }
}

/// One question, recursion desired. RFC 1035 4.1
fn query(id: [u8; 2], name: &str) -> Option<Vec<u8>> {
    let mut octets = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let size = u8::try_from(label.len()).ok().filter(|size| (1..64).contains(size))?;
        octets.push(size);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(SRV.to_be_bytes());
    octets.extend(INTERNET.to_be_bytes());
    Some(octets)
}

/// Host and port of the record with the lowest priority, and of those the one with the highest weight; `None` where an
/// answer has none, or makes no sense. RFC 2782
pub fn first(octets: &[u8]) -> Option<(String, u16)> {
    let number = |at: usize| octets.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
    let mut at = name(octets, HEADER)?.1 + 4;
    let mut best: Option<(u16, u16, u16, String)> = None;
    for _ in 0..number(6)? {
        at = name(octets, at)?.1;
        let (kind, class, size) = (number(at)?, number(at + 2)?, usize::from(number(at + 8)?));
        let data = at + 10;
        if (kind, class) == (SRV, INTERNET) && size > 6 {
            let (priority, weight, port) = (number(data)?, number(data + 2)?, number(data + 4)?);
            let target = name(octets, data + 6)?.0;
            let is_better =
                best.as_ref().is_none_or(|b| (priority, u16::MAX - weight) < (b.0, u16::MAX - b.1));
            // The root as a target says that there is no such service.
            if is_better && !target.is_empty() {
                best = Some((priority, weight, port, target));
            }
        }
        at = data + size;
    }
    best.map(|(_, _, port, target)| (target, port))
}

/// The name at a place, and where what follows it begins. RFC 1035 4.1.4
fn name(octets: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut text, mut end, mut pointers) = (String::new(), None, 0);
    loop {
        let size = usize::from(*octets.get(at)?);
        match size {
            0 => return Some((text, end.unwrap_or(at + 1))),
            1..64 => {
                let label = std::str::from_utf8(octets.get(at + 1..at + 1 + size)?).ok()?;
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(label);
                if text.len() > MAX_NAME {
                    return None;
                }
                at += 1 + size;
            }
            192.. => {
                end.get_or_insert(at + 2);
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
                at = (size - 192) << 8 | usize::from(*octets.get(at + 1)?);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const NAME: &str = "_autodiscover._tcp.example.com";

    fn answer(records: &[(u16, u16, u16, &[u8])]) -> Vec<u8> {
        let mut octets = query([1, 2], NAME).unwrap();
        octets[2] = 0x81;
        octets[7] = u8::try_from(records.len()).unwrap();
        for (priority, weight, port, target) in records {
            octets.extend([0xc0, 12]);
            octets.extend([0, 33, 0, 1, 0, 0, 0, 60]);
            octets.extend(u16::try_from(6 + target.len()).unwrap().to_be_bytes());
            for number in [priority, weight, port] {
                octets.extend(number.to_be_bytes());
            }
            octets.extend(*target);
        }
        octets
    }

    #[test]
    fn the_lowest_priority_and_then_the_highest_weight_come_first() {
        let host = |name: &'static [u8]| name;
        let octets = answer(&[
            (20, 9, 443, host(b"\x01z\x00")),
            (10, 1, 443, host(b"\x01a\x00")),
            (10, 5, 8443, host(b"\x04mail\xc0\x1f")),
        ]);
        assert_eq!(first(&octets), Some(("mail.example.com".to_owned(), 8443)));
        assert_eq!(first(&answer(&[(0, 0, 0, b"\x00")])), None);
        assert_eq!(first(&answer(&[])), None);
    }

    #[test]
    fn hostile_answers_end() {
        // A name that points to itself.
        let at = u8::try_from(query([1, 2], NAME).unwrap().len() + 12 + 6).unwrap();
        assert_eq!(first(&answer(&[(1, 1, 1, &[0xc0, at])])), None);
        let whole = answer(&[(1, 1, 443, b"\x04mail\xc0\x1f")]);
        for end in 0..whole.len() {
            let _ = first(&whole[..end]);
        }
        for place in 0..whole.len() {
            for octet in [0, 63, 64, 192, 255] {
                let mut broken = whole.clone();
                broken[place] = octet;
                let _ = first(&broken);
            }
        }
        assert_eq!(query([0, 0], "a..b"), None);
        assert_eq!(query([0, 0], &"x".repeat(64)), None);
    }
}
