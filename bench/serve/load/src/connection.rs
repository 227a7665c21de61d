//! One connection, and one call over it.

use std::error::Error;
use std::future::poll_fn;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

use crate::plan::{self, Plan, Protocol};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Sends requests. A clone shares the connection (HTTP/2 only).
///
/// HTTP/2 is spoken without hyper, whose client sends the head of a request and its message in two writes.
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(h2::client::SendRequest<Bytes>),
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
        let head = template.head(request)?;
        match self {
            Self::Http1(sender) => call_http1(sender, head, request.body.clone()).await,
            Self::Http2(sender) => call_grpc(sender, head, request.body.clone()).await,
        }
    }
}

async fn call_http1(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    head: Request<()>,
    message: Bytes,
) -> Result<u16, Failure> {
    sender.ready().await?;
    let request = head.map(|()| Full::new(message));
    let (head, body) = sender.send_request(request).await?.into_parts();
    let answer = body.collect().await?.to_bytes();
    let is_ok = head.status == StatusCode::OK && !answer.is_empty();
    Ok(if is_ok { 0 } else { head.status.as_u16() })
}

async fn call_grpc(
    sender: &mut h2::client::SendRequest<Bytes>,
    head: Request<()>,
    message: Bytes,
) -> Result<u16, Failure> {
    poll_fn(|context| sender.poll_ready(context)).await?;
    let (answer, mut stream) = sender.send_request(head, false)?;
    stream.send_data(message, true)?;
    let (head, mut body) = answer.await?.into_parts();
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    let trailers = body.trailers().await?;
    let trailing = trailers.as_ref().and_then(|all| all.get("grpc-status"));
    let status = trailing.or(head.headers.get("grpc-status"));
    let status = status.ok_or_else(|| format!("no grpc-status; HTTP {}", head.status))?;
    let status: u16 = status.to_str()?.parse()?;
    if status == 0 && length < 5 {
        return Err("an answer without a message".into());
    }
    Ok(status)
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

    fn head(&self, request: &plan::Request) -> Result<Request<()>, Failure> {
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
        Ok(builder.body(())?)
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
    Ok(match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        }
        Protocol::Grpc => {
            let (sender, connection) = h2::client::Builder::new()
                .initial_window_size(1 << 20)
                .initial_connection_window_size(1 << 24)
                .handshake(stream)
                .await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        }
    })
}
