//! The URLs that a bundle may be fetched from.
//!
//! An allow-list: whatever is not one of the forms below is refused before a process or socket is opened. Git's own parser
//! takes `ext::sh -c …` for a command and `ssh://-oProxyCommand=…/` for an option of `ssh`; nothing here can be either.
//!
//! | form | transport |
//! | --- | --- |
//! | `https://host[:port]/path` | HTTPS |
//! | `http://host[:port]/path` | HTTP, to loopback only unless [`InsecureHttp::Allow`] |
//! | `ssh://[user@]host[:port]/path`, `[user@]host:path` | SSH |
//! | `git://host[:port]/path` | Git's own protocol |
//! | `file:///path` | `git upload-pack` on this machine |
//! | `/path`, `./path`, `path` | a repository on this machine, read in place |

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Whether unencrypted HTTP may leave this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InsecureHttp {
    /// `http://` reaches loopback addresses only.
    #[default]
    LoopbackOnly,
    /// `http://` reaches any host.
    Allow,
}

/// Where a repository is, in one of the forms of this module's table. Holds no password or token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitUrl {
    text: String,
    location: Location,
}

/// What a transport needs besides this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// `ssh`.
    Ssh,
    /// `git`, which serves the repository.
    Git,
    /// `git`, where the server asks for credentials and none are given.
    CredentialHelper,
}

impl Need {
    /// The program's name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Git | Self::CredentialHelper => "git",
        }
    }
}

/// The parts of a URL, decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Location {
    /// Read in place.
    Local(PathBuf),
    /// Through `git upload-pack`.
    File(PathBuf),
    /// Over HTTP or HTTPS.
    Http,
    /// Through `ssh`.
    Ssh {
        user: Option<String>,
        host: String,
        port: Option<u16>,
        path: String,
    },
    /// Over TCP.
    Git {
        host: String,
        port: Option<u16>,
        path: String,
    },
}

/// Why a text is not a URL to fetch from. No variant shows what may be a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing there.
    #[error("the URL is empty")]
    Empty,
    /// More than 2048 bytes.
    #[error("the URL is longer than 2048 bytes")]
    TooLong,
    /// A control, bidirectional or invisible character, or white space in a URL with a scheme.
    #[error("the URL holds the character U+{:04X}, which is not allowed", *character as u32)]
    Character {
        /// The character.
        character: char,
    },
    /// A `-` where a program could take what follows for an option.
    #[error("the URL's {part} begins with `-`, which a program could take for an option")]
    Option {
        /// Which part.
        part: &'static str,
    },
    /// `ext::…` and other remote helpers: they run commands.
    #[error("`{}::` names a remote helper, which may run any command", helper.escape_debug())]
    Helper {
        /// The helper.
        helper: String,
    },
    /// A scheme that is not on the list.
    #[error("the scheme `{}` is not allowed; use https, ssh, git, file, or a path", scheme.escape_debug())]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A user or password in an HTTP URL, or a password in another.
    #[error(
        "the URL holds credentials; leave them out, and give them by a git credential helper or an environment variable"
    )]
    Credentials,
    /// `http://` to another machine.
    #[error("`http://{}` is not encrypted; use https, or allow insecure http for it", host.escape_debug())]
    InsecureHttp {
        /// The host.
        host: String,
    },
    /// No host, or one with characters that host names do not have.
    #[error("the URL's host is missing or malformed")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// No path, a malformed percent escape, or a `file://` path that is not absolute.
    #[error("the URL's path is missing or malformed")]
    Path,
}

impl UrlError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> crate::diag::Code {
        use crate::diag::Code;
        match self {
            Self::Credentials => Code::SOURCE_URL_CREDENTIALS,
            Self::InsecureHttp { .. } => Code::SOURCE_URL_INSECURE,
            Self::Option { .. } | Self::Helper { .. } | Self::Scheme { .. } => {
                Code::SOURCE_URL_REFUSED
            }
            _ => Code::SOURCE_URL_MALFORMED,
        }
    }
}

