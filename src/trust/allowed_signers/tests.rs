use super::*;
use crate::trust::{KeyId, SecretKey};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn read(text: &str) -> Result<AllowedSigners, AllowedSignersError> {
    read_allowed_signers(text.as_bytes(), now())
}

fn names(text: &str) -> Vec<String> {
    let taken = read(text).unwrap().taken;
    taken
        .iter()
        .map(|signer| signer.principal.to_string())
        .collect()
}

#[test]
fn lines_of_every_form_are_read() {
    for line in [
        format!("alice {KEY}"),
        format!("alice\t{KEY} a comment"),
        format!("  alice {KEY}\r"),
        format!("\"alice\" {KEY}"),
        format!("alice,alice@example.com {KEY}"),
        format!("alice@example.com {KEY}"),
        format!("alice namespaces=\"git,bundle@ordain.dev\" {KEY}"),
        format!("alice NAMESPACES=\"*\" {KEY}"),
        format!("alice valid-after=\"20250101\",namespaces=\"bundle@ordain.dev\" {KEY}"),
        format!("alice valid-after=\"202511221200Z\" {KEY}"),
    ] {
        assert_eq!(names(&line), ["alice"], "{line}");
    }
    assert_eq!(names("# nobody\n\n   \n"), Vec::<String>::new());
}

#[test]
fn what_a_trust_root_cannot_say_is_left_out_and_reported() {
    for (line, why) in [
        (format!("* {KEY}"), "pattern"),
        (format!("*@example.com {KEY}"), "pattern"),
        (format!("!bob,alice {KEY}"), "pattern"),
        (format!("alice,bob {KEY}"), "several people"),
        (format!("Alice {KEY}"), "not a principal"),
        (
            format!("alice cert-authority {KEY}"),
            "certificate authority",
        ),
        (format!("alice namespaces=\"git\" {KEY}"), "limited to"),
        (
            format!("alice valid-before=\"20200101Z\" {KEY}"),
            "was valid",
        ),
        (
            format!("alice valid-before=\"20300101Z\" {KEY}"),
            "is valid before",
        ),
        (
            format!("alice valid-after=\"20270101Z\" {KEY}"),
            "valid only after",
        ),
        // Local time may be hours away.
        (
            format!("alice valid-after=\"202611221100\" {KEY}"),
            "valid only after",
        ),
        (
            "alice ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7".to_owned(),
            "type `ssh-rsa`",
        ),
        (
            "alice sk-ssh-ed25519@openssh.com AAAA".to_owned(),
            "only ed25519",
        ),
    ] {
        let found = read(&line).unwrap();
        assert_eq!(found.taken, [], "{line}");
        assert_eq!(found.skipped.len(), 1, "{line}");
        assert!(
            found.skipped[0].reason.contains(why),
            "{line}: {:?}",
            found.skipped
        );
    }
}

#[test]
fn a_line_that_cannot_be_read_stops_it() {
    for line in [
        "alice".to_owned(),
        "alice ssh-ed25519".to_owned(),
        "alice AAAA".to_owned(),
        format!("\"alice {KEY}"),
        format!("al\"ice {KEY}"),
        format!("\"\" {KEY}"),
        format!("alice no-such-option {KEY}"),
        format!("alice namespaces {KEY}"),
        format!("alice namespaces=git {KEY}"),
        format!("alice namespaces=\"\" {KEY}"),
        format!("alice namespaces=\"bundle@ordain.dev {KEY}"),
        format!("alice cert-authority,cert-authority {KEY}"),
        format!("alice valid-before=\"soon\" {KEY}"),
        format!("alice valid-before=\"20261332\" {KEY}"),
        format!("alice valid-after=\"20200101\",valid-after=\"20200101\" {KEY}"),
        format!("alice\u{1b}[2J {KEY}"),
        format!(
            "alice {KEY}{}",
            " ".repeat(3).replace(' ', &"x".repeat(4000))
        ),
    ] {
        let text = format!("# first\n{line}\n");
        let error = read(&text).unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{line}: {error}");
    }
    assert_eq!(
        read_allowed_signers(b"\xff", now()),
        Err(AllowedSignersError::NotText)
    );
    let large = "#".repeat(MAX_ALLOWED_SIGNERS_BYTES + 1);
    let error = read(&large).unwrap_err();
    assert_eq!(
        (error.code(), error),
        (Code::ALLOWED_SIGNERS, AllowedSignersError::TooLarge)
    );
    let weak =
        "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(read(weak).unwrap_err().code(), Code::KEY_WEAK);
}

#[test]
fn two_addresses_are_not_made_one_person() {
    let other = SecretKey::from_seed(&[7; 32]).public().to_openssh();
    let text = format!("alice@a.example {KEY}\nalice@b.example {other}\n");
    assert!(matches!(
        read(&text),
        Err(AllowedSignersError::Line { line: 2, .. })
    ));
    let same = format!("alice@a.example {KEY}\nalice@a.example {other}\n");
    assert_eq!(names(&same), ["alice", "alice"]);
}

#[test]
fn a_bare_name_and_an_address_are_not_made_one_person() {
    let other = SecretKey::from_seed(&[7; 32]).public().to_openssh();
    for (first, second) in [
        ("alice", "alice@evil.example"),
        ("alice@a.example", "alice"),
        ("alice,alice@a.example", "alice@evil.example"),
    ] {
        let error = read(&format!("{first} {KEY}\n{second} {other}\n")).unwrap_err();
        assert!(
            matches!(error, AllowedSignersError::Line { line: 2, .. }),
            "{first}, {second}: {error}"
        );
    }
    // The file itself says that they are one.
    let said = format!("alice,alice@a.example {KEY}\nalice {other}\nalice@a.example {other}\n");
    assert_eq!(names(&said), ["alice", "alice", "alice"]);
}

#[test]
fn what_is_written_is_read_again_without_the_revoked() {
    let mut document = crate::trust::root_edit::tests::sample();
    let revoked: KeyId = SecretKey::from_seed(&[3; 32]).public().id();
    document.revoked.keys.insert(revoked.clone());
    let namespaces: SignatureNamespaces = "git,bundle@ordain.dev".parse().unwrap();
    let text = write_allowed_signers(&document, Some(&namespaces));
    let found = read(&text).unwrap();
    assert_eq!(found.skipped, []);
    let people: Vec<&str> = found.taken.iter().map(|s| s.principal.as_str()).collect();
    assert_eq!(people, ["alice", "bob", "carol"]);
    assert!(found.taken.iter().all(|signer| signer.key.id() != revoked));
    for bad in ["", "a,", "a b", "a\"", "!a", "é"] {
        assert!(bad.parse::<SignatureNamespaces>().is_err(), "{bad}");
    }
}
