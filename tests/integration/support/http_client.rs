//! An HTTP client with full control of TLS and credentials.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ClientConfig, ClientConnection, NamedGroup, StreamOwned, SupportedProtocolVersion};

use super::{Authority, Leaf};

/// Time limit of each read; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(30);

/// A client of one address.
pub(crate) struct HttpClient {
    address: String,
    tls: Option<Arc<ClientConfig>>,
    credentials: Option<String>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// The protocol that ALPN selected.
    pub(crate) protocol: Option<String>,
    /// The cipher suite and the curve of the connection.
    pub(crate) negotiated: Option<(CipherSuite, NamedGroup)>,
}

impl HttpClient {
    /// A client for plain HTTP.
    pub(crate) fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None, credentials: None }
    }

    /// A client for TLS that trusts this authority and presents this certificate, if any.
    pub(crate) fn tls(address: &str, authority: &Authority, leaf: Option<&Leaf>) -> Self {
        Self::tls_versions(rustls::ALL_VERSIONS, address, authority, leaf)
    }

    /// The same with only these TLS versions.
    pub(crate) fn tls_versions(
        versions: &[&'static SupportedProtocolVersion],
        address: &str,
        authority: &Authority,
        leaf: Option<&Leaf>,
    ) -> Self {
        Self::tls_offering(default_provider(), versions, address, authority, leaf)
    }

    /// The same with only these cipher suites and curves.
    pub(crate) fn tls_offering(
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
        address: &str,
        authority: &Authority,
        leaf: Option<&Leaf>,
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("the versions are known")
            .with_root_certificates(authority.roots());
        let mut config = match leaf {
            Some(leaf) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(leaf.certified()))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { address: address.to_owned(), tls: Some(Arc::new(config)), credentials: None }
    }

    /// The same client with basic authentication.
    pub(crate) fn as_user(&self, user: &str, password: &str) -> Self {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.with_authorization(&format!("Basic {encoded}"))
    }

    /// The same client with this `Authorization` header.
    pub(crate) fn with_authorization(&self, authorization: &str) -> Self {
        Self {
            address: self.address.clone(),
            tls: self.tls.clone(),
            credentials: Some(authorization.to_owned()),
        }
    }

    /// Sends a GET over a new connection.
    pub(crate) fn get(&self, path: &str) -> io::Result<Reply> {
        match self.send("GET", path)? {
            Unanswered::Plain(stream) => read_reply(stream).map(|(reply, _)| reply),
            Unanswered::Tls(stream) => {
                let (mut reply, stream) = read_reply(*stream)?;
                let suite = stream.conn.negotiated_cipher_suite().map(|suite| suite.suite());
                reply.negotiated =
                    suite.zip(stream.conn.negotiated_key_exchange_group().map(SupportedKxGroup::name));
                let protocol = stream.conn.alpn_protocol();
                reply.protocol = protocol.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
                Ok(reply)
            }
        }
    }

    /// Sends a request over a new connection, and leaves the response unread.
    pub(crate) fn send(&self, method: &str, path: &str) -> io::Result<Unanswered> {
        let mut socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(AT_MOST))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        if let Some(credentials) = &self.credentials {
            let _ = write!(request, "Authorization: {credentials}\r\n");
        }
        request += "\r\n";
        let Some(config) = &self.tls else {
            socket.write_all(request.as_bytes())?;
            return Ok(Unanswered::Plain(socket));
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.write_all(request.as_bytes())?;
        Ok(Unanswered::Tls(Box::new(stream)))
    }

    /// Sends a GET and returns the status.
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.get(path).expect("a response").status
    }
}

/// A connection over which a request was sent.
pub(crate) enum Unanswered {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

fn read_reply<S: Read>(mut stream: S) -> io::Result<(Reply, S)> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof || bytes.is_empty() => return Err(error),
        _ => {}
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let reply =
        Reply { status, head: head.to_lowercase(), body: body.to_owned(), protocol: None, negotiated: None };
    Ok((reply, stream))
}
