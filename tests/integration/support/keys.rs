//! Ed25519 keys from fixed seeds. Anyone can derive them, so they are called snakeoil and protect nothing.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding as PemLineEnding;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

/// The OpenSSH line of 32 bytes, whatever they are.
pub(crate) fn openssh_line(point: &[u8]) -> String {
    let mut blob = Vec::new();
    for part in [&b"ssh-ed25519"[..], point] {
        blob.extend_from_slice(
            &u32::try_from(part.len())
                .expect("a few bytes")
                .to_be_bytes(),
        );
        blob.extend_from_slice(part);
    }
    format!("ssh-ed25519 {}", STANDARD.encode(blob))
}

/// A key pair that everyone knows: its seed is `sha256("ordain snakeoil <name>")`.
#[derive(Debug)]
pub(crate) struct Snakeoil {
    name: String,
    seed: [u8; 32],
}

/// The key pair of `name`.
pub(crate) fn snakeoil(name: &str) -> Snakeoil {
    Snakeoil {
        name: name.to_owned(),
        seed: Sha256::digest(format!("ordain snakeoil {name}")).into(),
    }
}

impl Snakeoil {
    /// Whose key it is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The raw key, for envelopes that a test makes by hand.
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.seed)
    }

    /// The raw 64-byte signature.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key().sign(message).to_bytes()
    }

    /// The OpenSSH fingerprint, `SHA256:…`.
    pub(crate) fn fingerprint(&self) -> String {
        self.openssh().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line of the public key file.
    pub(crate) fn public_openssh(&self) -> String {
        let line = self.openssh().public_key().to_openssh();
        format!("{}\n", line.expect("an ed25519 key has a line"))
    }

    /// The public key as `openssl pkey -pubout` writes it.
    pub(crate) fn public_pem(&self) -> String {
        let key = self.signing_key().verifying_key();
        key.to_public_key_pem(PemLineEnding::LF)
            .expect("an ed25519 key has a PEM form")
    }

    /// Writes `<directory>/<name>` (mode 0600) and `<name>.pub`; the private key's path.
    pub(crate) fn write(&self, directory: &Path) -> PathBuf {
        std::fs::create_dir_all(directory).expect("a directory");
        let path = directory.join(&self.name);
        let private = self.openssh().to_openssh(LineEnding::LF);
        std::fs::write(&path, private.expect("a private key").as_bytes()).expect("a key file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, mode).expect("its mode");
        }
        let public = directory.join(format!("{}.pub", self.name));
        std::fs::write(public, self.public_openssh()).expect("a public key file");
        path
    }

    fn openssh(&self) -> PrivateKey {
        let pair = Ed25519Keypair::from_seed(&self.seed);
        let comment = format!("{} (snakeoil)", self.name);
        PrivateKey::new(KeypairData::Ed25519(pair), comment).expect("an ed25519 key")
    }
}

#[test]
fn keys_are_the_same_every_time_and_openssh_reads_them() {
    let env = super::TestEnv::new();
    let alice = snakeoil("alice");
    let path = alice.write(&env.work());
    assert_eq!(
        std::fs::read(&path).unwrap(),
        std::fs::read(alice.write(&env.root().join("again"))).unwrap()
    );
    let mut command = env.command("ssh-keygen");
    command.args(["-y", "-f"]).arg(&path);
    let output = env.run(command, b"");
    assert_eq!(output.status, Some(0), "{output}");
    let key = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(
        key(output.stdout.trim_end()),
        key(alice.public_openssh().trim_end())
    );
    let mut command = env.command("ssh-keygen");
    command.args(["-l", "-f"]).arg(&path);
    assert!(env.run(command, b"").stdout.contains(&alice.fingerprint()));
    assert_ne!(alice.fingerprint(), snakeoil("bob").fingerprint());
}

#[test]
fn signatures_are_the_same_every_time_and_openssl_accepts_them() {
    let env = super::TestEnv::new();
    let alice = snakeoil("alice");
    assert_eq!(alice.sign(b"message"), alice.sign(b"message"));
    env.write("key.pem", alice.public_pem());
    env.write("message", b"message");
    env.write("signature", alice.sign(b"message"));
    let mut command = env.command("openssl");
    command.args(["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem"]);
    command.args(["-rawin", "-in", "message", "-sigfile", "signature"]);
    let output = env.run(command, b"");
    assert_eq!(output.status, Some(0), "{output}");
}
