//! What a signature of Git's own can be instead of sound: each word makes one commit or tag by hand, beside a bundle in which
//! all else is well.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ordain::bundle::{FetchedBundle, GitEvidence};
use ordain::diag::Code;
use ordain::pipeline::trust_root;
use ordain::source::directory;
use sha2::{Digest as _, Sha256, Sha512};

use super::world::{World, set};
use crate::support::keys::snakeoil;
use crate::support::repo::{Repo, command, run as run_command};

const PEOPLE: &str = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n";
const TAGGER: &str = "tagger A <a@b> 1 +0000\n";

/// What makes the bytes of a signature of a message.
type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// One SSHSIG, to be changed field by field.
struct SshSig {
    version: u32,
    key: Vec<u8>,
    namespace: &'static str,
    reserved: &'static [u8],
    hash: &'static str,
    algorithm: &'static str,
    signature: Signer,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

fn ed25519(point: &[u8]) -> Vec<u8> {
    [string(b"ssh-ed25519"), string(point)].concat()
}

/// The blob of a line `TYPE BASE64 …`.
fn blob(line: &str) -> Vec<u8> {
    STANDARD
        .decode(line.split_whitespace().nth(1).unwrap())
        .unwrap()
}

impl SshSig {
    fn of(name: &str) -> Self {
        let key = snakeoil(name);
        Self {
            version: 1,
            key: ed25519(key.signing_key().verifying_key().as_bytes()),
            namespace: "git",
            reserved: b"",
            hash: "sha512",
            algorithm: "ssh-ed25519",
            signature: Box::new(move |message| key.sign(message).to_vec()),
        }
    }

    /// With lines of 70 characters, as OpenSSH wraps them.
    fn armour(&self, payload: &str) -> String {
        let digest = match self.hash {
            "sha256" => Sha256::digest(payload).to_vec(),
            _ => Sha512::digest(payload).to_vec(),
        };
        let middle = [
            string(self.namespace.as_bytes()),
            string(self.reserved),
            string(self.hash.as_bytes()),
        ]
        .concat();
        let message = [b"SSHSIG".to_vec(), middle.clone(), string(&digest)].concat();
        let mut signature = string(self.algorithm.as_bytes());
        signature.extend(string(&(self.signature)(&message)));
        if self.algorithm.starts_with("sk-") {
            signature.extend([1, 0, 0, 0, 7]);
        }
        let blob = [
            b"SSHSIG".to_vec(),
            self.version.to_be_bytes().to_vec(),
            string(&self.key),
            middle,
            string(&signature),
        ]
        .concat();
        let text = STANDARD.encode(blob);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(70)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            lines.join("\n")
        )
    }
}

/// A commit of `tree` with a signature in a header of this name.
fn commit(tree: &str, header: &str, armour: &str) -> Vec<u8> {
    let folded = armour.trim_end().replace('\n', "\n ");
    format!("tree {tree}\n{PEOPLE}{header} {folded}\n\na message\n").into_bytes()
}

fn payload(tree: &str) -> String {
    format!("tree {tree}\n{PEOPLE}\na message\n")
}

fn signed(tree: &str, signature: &SshSig) -> Vec<u8> {
    commit(tree, "gpgsig", &signature.armour(&payload(tree)))
}

fn id(kind: &str, data: &[u8]) -> String {
    let head = format!("{kind} {}\0", data.len());
    let digest = sha1dc::digest(&[head.as_bytes(), data].concat()).unwrap();
    digest.to_string()
}

fn tag_of(commit: &[u8], name: &str) -> String {
    let id = id("commit", commit);
    format!("object {id}\ntype commit\ntag {name}\n{TAGGER}\na release\n")
}

fn signed_tag(text: &str) -> Vec<u8> {
    format!("{text}{}", SshSig::of("alice").armour(text)).into_bytes()
}

/// Makes the bundle, the evidence that the word stands for, and holds one against the other.
pub(super) fn run(word: &str) -> Result<(), (String, Code)> {
    let mut world = World::default();
    let required = if word.starts_with("tag") {
        "tag"
    } else {
        "commit"
    };
    let at = "/roles/publisher~1acme/git_signature";
    set(&mut world.roots[0].value, at, Some(required.into()));
    let revoked = serde_json::json!({"keys": [snakeoil("carol").fingerprint()]});
    if word == "revoked" {
        set(&mut world.roots[0].value, "/revoked", Some(revoked));
        world.acme.statement.signers = vec!["alice".into(), "bob".into()];
    }
    if word == "too-large" {
        world.limits.evidence_bytes = 100;
    }
    let repo = Repo::new();
    world.acme.write(&repo.path());
    repo.git(&["add", "--all"]);
    let tree = repo.git(&["write-tree"]);
    let evidence = match word.strip_prefix("tag-") {
        None => of_commit(word, &tree),
        Some(word) => of_tag(word, &tree),
    };
    std::fs::remove_dir_all(repo.path().join(".git")).unwrap();
    let mut fetched: FetchedBundle = directory::read(&repo.path(), &world.limits).unwrap();
    fetched.git = evidence.map(Arc::new);
    let keys = repo.base().join("keys");
    let pin = world.write_roots(&keys);
    let root = trust_root(&keys, pin, world.now.parse().unwrap(), &world.limits).unwrap();
    world
        .verify_fetched(&world.acme, fetched, "acme", &root)
        .map(|_| ())
        .map_err(|refusal| (refusal.layer.to_owned(), refusal.code))
}

