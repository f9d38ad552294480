//! Sockets: TLS, silent clients, and ending in peace.

use crate::support::Stage;
use exdav::server::{self, Tls};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name)
}

fn settings(tls: Option<Tls>) -> server::Settings {
    server::Settings { listen: ([127, 0, 0, 1], 0).into(), tls, ..server::Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_its_key_make_it_https() {
    let stage = Stage::lively().await;
    let tls = Tls { certificate: fixture("test.crt"), key: fixture("test.key") };
    let running = server::start(settings(Some(tls)), stage.gateway(Duration::ZERO)).await.unwrap();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    let answer = client.get(format!("https://{}/healthz", running.address)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.bytes().await.unwrap(), "ok\n");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_certificate_or_key_are_named() {
    let stage = Stage::lively().await;
    for (certificate, key, named) in [
        ("none.crt", "test.key", "none.crt"),
        ("test.key", "test.key", "test.key"),
        ("test.crt", "test.crt", "test.crt"),
    ] {
        let tls = Tls { certificate: fixture(certificate), key: fixture(key) };
        let error =
            server::start(settings(Some(tls)), stage.gateway(Duration::ZERO)).await.unwrap_err().to_string();
        assert!(error.starts_with("TLS: ") && error.contains(named), "{error}");
        assert!(!error.contains("BEGIN"), "nothing of a key is shown: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_served_by_ipv6() {
    let stage = Stage::lively().await;
    let listen = (std::net::Ipv6Addr::LOCALHOST, 0).into();
    let settings = server::Settings { listen, ..settings(None) };
    let running = server::start(settings, stage.gateway(Duration::ZERO)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}/healthz", running.address)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_named() {
    let stage = Stage::lively().await;
    let running = server::start(settings(None), stage.gateway(Duration::ZERO)).await.unwrap();
    let again = server::Settings { listen: running.address, ..server::Settings::default() };
    let error = server::start(again, stage.gateway(Duration::ZERO)).await.unwrap_err();
    assert!(error.to_string().contains(&running.address.to_string()), "{error}");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_lets_a_running_request_finish_and_takes_no_new_ones() {
    let stage = Stage::lively().await;
    let running = server::start(settings(None), stage.gateway(Duration::ZERO)).await.unwrap();
    let address = running.address;
    stage.latency(300).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nAuthorization: Basic ZGVtb0BleGFtcGxlLmNvbTpkZW1v\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    // The request is under way when Exchange has been asked.
    while stage.total().await == 0 {
        tokio::task::yield_now().await;
    }
    let (answer, ()) = tokio::join!(
        async {
            let mut octets = Vec::new();
            stream.read_to_end(&mut octets).await.unwrap();
            String::from_utf8(octets).unwrap()
        },
        running.shutdown()
    );
    assert!(answer.starts_with("HTTP/1.1 207"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}
