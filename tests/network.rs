//! The way to Exchange: pinned certificates, versions of TLS, proxies; the same for pooled and for signed-in connections.

use crate::support::{PASSWORD, Stage, USER};
use exdav::simulator::{self, Scheme};
use exdav::upstream::ews::network::{Settings, Tls};
use exdav::upstream::ews::{self, Credentials, Error, Exchange};
use exdav::upstream::{FolderSelector, WellKnownFolder};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name)
}

async fn stage(scheme: Scheme) -> Stage {
    let tls = simulator::Tls { certificate: fixture("localhost.crt"), key: fixture("localhost.key") };
    let sign_in = vec![scheme];
    Stage::of(simulator::Settings {
        sign_in,
        tls: Some(tls),
        events: Some(1),
        ..simulator::Settings::default()
    })
    .await
}

fn trusting() -> Settings {
    Settings { authorities: vec![fixture("ca.crt")], ..Settings::default() }
}

async fn ask(stage: &Stage, host: &str, network: Settings) -> Result<(), Error> {
    let url = format!("https://{host}:{}/EWS/Exchange.asmx", stage.exchange.exchange.port());
    let patience = std::time::Duration::ZERO;
    let exchange = Exchange::new(ews::Settings { url, network, patience, ..ews::Settings::default() })?;
    let session = exchange.session(Credentials::password(USER, PASSWORD));
    session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await?.remove(0).map(drop)
}

const BOTH: [Scheme; 2] = [Scheme::Basic, Scheme::Ntlm];

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_is_accepted_whoever_signed_it_and_no_other() {
    let pem = std::fs::read_to_string(fixture("localhost.crt")).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
    let pin: [u8; 32] = Sha256::digest(&der).into();
    for scheme in BOTH {
        let stage = stage(scheme).await;
        ask(&stage, "localhost", Settings { pin: Some(pin), ..Settings::default() }).await.unwrap();
        let other =
            ask(&stage, "localhost", Settings { pin: Some([7; 32]), ..trusting() }).await.unwrap_err();
        let shown: String = pin.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(matches!(&other, Error::Certificate(why) if why.contains(&shown)), "{other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_or_of_a_strange_authority_is_told_apart_from_a_server_that_is_away() {
    let stage = stage(Scheme::Ntlm).await;
    // The fixture is made for localhost and the loopback addresses.
    let strange = ask(&stage, "localhost", Settings::default()).await.unwrap_err();
    assert!(matches!(strange, Error::Certificate(_)), "{strange:?}");
    ask(&stage, "127.0.0.1", trusting()).await.unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/EWS/Exchange.asmx");
    let patience = std::time::Duration::ZERO;
    let exchange = Exchange::new(ews::Settings { url, patience, ..ews::Settings::default() }).unwrap();
    let session = exchange.session(Credentials::password(USER, PASSWORD));
    let away =
        session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await.unwrap_err();
    assert!(matches!(away, Error::Unreachable(_)), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_tls_may_be_asked_for() {
    for scheme in BOTH {
        let stage = stage(scheme).await;
        ask(&stage, "localhost", Settings { oldest: Tls::V1_3, ..trusting() }).await.unwrap();
    }
}

/// A proxy that opens tunnels: HTTP CONNECT with a password, or SOCKS 5 without. RFC 9110 9.3.6, RFC 1928
async fn proxy(is_socks: bool) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, tunnels) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&tunnels);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let target = if is_socks { socks(&mut client).await } else { connect(&mut client).await };
                let Some(target) = target else { return };
                let mut server = TcpStream::connect(&target).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, tunnels)
}

