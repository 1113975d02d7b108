//! Stable identities of what a request speaks of: a project, and an MCP server.

use url::Url;

use crate::digest::Sha256Digest;

/// What identifies a project directory, as the caller, who can look at the disk, found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectIdentity {
    /// The URL of its Git remote, credentials and all; they are dropped here.
    Remote(String),
    /// Its path with links resolved, for a project without a remote.
    RealPath(String),
}

impl ProjectIdentity {
    /// SHA-256 of the text that [`ProjectIdentity::spelling`] gives.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(self.spelling().as_bytes())
    }

    /// The text that is hashed: `host[:port]/path` of a remote, the path itself otherwise.
    ///
    /// Scheme, user, password, query, default port, a final `/` and `.git` are dropped, and the host is lower case, so that a
    /// project is one project whether it was cloned by `ssh`, `https` or `git@host:path`. A real path is absolute and a
    /// remote never begins with `/`, so that the two cannot be confused.
    #[must_use]
    pub fn spelling(&self) -> String {
        match self {
            Self::Remote(url) => remote(url),
            Self::RealPath(path) => tidy_path(path),
        }
    }

    /// The remote, where `project` is written as one: `scheme://…` or `user@host:path`.
    pub(super) fn from_url(project: &str) -> Option<Self> {
        let scp = || {
            project.split_once(':').is_some_and(|(host, path)| {
                host.contains('@') && !host.contains('/') && !path.is_empty()
            })
        };
        (project.contains("://") || scp()).then(|| Self::Remote(project.to_owned()))
    }
}

fn remote(text: &str) -> String {
    let (host, path) = if let Ok(url) = Url::parse(text)
        && text.contains("://")
    {
        let port = match (url.scheme(), url.port()) {
            // `url` knows the ports of the web's schemes only.
            ("ssh", Some(22)) | ("git", Some(9418)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let host = url.host_str().unwrap_or_default().to_lowercase();
        (
            format!("{}{port}", host.trim_end_matches('.')),
            url.path().to_owned(),
        )
    } else if let Some((host, path)) = text.split_once(':')
        && !host.contains('/')
    {
        let host = host.rsplit('@').next().unwrap_or_default().to_lowercase();
        (host.trim_end_matches('.').to_owned(), path.to_owned())
    } else {
        return tidy_path(text);
    };
    let path = tidy_path(&path);
    let path = path.strip_suffix(".git").unwrap_or(&path);
    format!("{host}/{}", path.trim_start_matches('/'))
}

/// Drops empty and `.` segments and the final slash. `..` stays: only the disk knows what lies above a link.
fn tidy_path(path: &str) -> String {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !matches!(*segment, "" | "."))
        .collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", segments.join("/"))
}

/// `package` without its version, and the version: `@acme/x@1.2` (npm), `x==1.2` (PyPI), `image@sha256:…`.
///
/// SECURITY: with the version in the identity, `package:evil@1` would pass a rule that denies `package:evil`.
pub(super) fn split_version(package: &str) -> (&str, Option<&str>) {
    let package = package.trim();
    let at_sign = package
        .match_indices('@')
        .map(|(at, _)| at)
        .find(|at| *at > 0)
        .and_then(|at| package.split_at_checked(at))
        .map(|(name, version)| (name, version.trim_start_matches('@')))
        .filter(|(name, version)| !name.ends_with('/') && !version.contains('/'));
    match at_sign.or_else(|| package.split_once("==")) {
        Some((name, version)) if !version.trim().is_empty() => {
            (name.trim_end(), Some(version.trim()))
        }
        _ => (package, None),
    }
}

/// An absolute URL with a host, without user, password, query, fragment and final slash; none for anything else.
///
/// SECURITY: dot segments and default ports are resolved, so that no second spelling passes a rule on the first.
pub(super) fn endpoint(text: &str) -> Option<String> {
    let mut url = Url::parse(text.trim()).ok()?;
    let host = url.host_str()?.trim_end_matches('.').to_lowercase();
    if host.is_empty() {
        return None;
    }
    url.set_host(Some(&host)).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// A command line with single blanks between its words.
pub(super) fn command_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote_of(url: &str) -> String {
        ProjectIdentity::from_url(url).unwrap().spelling()
    }

    #[test]
    fn one_project_has_one_spelling() {
        for url in [
            "https://git.example.com/team/app.git",
            "https://alice:s3cret@git.example.com/team/app",
            "https://token@GIT.example.com:443/team//app/?access=1#x",
            "ssh://git@git.example.com:22/team/app.git/",
            "git://git.example.com:9418/team/app",
            "git@git.example.com:team/app.git",
        ] {
            assert_eq!(remote_of(url), "git.example.com/team/app", "{url}");
        }
        assert_eq!(
            remote_of("https://git.example.com:8443/team/app"),
            "git.example.com:8443/team/app"
        );
        let real = |path: &str| ProjectIdentity::RealPath(path.to_owned()).spelling();
        assert_eq!(real("/home/alice//app/./"), "/home/alice/app");
        assert_eq!(remote_of("file:///home/alice/app"), "/home/alice/app");
        assert_eq!(ProjectIdentity::from_url("/home/a@b:c"), None);
        assert_eq!(ProjectIdentity::from_url("app"), None);
    }

    #[test]
    fn the_fingerprint_is_plain_sha256_of_the_spelling() {
        let project =
            ProjectIdentity::Remote("https://x:y@git.example.com/team/app.git".to_owned());
        assert_eq!(
            project.fingerprint(),
            Sha256Digest::of(b"git.example.com/team/app")
        );
    }

    #[test]
    fn versions_leave_the_identity() {
        for (package, name, version) in [
            ("@acme/server@1.2.3", "@acme/server", Some("1.2.3")),
            ("@acme/server", "@acme/server", None),
            ("server@latest", "server", Some("latest")),
            ("mcp-server==0.6.2", "mcp-server", Some("0.6.2")),
            (
                "ghcr.io/acme/s@sha256:00",
                "ghcr.io/acme/s",
                Some("sha256:00"),
            ),
            ("git+ssh://git@host/x", "git+ssh://git@host/x", None),
            ("x@", "x@", None),
        ] {
            assert_eq!(split_version(package), (name, version), "{package}");
        }
    }

    #[test]
    fn an_endpoint_has_one_spelling() {
        for url in [
            "https://mcp.example.com/v1",
            "HTTPS://MCP.example.com:443/v1/",
            "https://u:p@mcp.example.com./x/../v1?key=s3cret#f",
            " https://mcp.example.com/%2e/v1",
        ] {
            assert_eq!(
                endpoint(url).as_deref(),
                Some("https://mcp.example.com/v1"),
                "{url}"
            );
        }
        for text in ["mcp.example.com", "/x", "https://", "mailto:a@b", ""] {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }
}