fn of_commit(word: &str, tree: &str) -> Option<GitEvidence> {
    let sound = || SshSig::of("alice");
    let good = sound().armour(&payload(tree));
    let with = |signature: SshSig| signed(tree, &signature);
    let key = |name: &str, algorithm| SshSig {
        key: generated(name),
        algorithm,
        signature: Box::new(|_| vec![0; 64]),
        ..sound()
    };
    let other = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let mut trees = Vec::new();
    let commit = match word {
        "no-objects" => return None,
        "sound" | "too-large" => with(sound()),
        "sha256" => with(SshSig {
            hash: "sha256",
            ..sound()
        }),
        "unsigned" => payload(tree).into_bytes(),
        "in-message" => format!("{}\n{good}", payload(tree)).into_bytes(),
        "of-another" => commit(tree, "gpgsig", &sound().armour(&payload(other))),
        "twice" => commit(tree, "gpgsig x\ngpgsig", &good),
        "both-hashes" => commit(tree, "gpgsig-sha256 x\ngpgsig", &good),
        "other-hash" => commit(tree, "gpgsig-sha256", &good),
        "open-pgp" => commit(tree, "gpgsig", &good.replace("SSH", "PGP")),
        "x509" => commit(
            tree,
            "gpgsig",
            &good.replace("SSH SIGNATURE", "SIGNED MESSAGE"),
        ),
        "certificate" => with(key("certificate", "ssh-ed25519")),
        "rsa" => with(key("rsa", "rsa-sha2-512")),
        "security-key" => with(key("security-key", "sk-ssh-ed25519@openssh.com")),
        "weak-key" => {
            let mut identity = [0; 32];
            identity[0] = 1;
            with(SshSig {
                key: ed25519(&identity),
                signature: Box::new(|_| [&[1][..], &[0; 63]].concat()),
                ..sound()
            })
        }
        "namespace" => with(SshSig {
            namespace: "file",
            ..sound()
        }),
        "version" => with(SshSig {
            version: 2,
            ..sound()
        }),
        "version-zero" => with(SshSig {
            version: 0,
            ..sound()
        }),
        "reserved" => with(SshSig {
            reserved: b"x",
            ..sound()
        }),
        "weak-hash" => with(SshSig {
            hash: "sha1",
            ..sound()
        }),
        "algorithm" => with(SshSig {
            algorithm: "rsa-sha2-512",
            ..sound()
        }),
        "short" => with(SshSig {
            signature: Box::new(|_| vec![0; 63]),
            ..sound()
        }),
        "malleated" => with(SshSig {
            signature: Box::new(|message| {
                let mut bytes = snakeoil("alice").sign(message).to_vec();
                super::signature::add_order(&mut bytes[32..]);
                bytes
            }),
            ..sound()
        }),
        "not-base64" => commit(tree, "gpgsig", &good.replacen("U1NIU0lH", "********", 1)),
        "after-its-end" => commit(tree, "gpgsig", &format!("{good}and more")),
        "long" => commit(tree, "gpgsig", &format!("{good}{}", "x".repeat(20_000))),
        "stranger" => with(SshSig::of("mallory")),
        "revoked" => with(SshSig::of("carol")),
        "other-role" => with(SshSig::of("dave")),
        "out-of-order" => swapped(&with(sound()), "author A <a@b> 1 +0000\n"),
        "two-trees" => {
            let text = String::from_utf8(with(sound())).unwrap();
            text.replacen("\nauthor", &format!("\ntree {other}\nauthor"), 1)
                .into()
        }
        "nul" => {
            let text = String::from_utf8(with(sound())).unwrap();
            text.replacen("author A", "author \0", 1).into()
        }
        "cut" => with(sound())[..80].to_vec(),
        "other-files" => signed(other, &sound()),
        "tree-between" => {
            // The commit's own tree holds no directory that is the bundle's.
            let between = [b"40000 acme\0".to_vec(), vec![7; 20]].concat();
            let top = id("tree", &between);
            trees.push(between);
            signed(&top, &sound())
        }
        "file-as-directory" => {
            let between = [b"100644 acme\0".to_vec(), super::defect::unhex(tree)].concat();
            let top = id("tree", &between);
            trees.push(between);
            signed(&top, &sound())
        }
        other => panic!("no such word: {other}"),
    };
    Some(GitEvidence {
        reference: None,
        commit,
        tag: None,
        trees,
    })
}

