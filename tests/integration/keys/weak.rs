//! Points of low order are no keys: under them anyone can sign anything. They are refused wherever a public key enters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{script, sign, world};
use crate::support::agent::{Says, hostile, identities, key_blob, string};
use crate::support::organisation::fails;

/// The canonical encodings of points of order 1, 2, 4 and 8 (two each of the last).
fn weak() -> Vec<[u8; 32]> {
    let hex = |text: &str| -> [u8; 32] {
        let digits: Vec<u8> = text.bytes().collect();
        std::array::from_fn(|index| {
            let pair = std::str::from_utf8(&digits[2 * index..2 * index + 2]).unwrap();
            u8::from_str_radix(pair, 16).unwrap()
        })
    };
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ]
    .map(hex)
    .to_vec()
}

fn openssh(point: &[u8; 32]) -> String {
    let blob = STANDARD.encode(key_blob("ssh-ed25519", point));
    format!("ssh-ed25519 {blob} weak\n")
}

fn pem(point: &[u8; 32]) -> String {
    // SubjectPublicKeyInfo of ed25519 (RFC 8410, section 4) is a fixed prefix and the point.
    let der = [&[48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0][..], point].concat();
    let body = STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

#[test]
fn weak_keys_are_refused_wherever_a_key_enters() {
    let mut world = world();
    for point in weak() {
        world.env.write("weak.pub", openssh(&point));
        world.env.write("weak.pem", pem(&point));
        for file in ["weak.pub", "weak.pem"] {
            let env = &world.env;
            fails(&env.ordain(["key", "show", file]), 3, "E-TRUST-034");
            let principal = format!("--principal=mallory={file}");
            let init = [
                "trust",
                "init",
                "--dir=new",
                "--threshold=1",
                "--expires=1y",
                &principal,
            ];
            fails(&env.ordain(init), 3, "E-TRUST-034");
            assert!(!env.work().join("new").exists());
            fails(&sign(&world, &format!("agent:./{file}")), 3, "E-TRUST-034");
            let program = script(&world.env, "signer", &format!("cat {file}"));
            fails(
                &sign(&world, &format!("command:{program}")),
                3,
                "E-TRUST-034",
            );
        }
        hostile(&mut world.env, move |_| {
            Says::Message(identities(&[(key_blob("ssh-ed25519", &point), "weak")]))
        });
        fails(&sign(&world, "agent:weak"), 3, "E-TRUST-034");
        let list = world.env.ordain(["key", "list", "--agent"]);
        assert!(list.success().contains("not usable: a weak key"), "{list}");
    }
}

#[test]
fn a_forgery_under_a_weak_key_is_refused_though_openssh_takes_it() {
    // Under the identity, R = S·B fits every message; S = 0 makes that R = the identity.
    let identity = weak()[0];
    let forged = key_blob("ssh-ed25519", &[&identity[..], &[0; 32]].concat());
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    for field in [
        &key_blob("ssh-ed25519", &identity)[..],
        b"bundle@ordain.dev",
        b"",
        b"sha512",
        &forged,
    ] {
        blob.extend(string(field));
    }
    let body = STANDARD.encode(blob);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(70)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let armored = format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        lines.join("\n")
    );
    let world = world();
    world.env.write("any.json", "{}");
    world.env.write("any.json.sig", armored);
    let mut openssh = world.env.command("ssh-keygen");
    openssh.args([
        "-Y",
        "check-novalidate",
        "-n",
        "bundle@ordain.dev",
        "-s",
        "any.json.sig",
    ]);
    world.env.run(openssh, b"{}").success();
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let verify = [
        "bundle",
        "ssh-verify",
        "any.json",
        "--trust-root=trust",
        &fingerprint,
    ];
    fails(&world.env.ordain(verify), 3, "E-TRUST-034");
}