impl GitUrl {
    /// Parses `text`, with a say on unencrypted HTTP. `FromStr` is this with [`InsecureHttp::LoopbackOnly`].
    ///
    /// # Errors
    /// [`UrlError`] for the first rule that it breaks.
    pub fn parse(text: &str, insecure: InsecureHttp) -> Result<Self, UrlError> {
        lint_text(text)?;
        if let Some((helper, _)) = text.split_once("::")
            && helper.bytes().all(is_scheme_byte)
        {
            // Only a bracketed address may hold `::` after its scheme.
            return Err(UrlError::Helper {
                helper: helper.to_owned(),
            });
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return parse_scp_or_path(text);
        };
        if !scheme.bytes().all(is_scheme_byte) {
            return parse_scp_or_path(text);
        }
        if let Some(character) = rest.chars().find(|c| c.is_whitespace() || *c == '\\') {
            return Err(UrlError::Character { character });
        }
        match scheme {
            "https" | "http" => parse_http(scheme, rest, insecure),
            "ssh" | "git" => parse_network(scheme, rest),
            "file" => parse_file(rest),
            _ => Err(UrlError::Scheme {
                scheme: scheme.chars().take(40).collect(),
            }),
        }
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path of a repository that is read in place.
    #[must_use]
    pub fn local_path(&self) -> Option<&Path> {
        match &self.location {
            Location::Local(path) => Some(path),
            _ => None,
        }
    }

    /// The program that fetching from it starts, or asks for credentials.
    #[must_use]
    pub fn need(&self) -> Option<Need> {
        match &self.location {
            Location::Ssh { .. } => Some(Need::Ssh),
            Location::File(_) => Some(Need::Git),
            Location::Http => Some(Need::CredentialHelper),
            Location::Local(_) | Location::Git { .. } => None,
        }
    }

    /// A local path made absolute by `base`; any other URL as it is.
    #[must_use]
    pub fn resolved(&self, base: &Path) -> Self {
        match &self.location {
            Location::Local(path) if path.is_relative() => Self {
                text: base.join(path).display().to_string(),
                location: Location::Local(base.join(path)),
            },
            _ => self.clone(),
        }
    }

    /// The parts.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }
}

impl FromStr for GitUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text, InsecureHttp::LoopbackOnly)
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

/// Characters that hide what a text is when it is shown.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn lint_text(text: &str) -> Result<(), UrlError> {
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong);
    }
    if let Some(character) = text.chars().find(|c| hides(*c)) {
        return Err(UrlError::Character { character });
    }
    if text.starts_with('-') {
        return Err(UrlError::Option { part: "text" });
    }
    Ok(())
}

/// `[user@]host:path`, which Git tells from a path by a colon before the first slash; else a path.
fn parse_scp_or_path(text: &str) -> Result<GitUrl, UrlError> {
    let first = text.split('/').next().unwrap_or(text);
    if !first.contains(':') {
        return Ok(GitUrl {
            text: text.to_owned(),
            location: Location::Local(PathBuf::from(text)),
        });
    }
    // `[::1]:path` and `[host:port]:path`: Git reads both; only `ssh://` says plainly which is meant.
    if first.contains('[') {
        return Err(UrlError::Host);
    }
    let (authority, path) = text.split_once(':').ok_or(UrlError::Path)?;
    // `user:password@host:path`, which Git would take for the host `user`.
    if first
        .rsplit_once(':')
        .is_some_and(|(before, _)| before.len() > authority.len() && before.contains('@'))
    {
        return Err(UrlError::Credentials);
    }
    let (user, host) = split_user(authority)?;
    lint_host(host)?;
    if path.is_empty() {
        return Err(UrlError::Path);
    }
    if path.starts_with('-') {
        return Err(UrlError::Option { part: "path" });
    }
    Ok(GitUrl {
        text: text.to_owned(),
        location: Location::Ssh {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: None,
            path: path.to_owned(),
        },
    })
}

