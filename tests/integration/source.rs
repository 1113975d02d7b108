//! Fetching from real servers, sound and hostile.

mod damage;
mod hostile;
mod https;
mod isolation;
mod redirects;
mod transports;
mod unmoved;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ordain::bundle::{FetchedBundle, Limits};
use ordain::source::git::{Credentials, FetchError, Fetched, Network, Request, fetch, locate};

/// A request with the defaults of these tests, to be changed field by field.
pub(super) struct Asked<'a> {
    pub(super) url: &'a str,
    pub(super) reference: &'a str,
    pub(super) path: &'a str,
    pub(super) limits: Limits,
    pub(super) network: Network,
    pub(super) credentials: Option<Credentials>,
    pub(super) ssh: Option<String>,
}

pub(super) fn asked<'a>(url: &'a str, reference: &'a str) -> Asked<'a> {
    Asked {
        url,
        reference,
        path: "",
        limits: Limits::default(),
        network: Network::Allowed,
        credentials: None,
        ssh: None,
    }
}

impl Asked<'_> {
    fn locate(&self, cache: &Path) -> Result<String, FetchError> {
        let request = Request {
            url: &self.url.parse().unwrap(),
            reference: &self.reference.parse().unwrap(),
            path: self.path,
            limits: &self.limits,
            network: self.network,
            credentials: self.credentials.as_ref(),
            ssh: self.ssh.as_deref(),
        };
        let id = locate(&request, cache, &|_| {}, &AtomicBool::new(false))?;
        Ok(id.to_string())
    }

    pub(super) fn fetch(&self, cache: &Path) -> Result<Fetched, FetchError> {
        self.fetch_until(cache, &AtomicBool::new(false))
    }

    fn fetch_until(&self, cache: &Path, interrupt: &AtomicBool) -> Result<Fetched, FetchError> {
        let request = Request {
            url: &self.url.parse().unwrap(),
            reference: &self.reference.parse().unwrap(),
            path: self.path,
            limits: &self.limits,
            network: self.network,
            credentials: self.credentials.as_ref(),
            ssh: self.ssh.as_deref(),
        };
        fetch(&request, cache, &|_| {}, interrupt)
    }
}

fn text(bundle: &FetchedBundle, name: &str) -> Option<String> {
    let bytes = bundle.files.get(&name.parse().unwrap())?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

fn commit(fetched: &Fetched) -> String {
    fetched.bundle.origin.commit().unwrap().to_string()
}

/// What an in-place read of `main` is refused for, if it is.
pub(super) fn refusal(repo: &super::support::repo::Repo) -> Option<ordain::diag::Code> {
    let cache = tempfile::tempdir().unwrap();
    let fetched = asked(&repo.path().display().to_string(), "main").fetch(cache.path());
    fetched.err().map(|error| error.code())
}
