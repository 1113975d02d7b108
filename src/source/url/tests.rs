use super::*;

fn refused(text: &str) -> UrlError {
    text.parse::<GitUrl>().unwrap_err()
}

#[test]
fn options_in_any_part_are_refused() {
    for (text, part) in [
        ("-oProxyCommand=touch x", "text"),
        ("--upload-pack=touch x", "text"),
        ("ssh://-oProxyCommand=touch/x", "host"),
        ("ssh://git@-oProxyCommand=x/y", "host"),
        ("ssh://-oProxyCommand=x@host/y", "user"),
        ("git@-oProxyCommand=x:y", "host"),
        ("-oProxyCommand=x@host:y", "text"),
        ("git@host:--upload-pack=x", "path"),
        ("git://-h/x", "host"),
        ("https://-h/x", "host"),
    ] {
        assert_eq!(refused(text), UrlError::Option { part }, "{text}");
    }
}

#[test]
fn remote_helpers_and_unknown_schemes_are_refused() {
    for text in [
        "ext::sh -c touch% x",
        "fd::17",
        "transport::address",
        "https::https://h/x",
        "::x",
    ] {
        assert!(matches!(refused(text), UrlError::Helper { .. }), "{text}");
    }
    for text in [
        "ftp://h/x",
        "ext://h/x",
        "HTTPS://h/x",
        "javascript://x",
        "git+ssh://h/x",
        "://x",
    ] {
        assert!(matches!(refused(text), UrlError::Scheme { .. }), "{text}");
    }
}

#[test]
fn credentials_are_refused_and_not_repeated() {
    for text in [
        "https://user:hunter2@host/x",
        "https://hunter2@host/x",
        "http://user:hunter2@127.0.0.1/x",
        "ssh://git:hunter2@host/x",
        "git:hunter2@host:x",
        "git://hunter2@host/x",
    ] {
        let error = refused(text);
        assert!(!error.to_string().contains("hunter2"), "{text}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{text}");
    }
    assert_eq!(refused("https://u:p@host/x"), UrlError::Credentials);
}

#[test]
fn control_characters_are_refused_escaped_or_not() {
    for text in [
        "https://h/\u{1b}[31m",
        "a\nb",
        "https://h/%0ax",
        "ssh://h/%00",
        "file:///a%1b",
        "/a\u{202e}b",
        "https://h/a b",
        "ssh://h\\x/y",
    ] {
        assert!(
            matches!(refused(text), UrlError::Character { .. }),
            "{text:?}"
        );
    }
}

#[test]
fn plain_http_reaches_loopback_only() {
    assert!(matches!(
        refused("http://example.org/x"),
        UrlError::InsecureHttp { .. }
    ));
    assert!(matches!(
        refused("http://localhost.example.org/x"),
        UrlError::InsecureHttp { .. }
    ));
    for text in [
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:80/x",
    ] {
        assert_eq!(text.parse::<GitUrl>().unwrap().to_string(), text);
    }
    assert!(GitUrl::parse("http://example.org/x", InsecureHttp::Allow).is_ok());
}

#[test]
fn malformed_urls_are_refused() {
    assert_eq!(refused(""), UrlError::Empty);
    assert_eq!(refused(&"a".repeat(3000)), UrlError::TooLong);
    for text in ["https:///x", "ssh://h@/x", "https://a$b/x", "[::1]:x"] {
        assert_eq!(refused(text), UrlError::Host, "{text}");
    }
    for text in [
        "https://h:0/x",
        "https://h:99999/x",
        "ssh://h:+22/x",
        "git://h:/x",
        "https://h:1:2/x",
    ] {
        assert_eq!(refused(text), UrlError::Port, "{text}");
    }
    for text in [
        "https://h",
        "ssh://h/",
        "file://x",
        "host:",
        "https://h/%zz",
    ] {
        assert_eq!(refused(text), UrlError::Path, "{text}");
    }
}

#[test]
fn every_form_round_trips() {
    for text in [
        "https://github.com/acme/policy.git",
        "ssh://git@github.com:22/acme/policy.git",
        "git@github.com:acme/policy.git",
        "host:policy",
        "git://127.0.0.1:9418/policy",
        "git://[::1]:9418/policy",
        "file:///srv/policy.git",
        "/srv/policy",
        "./policy:1",
        "policies/acme",
    ] {
        let url: GitUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), text);
    }
}

#[test]
fn parts_are_decoded() {
    let location = |text: &str| text.parse::<GitUrl>().unwrap().location;
    assert_eq!(
        location("ssh://git@h:2222/a%20b"),
        Location::Ssh {
            user: Some("git".into()),
            host: "h".into(),
            port: Some(2222),
            path: "/a b".into()
        }
    );
    assert!(matches!(location("ssh://h/~u/x"), Location::Ssh { path, .. } if path == "~u/x"));
    assert_eq!(
        location("file://localhost/a%20b"),
        Location::File("/a b".into())
    );
    let url: GitUrl = "policy".parse().unwrap();
    assert_eq!(
        url.resolved(Path::new("/base")).local_path(),
        Some(Path::new("/base/policy"))
    );
}
