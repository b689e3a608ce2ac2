//! TLS: a receiver is who its certificate says, or nothing is sent.

use std::io::{Read as _, Write as _};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::names::Names;
use super::*;

/// Of `receiver.test`, signed by itself.
const CERTIFICATE: &str = include_str!("certificate.pem");
const KEY: &str = include_str!("key.pem");

/// Serves one connection; gives its port, and what it was sent if the client went on with it.
fn serve() -> (u16, std::thread::JoinHandle<Option<String>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).ok().filter(|length| *length > 0)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
        stream.flush().ok()?;
        Some(String::from_utf8_lossy(&read[..length]).into_owned())
    });
    (port, server)
}

/// One that trusts the certificate, and finds each name on this machine.
fn trusting() -> Sender {
    let gate = Gate::new(policy(), Names::new(&[&["127.0.0.1"]]));
    let certificate = reqwest::Certificate::from_pem(CERTIFICATE.as_bytes()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client::bare().dns_resolver(Arc::new(gate.clone())).tls_certs_only([certificate]).build().unwrap();
    Sender { gate, client }
}

#[tokio::test]
async fn a_receiver_with_a_certificate_of_its_name_is_sent_to() {
    let (port, server) = serve();
    let attempt = trusting().send(&outgoing(&format!("https://receiver.test:{port}/a"), &[])).await;
    assert_eq!((&attempt.outcome, attempt.response.as_str()), (&Outcome::Answered(200), "ok"));
    let request = server.join().unwrap().unwrap();
    assert!(
        request.starts_with("POST /a HTTP/1.1\r\n") && request.contains(&format!("receiver.test:{port}")),
        "{request}"
    );
}

#[tokio::test]
async fn a_certificate_of_another_name_or_of_nobody_known_is_refused_before_anything_is_sent() {
    for (sender, host) in [(trusting(), "other.test"), (trusting(), "127.0.0.1"), (sender(), "127.0.0.1")] {
        let (port, server) = serve();
        let attempt = sender.send(&outgoing(&format!("https://{host}:{port}/?hush"), &[])).await;
        let Outcome::Failed(text) = attempt.outcome else { panic!("{attempt:?}") };
        assert!(text.contains("certificate") && !text.contains("hush"), "{text}");
        assert_eq!(server.join().unwrap(), None);
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_an_error() {
    let receiver = Receiver::start(async |mut stream| {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
    })
    .await;
    let attempt = send(&format!("https://{}/?hush", receiver.address)).await;
    assert!(matches!(&attempt.outcome, Outcome::Failed(text) if !text.contains("hush")), "{attempt:?}");
}
