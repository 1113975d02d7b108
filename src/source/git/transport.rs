//! One connection per kind of URL, all under a [`Meter`].

use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;

use super::error::FetchError;
use super::meter::{Meter, Metered};
use super::{Request, child, http};
use crate::source::url::Location;

/// The port of `git://`.
const GIT_PORT: u16 = 9418;

/// A connection, and what must be closed with it.
pub(super) struct Wire<'a> {
    pub(super) transport: Box<dyn Transport + 'a>,
    pub(super) owner: Owner,
}

/// Closes the connection on drop, which ends the thread that reads it.
#[derive(Debug)]
pub(super) enum Owner {
    Socket(TcpStream),
    Child(child::Guard),
    Http,
}

impl Owner {
    /// What a child process wrote to its standard error.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Child(guard) => guard.said(),
            Self::Socket(_) | Self::Http => String::new(),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Self::Socket(stream) = self {
            // The other side may have closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Connects to the request's URL.
pub(super) fn open<'a>(
    request: &Request<'_>,
    meter: &Arc<Meter<'a>>,
) -> Result<Wire<'a>, FetchError> {
    let url = request.url.as_str();
    match request.url.location() {
        Location::Http => {
            let parsed =
                gix::url::parse(url.as_bytes()).map_err(|error| FetchError::Unreachable {
                    url: url.to_owned(),
                    reason: super::error::shown(&error.to_string()),
                })?;
            Ok(Wire {
                transport: http::connect(parsed, url, meter.clone()),
                owner: Owner::Http,
            })
        }
        Location::Git { host, port, path } => open_git(url, host, *port, path, meter),
        Location::Ssh {
            user,
            host,
            port,
            path,
        } => {
            let command = child::ssh(request.ssh, user.as_deref(), host, *port, path, meter);
            open_child(command, url, path, meter)
        }
        Location::File(path) | Location::Local(path) => {
            let command = child::upload_pack(path, meter);
            open_child(command, url, &path.to_string_lossy(), meter)
        }
    }
}

fn open_git<'a>(
    url: &str,
    host: &str,
    port: Option<u16>,
    path: &str,
    meter: &Arc<Meter<'a>>,
) -> Result<Wire<'a>, FetchError> {
    let failed = |error: std::io::Error| FetchError::Unreachable {
        url: url.to_owned(),
        reason: error.to_string(),
    };
    let addresses = (host, port.unwrap_or(GIT_PORT))
        .to_socket_addrs()
        .map_err(failed)?;
    let mut last = std::io::Error::other("the host has no address");
    let stream = addresses.into_iter().find_map(|address| {
        TcpStream::connect_timeout(&address, meter.stall())
            .map_err(|error| last = error)
            .ok()
    });
    let stream = stream.ok_or(last).map_err(failed)?;
    let configure = || -> std::io::Result<(TcpStream, TcpStream)> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(meter.stall()))?;
        Ok((stream.try_clone()?, stream.try_clone()?))
    };
    let (reader, writer) = configure().map_err(failed)?;
    let connection = Connection::new(
        Metered::new(reader, meter.clone()),
        writer,
        Protocol::V2,
        path,
        Some((host, port)),
        ConnectMode::Daemon,
        false,
    );
    Ok(Wire {
        transport: Box::new(connection.custom_url(Some(url.into()))),
        owner: Owner::Socket(stream),
    })
}

fn open_child<'a>(
    command: std::process::Command,
    url: &str,
    path: &str,
    meter: &Arc<Meter<'a>>,
) -> Result<Wire<'a>, FetchError> {
    let (guard, stdout, stdin) = child::start(command, url)?;
    let connection = Connection::new(
        Metered::new(stdout, meter.clone()),
        stdin,
        Protocol::V2,
        path,
        None::<(&str, _)>,
        ConnectMode::Process,
        false,
    );
    Ok(Wire {
        transport: Box::new(connection.custom_url(Some(url.into()))),
        owner: Owner::Child(guard),
    })
}
