//! The names of a mail domain without a DNS: a proxy that knows where each host is, as a company's proxy does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name)
}

/// An HTTP proxy and the hosts behind it.
#[derive(Clone)]
pub struct Names {
    pub proxy: SocketAddr,
    hosts: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
    redirects: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let names = Self {
            proxy: listener.local_addr().unwrap(),
            hosts: Arc::default(),
            redirects: Arc::default(),
            asked: Arc::default(),
        };
        let shared = names.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let names = shared.clone();
                tokio::spawn(async move { names.carry(client).await });
            }
        });
        names
    }

    /// A host is at this address, on whatever port it is asked.
    pub fn host(&self, name: &str, address: SocketAddr) {
        self.hosts.lock().unwrap().insert(name.to_owned(), address);
    }

    pub fn remove(&self, name: &str) {
        self.hosts.lock().unwrap().remove(name);
    }

    /// `http://NAME/…` redirects there.
    pub fn redirect(&self, name: &str, target: &str) {
        self.redirects.lock().unwrap().insert(name.to_owned(), target.to_owned());
    }

    /// What was asked for, in order: `https://host` once for each connection, `http://host/path` for each request.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn carry(&self, mut client: TcpStream) -> Option<()> {
        let head = head(&mut client).await?;
        let target = head.split(' ').nth(1)?.to_owned();
        if !head.starts_with("CONNECT ") {
            self.asked.lock().unwrap().push(target.clone());
            let host = target.strip_prefix("http://")?.split('/').next()?;
            assert!(!head.to_lowercase().contains("authorization:"), "a secret without TLS: {head}");
            let redirect = self.redirects.lock().unwrap().get(host).cloned();
            let answer = redirect.map_or_else(
                || "HTTP/1.1 502 Bad Gateway\r\n".to_owned(),
                |to| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n"),
            );
            client.write_all(format!("{answer}Content-Length: 0\r\n\r\n").as_bytes()).await.ok()?;
            return Some(());
        }
        let host = target.rsplit_once(':')?.0;
        self.asked.lock().unwrap().push(format!("https://{host}"));
        let address = self.hosts.lock().unwrap().get(host).copied();
        let Some(address) = address else {
            client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.ok()?;
            return None;
        };
        let mut server = TcpStream::connect(address).await.ok()?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()?;
        Some(())
    }
}

async fn head(client: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A TLS server that gives one answer to everything and writes down what it was told.
pub struct Stranger {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    /// `answer` is a status line with headers.
    pub async fn new(certificate_name: &str, answer: &'static str) -> Self {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = CertificateDer::pem_file_iter(certificate(&format!("{certificate_name}.crt"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(certificate(&format!("{certificate_name}.key"))).unwrap();
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, written) = (acceptor.clone(), Arc::clone(&written));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    while let Some(head) = head(&mut stream).await {
                        written.lock().unwrap().push(head);
                        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heads }
    }

    /// The heads of all requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Whether it was ever told a secret.
    pub fn has_secret(&self) -> bool {
        self.heads().iter().any(|head| head.to_lowercase().contains("authorization:"))
    }
}

/// A DNS server that knows one record: `_autodiscover._tcp.…` leads to `target`, or to nothing.
pub async fn name_server(target: Option<&'static str>) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 512];
        while let Ok((size, client)) = socket.recv_from(&mut octets).await {
            let mut answer = octets[..size].to_vec();
            assert!(answer.windows(13).any(|label| label == b"_autodiscover"), "{answer:?}");
            answer[2] = 0x81;
            if let Some(target) = target {
                answer[7] = 1;
                let labels: Vec<u8> = target
                    .split('.')
                    .flat_map(|label| [vec![u8::try_from(label.len()).unwrap()], label.into()].concat())
                    .chain([0])
                    .collect();
                answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
                answer.extend(u16::try_from(6 + labels.len()).unwrap().to_be_bytes());
                answer.extend([0, 0, 0, 0, 1, 187]);
                answer.extend(labels);
            }
            let _ = socket.send_to(&answer, client).await;
        }
    });
    address
}