fn parse_http(scheme: &str, rest: &str, insecure: InsecureHttp) -> Result<GitUrl, UrlError> {
    let (authority, path) = split_authority(rest);
    if authority.contains('@') {
        return Err(UrlError::Credentials);
    }
    let (host, _) = split_port(authority)?;
    lint_host(host)?;
    if !path.starts_with('/') || path.len() < 2 {
        return Err(UrlError::Path);
    }
    decode(path)?;
    if scheme == "http" && insecure == InsecureHttp::LoopbackOnly && !is_loopback(host) {
        return Err(UrlError::InsecureHttp {
            host: host.to_owned(),
        });
    }
    Ok(GitUrl {
        text: format!("{scheme}://{rest}"),
        location: Location::Http,
    })
}

fn parse_network(scheme: &str, rest: &str) -> Result<GitUrl, UrlError> {
    let (authority, path) = split_authority(rest);
    let (user, address) = split_user(authority)?;
    if user.is_some() && scheme == "git" {
        return Err(UrlError::Credentials);
    }
    let (host, port) = split_port(address)?;
    lint_host(host)?;
    if !path.starts_with('/') || path.len() < 2 {
        return Err(UrlError::Path);
    }
    let path = decode(path)?;
    // As Git does: `ssh://host/~user/x` means a path below that user's home.
    let path = match path.strip_prefix('/') {
        Some(home) if home.starts_with('~') && scheme == "ssh" => home.to_owned(),
        _ => path,
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let location = match scheme {
        "ssh" => Location::Ssh {
            user: user.map(str::to_owned),
            host,
            port,
            path,
        },
        _ => Location::Git { host, port, path },
    };
    Ok(GitUrl {
        text: format!("{scheme}://{rest}"),
        location,
    })
}

fn parse_file(rest: &str) -> Result<GitUrl, UrlError> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') || path.len() < 2 {
        return Err(UrlError::Path);
    }
    Ok(GitUrl {
        text: format!("file://{path}"),
        location: Location::File(PathBuf::from(decode(path)?)),
    })
}

fn split_authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

fn split_user(authority: &str) -> Result<(Option<&str>, &str), UrlError> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((None, authority));
    };
    if user.contains(':') {
        return Err(UrlError::Credentials);
    }
    if user.starts_with('-') {
        return Err(UrlError::Option { part: "user" });
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    if user.is_empty() || !user.bytes().all(plain) {
        return Err(UrlError::Host);
    }
    Ok((Some(user), host))
}

fn split_port(address: &str) -> Result<(&str, Option<u16>), UrlError> {
    let after_bracket = address.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = address.get(after_bracket..).and_then(|s| s.find(':')) else {
        return Ok((address, None));
    };
    let (host, port) = address
        .split_at_checked(after_bracket + colon)
        .ok_or(UrlError::Port)?;
    let digits = port.trim_start_matches(':');
    if !digits.bytes().all(|b| b.is_ascii_digit()) || port.len() != digits.len() + 1 {
        return Err(UrlError::Port);
    }
    match digits.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(UrlError::Port),
    }
}

fn lint_host(host: &str) -> Result<(), UrlError> {
    if host.starts_with('-') {
        return Err(UrlError::Option { part: "host" });
    }
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        }
    };
    if fits { Ok(()) } else { Err(UrlError::Host) }
}

/// Whether `host` cannot be another machine. Names are not looked up, so only `localhost` itself counts.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Undoes percent escapes; what they hide is linted as well.
fn decode(path: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut nibble = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (nibble(), nibble()) else {
            return Err(UrlError::Path);
        };
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| UrlError::Path)?);
    }
    let text = String::from_utf8(bytes).map_err(|_| UrlError::Path)?;
    match text.chars().find(|c| hides(*c)) {
        Some(character) => Err(UrlError::Character { character }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests;