/// The headers with this line in front of all others.
fn swapped(commit: &[u8], line: &str) -> Vec<u8> {
    let text = String::from_utf8(commit.to_vec()).unwrap();
    format!("{line}{}", text.replacen(line, "", 1)).into_bytes()
}

fn of_tag(word: &str, tree: &str) -> Option<GitEvidence> {
    let commit = payload(tree).into_bytes();
    let text = tag_of(&commit, "v1");
    let kind = |kind| text.replace("type commit", kind);
    let mut reference = Some("refs/tags/v1".to_owned());
    let tag = match word {
        "sound" => Some(signed_tag(&text)),
        "branch" => {
            reference = Some("refs/heads/v1".to_owned());
            Some(signed_tag(&text))
        }
        "commit-id" => {
            reference = None;
            Some(signed_tag(&text))
        }
        "lightweight" => None,
        "unsigned" => Some(text.into_bytes()),
        "other-name" => Some(signed_tag(&tag_of(&commit, "v2"))),
        "other-case" => Some(signed_tag(&tag_of(&commit, "V1"))),
        "longer-name" => Some(signed_tag(&tag_of(&commit, "refs/tags/v1"))),
        "other-commit" => Some(signed_tag(&tag_of(b"another", "v1"))),
        "of-tag" => Some(signed_tag(&kind("type tag"))),
        "of-tree" => Some(signed_tag(&kind("type tree"))),
        "of-blob" => Some(signed_tag(&kind("type blob"))),
        "renamed" => {
            let tag = String::from_utf8(signed_tag(&tag_of(&commit, "v0"))).unwrap();
            Some(tag.replace("tag v0\n", "tag v1\n").into())
        }
        "twice" => {
            let once = String::from_utf8(signed_tag(&text)).unwrap();
            Some(signed_tag(&once))
        }
        "in-header" => Some(signed_tag(
            &text.replace(TAGGER, &format!("{TAGGER}gpgsig x\n")),
        )),
        "more-headers" => Some(signed_tag(&text.replace(TAGGER, &format!("{TAGGER}x y\n")))),
        "no-tagger" => Some(signed_tag(&text.replace(TAGGER, ""))),
        "two-names" => Some(signed_tag(&text.replace("tag v1\n", "tag v1\ntag v2\n"))),
        "folded-name" => Some(signed_tag(&text.replace("tag v1\n", "tag v1\n \n"))),
        "stranger" => {
            let armour = SshSig::of("mallory").armour(&text);
            Some(format!("{text}{armour}").into_bytes())
        }
        "open-pgp" => {
            let armour = SshSig::of("alice").armour(&text).replace("SSH", "PGP");
            Some(format!("{text}{armour}").into_bytes())
        }
        "more-behind" => {
            let tag = String::from_utf8(signed_tag(&text)).unwrap();
            Some(format!("{tag}more\n").into_bytes())
        }
        other => panic!("no such word: tag-{other}"),
    };
    Some(GitEvidence {
        reference,
        commit,
        tag,
        trees: Vec::new(),
    })
}

/// The blob of a key that is not ed25519's, as the real `ssh-keygen` makes it where it can.
fn generated(name: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let read = |path: &Path| blob(&std::fs::read_to_string(path).unwrap());
    let keygen = |arguments: &[&str], file: &Path| {
        let mut keygen = command("ssh-keygen");
        keygen.arg("-q").args(arguments).arg(file);
        run_command(keygen, b"");
    };
    match name {
        "rsa" => {
            keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f"], &path("rsa"));
            read(&path("rsa.pub"))
        }
        "certificate" => {
            let authority = snakeoil("ca").write(directory.path());
            snakeoil("alice").write(directory.path());
            let authority = authority.display().to_string();
            keygen(
                &["-s", &authority, "-I", "alice", "-n", "alice"],
                &path("alice.pub"),
            );
            read(&path("alice-cert.pub"))
        }
        _ => {
            let point = snakeoil("alice").signing_key().verifying_key().to_bytes();
            [
                string(b"sk-ssh-ed25519@openssh.com"),
                string(&point),
                string(b"ssh:"),
            ]
            .concat()
        }
    }
}