async fn connect(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let may = head.to_lowercase().contains("proxy-authorization: basic bwu6czm="); // me:s3
    if !may {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.ok()?;
        return None;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    Some(head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned())
}

async fn socks(client: &mut TcpStream) -> Option<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await.ok()?;
    client.read_exact(&mut vec![0; usize::from(greeting[1])]).await.ok()?;
    client.write_all(&[5, 0]).await.ok()?;
    let mut head = [0; 4];
    client.read_exact(&mut head).await.ok()?;
    let host = match head[3] {
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await.ok()?)];
            client.read_exact(&mut name).await.ok()?;
            String::from_utf8(name).unwrap()
        }
        1 => {
            let mut octets = [0; 4];
            client.read_exact(&mut octets).await.ok()?;
            std::net::Ipv4Addr::from(octets).to_string()
        }
        _ => "localhost".to_owned(),
    };
    let port = client.read_u16().await.ok()?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    Some(format!("{host}:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_carry_every_connection() {
    for scheme in BOTH {
        for is_socks in [false, true] {
            let stage = stage(scheme).await;
            let (address, tunnels) = proxy(is_socks).await;
            let url =
                if is_socks { format!("socks5h://{address}") } else { format!("http://me:s3@{address}") };
            ask(&stage, "localhost", Settings { proxy: url.clone(), ..trusting() })
                .await
                .unwrap_or_else(|error| panic!("{scheme:?} by {url}: {error}"));
            let connections = stage.door().await["connections"].as_u64().unwrap();
            assert_eq!(tunnels.load(Ordering::Relaxed), connections, "{scheme:?} by {url}");
            assert!(connections > 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    for scheme in BOTH {
        let stage = stage(scheme).await;
        let (address, _) = proxy(false).await;
        let network = Settings { proxy: format!("http://me:wrong@{address}"), ..trusting() };
        assert!(!format!("{network:?}").contains("wrong"));
        let error = ask(&stage, "localhost", network).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_is_reached_by_ipv6() {
    let tls = simulator::Tls { certificate: fixture("localhost.crt"), key: fixture("localhost.key") };
    for scheme in BOTH {
        let settings = simulator::Settings {
            exchange_listen: (std::net::Ipv6Addr::LOCALHOST, 0).into(),
            sign_in: vec![scheme],
            tls: Some(tls.clone()),
            events: Some(1),
            ..simulator::Settings::default()
        };
        let stage = Stage::of(settings).await;
        ask(&stage, "[::1]", trusting()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_given_up_before_and_after_the_request_was_sent() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let short = std::time::Duration::from_millis(300);
    for (scheme, sign_in) in [("https", ews::auth::Scheme::Basic), ("https", ews::auth::Scheme::Ntlm)]
        .into_iter()
        .chain([("http", ews::auth::Scheme::Basic), ("http", ews::auth::Scheme::Ntlm)])
    {
        let settings = ews::Settings {
            url: format!("{scheme}://127.0.0.1:{port}/EWS/Exchange.asmx"),
            connect_timeout: short,
            timeout: 2 * short,
            patience: std::time::Duration::ZERO,
            sign_in: ews::auth::Choice::Only(sign_in),
            ..ews::Settings::default()
        };
        let session = Exchange::new(settings).unwrap().session(Credentials::password(USER, PASSWORD));
        let error =
            session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await.unwrap_err();
        // Without TLS the connection stands, and the request may have been read.
        let is_right = match scheme {
            "https" => matches!(error, Error::Unreachable(_)),
            _ => matches!(error, Error::Lost(_)),
        };
        assert!(is_right, "{scheme} {sign_in}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_one_user_share_a_connection_and_those_of_two_users_never_do() {
    for (scheme, connections) in [(Scheme::Basic, 3), (Scheme::Ntlm, 3)] {
        let stage = stage(scheme).await;
        let url = format!("https://localhost:{}/EWS/Exchange.asmx", stage.exchange.exchange.port());
        let settings = ews::Settings { url, network: trusting(), ..ews::Settings::default() };
        let exchange = Exchange::new(settings).unwrap();
        for user in [USER, "demo2@example.com"] {
            let session = exchange.session(Credentials::password(user, PASSWORD));
            for _ in 0..3 {
                session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await.unwrap();
            }
        }
        // The question for the schemes, and one for each user.
        assert_eq!(stage.door().await["connections"], connections, "{scheme:?}");
    }
}
