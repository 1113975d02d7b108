//! An agent that is not what it should be: a forwarded socket leads to somebody else's machine.

use std::time::{Duration, Instant};

use super::{sign, world};
use crate::support::agent::{Says, hostile, identities, key_blob, signature, string};
use crate::support::keys::snakeoil;
use crate::support::organisation::{BUNDLE, fails};

/// Within this, a command with a silent agent has ended.
const PATIENCE: Duration = Duration::from_secs(30);

fn alice() -> Vec<u8> {
    let key = snakeoil("alice").signing_key().verifying_key();
    key_blob("ssh-ed25519", key.as_bytes())
}

/// Holds how a signature fails against an agent that lists Alice's key and answers as it is told to everything else.
#[track_caller]
fn refused(name: &str, exit: i32, code: &str, answer: impl Fn(&[u8]) -> Says + Send + 'static) {
    refused_within("60s", name, exit, code, answer);
}

/// The same of an agent that never comes to an end.
#[track_caller]
fn given_up(answer: impl Fn(&[u8]) -> Says + Send + 'static) {
    refused_within("2s", "alice", 4, "E-TRUST-060", answer);
}

#[track_caller]
fn refused_within(
    timeout: &str,
    name: &str,
    exit: i32,
    code: &str,
    answer: impl Fn(&[u8]) -> Says + Send + 'static,
) {
    let mut world = world();
    world.env.set("ORDAIN_KEY_TIMEOUT", timeout);
    hostile(&mut world.env, answer);
    let start = Instant::now();
    let output = sign(&world, &format!("agent:{name}"));
    fails(&output, exit, code);
    assert!(start.elapsed() < PATIENCE, "{output}");
    assert!(!output.stderr.contains('\u{1b}'), "{output}");
    let envelope = world.env.work().join(BUNDLE).join("bundle.dsse.json");
    assert!(!envelope.exists(), "something was signed");
}

fn listing(answer: impl Fn() -> Says + Send + 'static) -> impl Fn(&[u8]) -> Says + Send {
    move |request| {
        assert_eq!(request, [11]);
        answer()
    }
}

fn signing(answer: impl Fn(&[u8]) -> Says + Send + 'static) -> impl Fn(&[u8]) -> Says + Send {
    move |request| match request[0] {
        11 => Says::Message(identities(&[(alice(), "alice")])),
        13 => {
            let body = &request[1..];
            let key = string(&alice());
            assert!(body.starts_with(&key));
            answer(&body[key.len() + 4..body.len() - 4])
        }
        other => panic!("request {other}"),
    }
}

#[test]
fn the_honest_answer_is_taken() {
    let mut world = world();
    let honest =
        |message: &[u8]| Says::Message(signature("ssh-ed25519", &snakeoil("alice").sign(message)));
    hostile(&mut world.env, signing(honest));
    sign(&world, "agent:alice").success();
    super::verified(&world);
}

#[test]
fn a_list_with_a_wrong_length_is_refused() {
    let list = || identities(&[(alice(), "alice")]);
    let with_length = |length: u32, body: Vec<u8>| [&length.to_be_bytes()[..], &body].concat();
    for raw in [
        with_length(u32::MAX, list()),
        with_length(300 << 10, vec![12; 300 << 10]),
        with_length(1 << 10, list()),
        with_length(0, Vec::new()),
        vec![0, 0],
        Vec::new(),
    ] {
        refused(
            "alice",
            4,
            "E-TRUST-060",
            listing(move || Says::Raw(raw.clone())),
        );
    }
}

#[test]
fn a_list_that_is_none_is_refused() {
    let list = identities(&[(alice(), "alice")]);
    let mut many = list.clone();
    many[1..5].fill(0xff);
    let escape = b"\x63\x1b[2J".to_vec();
    let trailing = [&list[..], b"\0"].concat();
    for body in [
        many,
        trailing,
        list[..20].to_vec(),
        vec![5],
        vec![14],
        escape,
    ] {
        refused(
            "alice",
            4,
            "E-TRUST-060",
            listing(move || Says::Message(body.clone())),
        );
    }
}

#[test]
fn silence_has_an_end() {
    given_up(listing(|| Says::Nothing));
    given_up(signing(|_| Says::Nothing));
    let slow = [&string(&identities(&[(alice(), "alice")]))[..], &[0; 900]].concat();
    given_up(listing(move || Says::Drip(slow.clone())));
}

#[test]
fn keys_that_cannot_sign_are_refused_though_the_agent_offers_them() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = key_blob("ssh-ed25519", &identity);
    let token = [
        key_blob("sk-ssh-ed25519@openssh.com", &[7; 32]),
        string(b"ssh:"),
    ]
    .concat();
    let short = key_blob("ssh-ed25519", &[7; 31]);
    for (blob, exit, code) in [
        (weak, 3, "E-TRUST-034"),
        (token, 2, "E-TRUST-033"),
        (short, 2, "E-TRUST-032"),
    ] {
        let list = move || Says::Message(identities(&[(blob.clone(), "key")]));
        refused("key", exit, code, listing(list));
    }
}

#[test]
fn a_signature_that_is_no_signature_by_the_key_is_refused() {
    type Answer = fn(&[u8]) -> Vec<u8>;
    let sign: [(Answer, i32, &str); 7] = [
        // Somebody else's, of the right bytes.
        (
            |message| signature("ssh-ed25519", &snakeoil("bob").sign(message)),
            3,
            "E-TRUST-062",
        ),
        // Alice's, of other bytes.
        (
            |_| signature("ssh-ed25519", &snakeoil("alice").sign(b"x")),
            3,
            "E-TRUST-062",
        ),
        (|_| signature("ssh-ed25519", &[0; 64]), 3, "E-TRUST-062"),
        (|_| signature("ssh-ed25519", &[0; 63]), 4, "E-TRUST-060"),
        (|_| signature("rsa-sha2-512", &[0; 64]), 4, "E-TRUST-060"),
        (|_| vec![5], 4, "E-TRUST-060"),
        (|_| identities(&[]), 4, "E-TRUST-060"),
    ];
    for (answer, exit, code) in sign {
        refused(
            "alice",
            exit,
            code,
            signing(move |message| Says::Message(answer(message))),
        );
    }
}
