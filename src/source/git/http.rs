//! HTTP with our limits: stalls, bytes, interrupts, and redirects on the same host only.
//!
//! Wraps gix's `reqwest` backend. TLS is `rustls` with `ring`; roots come from the system, or from `SSL_CERT_FILE`.

use std::any::Any;
use std::io::BufReader;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::blocking_io::http::options::FollowRedirects;
use gix::protocol::transport::client::blocking_io::http::reqwest::{Options, Remote};
use gix::protocol::transport::client::blocking_io::http::{
    self, GetResponse, Http, PostBodyDataKind, PostResponse,
};

use super::meter::{Meter, Metered, Stop};

type Reader<'a> = BufReader<Metered<'a>>;

/// gix's backend within the limits of a meter.
pub(super) struct Bounded<'a> {
    inner: Remote,
    origin: String,
    meter: Arc<Meter<'a>>,
}

/// A transport to `url`.
pub(super) fn connect<'a>(
    url: gix::Url,
    text: &str,
    meter: Arc<Meter<'a>>,
) -> Box<dyn Transport + 'a> {
    // Fails when one is installed already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bounded = Bounded {
        inner: Remote::default(),
        origin: authority(text).to_owned(),
        meter,
    };
    Box::new(http::connect_http(bounded, url, Protocol::V2, false))
}

/// Scheme, host and port of a URL.
pub(super) fn authority(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(start..)
        .and_then(|rest| rest.find('/'))
        .map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

impl<'a> Bounded<'a> {
    fn metered(&self, reader: impl std::io::Read + Send + 'static) -> Reader<'a> {
        BufReader::new(Metered::new(reader, self.meter.clone()))
    }

    /// Stops once a request was answered by another host.
    ///
    /// SECURITY: gix follows a first redirect to any host; what comes from there is not used, and nothing is sent there, not
    /// even the credentials that it asks for.
    fn stay(&self) -> gix::Result<()> {
        match self.inner.redirected_base_url() {
            Some(target) if authority(&target) != self.origin => {
                let target = authority(&target).to_owned();
                let error = self.meter.give_up(Stop::Redirect { target });
                Err(gix::Error::from_error(error))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Http for Bounded<'a> {
    type Headers = Reader<'a>;
    type ResponseBody = Reader<'a>;
    type PostBody = <Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        self.stay()?;
        let response = self.inner.get(url, base_url, headers)?;
        Ok(GetResponse {
            headers: self.metered(response.headers),
            body: self.metered(response.body),
        })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        self.stay()?;
        let response = self.inner.post(url, base_url, headers, body)?;
        Ok(PostResponse {
            post_body: response.post_body,
            headers: self.metered(response.headers),
            body: self.metered(response.body),
        })
    }

    fn configure(&mut self, _: &dyn Any) -> gix::Result {
        // Ours must end first: it knows what to say. The backend's own only ends a thread that nobody waits for.
        let stall = self.meter.stall() + Duration::from_secs(1);
        let is_plain = self.origin.starts_with("http://");
        let backend = Options {
            configure_client: Some(Box::new(move |client| {
                // Reading the system's certificates takes longer than a plain request; a redirect to https is refused.
                let client = if is_plain {
                    let roots = rustls::RootCertStore::empty();
                    let config = rustls::ClientConfig::builder()
                        .with_root_certificates(roots)
                        .with_no_client_auth();
                    client.tls_backend_preconfigured(config)
                } else {
                    client
                };
                Ok(client
                    .timeout(stall)
                    .connect_timeout(stall)
                    .tcp_nodelay(true)
                    .user_agent(concat!("git/ordain-", env!("CARGO_PKG_VERSION"))))
            })),
            configure_request: None,
        };
        self.inner.configure(&http::Options {
            follow_redirects: FollowRedirects::Initial,
            backend: Some(Arc::new(Mutex::new(backend))),
            ..Default::default()
        })
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.inner.redirected_base_url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_compared_whole() {
        assert_eq!(authority("https://h:1/x/y"), "https://h:1");
        assert_eq!(authority("https://h"), "https://h");
        assert_ne!(authority("https://h/x"), authority("https://h.evil/x"));
        assert_ne!(authority("https://h/x"), authority("http://h/x"));
    }
}
