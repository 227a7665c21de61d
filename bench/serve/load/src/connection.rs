//! One connection, and one call over it.

use std::error::Error;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

use crate::plan::{self, Plan, Protocol};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Sends requests. A clone shares the connection (HTTP/2 only).
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Another sender of the same connection; None where a connection has room for one request at a time.
    pub(crate) fn sharing(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// Returns the gRPC status (for HTTP/1.1 the code of HTTP, with 0 for 200); an answer without one is an error.
    pub(crate) async fn call(
        &mut self,
        template: &Template,
        request: &plan::Request,
    ) -> Result<u16, Failure> {
        let request = template.request(request)?;
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, mut body) = response.into_parts();
        let mut status = head.headers.get("grpc-status").cloned();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => length += data.remaining(),
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        status = trailers.get("grpc-status").cloned().or(status);
                    }
                }
            }
        }
        if matches!(self, Self::Http1(_)) {
            let is_ok = head.status == StatusCode::OK && length > 0;
            return Ok(if is_ok { 0 } else { head.status.as_u16() });
        }
        let status = status.ok_or_else(|| format!("no grpc-status; HTTP {}", head.status))?;
        let status: u16 = status.to_str()?.parse()?;
        if status == 0 && length < 5 {
            return Err("an answer without a message".into());
        }
        Ok(status)
    }
}

/// What all requests of a run share.
pub(crate) struct Template {
    authority: String,
    scheme: &'static str,
    headers: Vec<(String, String)>,
    protocol: Protocol,
}

impl Template {
    pub(crate) fn new(plan: &Plan) -> Self {
        let is_unix = plan.address.starts_with("unix:");
        Self {
            authority: if is_unix { "localhost" } else { &plan.address }.to_owned(),
            scheme: if plan.trust.is_some() {
                "https"
            } else {
                "http"
            },
            headers: plan.headers.clone(),
            protocol: plan.protocol,
        }
    }

    fn request(&self, request: &plan::Request) -> Result<Request<Full<Bytes>>, Failure> {
        let mut builder = Request::post(request.path.as_str());
        match self.protocol {
            Protocol::Grpc => {
                let uri = Uri::builder()
                    .scheme(self.scheme)
                    .authority(self.authority.as_str())
                    .path_and_query(request.path.as_str());
                builder = builder
                    .uri(uri.build()?)
                    .version(hyper::Version::HTTP_2)
                    .header("content-type", "application/grpc")
                    .header("te", "trailers");
            }
            Protocol::Http1 => {
                builder = builder
                    .header("host", self.authority.as_str())
                    .header("content-type", "application/json");
            }
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        Ok(builder.body(Full::new(request.body.clone()))?)
    }
}

/// Connects.
pub(crate) async fn connect(plan: &Plan) -> Result<Sender, Failure> {
    if let Some(path) = plan.address.strip_prefix("unix:") {
        return shake_hands(UnixStream::connect(path).await?, plan.protocol).await;
    }
    let address = plan.address.to_socket_addrs()?.next();
    let stream = TcpStream::connect(address.ok_or("the address names no host")?).await?;
    stream.set_nodelay(true)?;
    let Some(trust) = &plan.trust else {
        return shake_hands(stream, plan.protocol).await;
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trust)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let host = plan.address.rsplit_once(':').map_or("", |(host, _)| host);
    let name = ServerName::try_from(host.to_owned())?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    shake_hands(stream, plan.protocol).await
}

async fn shake_hands<S>(stream: S, protocol: Protocol) -> Result<Sender, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    Ok(match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        }
        Protocol::Grpc => {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(1 << 24)
                .handshake(stream)
                .await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        }
    })
}
