//! Trust roots of later versions, made with the library: the commands that make them are not what these tests are about.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use ordain::bundle::Limits;
use ordain::trust::{Envelope, Principal, RootDocument, SecretKey, sign_root};

use super::keys::snakeoil;
use super::organisation::Organisation;

/// The private key of someone of the organisation.
pub(crate) fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&snakeoil(name).signing_key().to_bytes())
}

/// The document of a root file.
pub(crate) fn document(file: &Path) -> RootDocument {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let envelope = Envelope::parse(&bytes, &Limits::default()).unwrap();
    RootDocument::parse(envelope.payload()).unwrap()
}

/// The file of a version in a directory.
pub(crate) fn file(directory: &Path, version: u64) -> PathBuf {
    directory.join(format!("{version}.root.json"))
}

/// Writes the root after `after` of a directory, changed and signed by these people; its payload's digest.
pub(crate) fn rotate(
    directory: &Path,
    after: u64,
    signers: &[&str],
    change: impl FnOnce(&mut RootDocument),
) -> String {
    let mut document = document(&file(directory, after));
    document.version = NonZeroU64::new(after + 1).unwrap();
    change(&mut document);
    let keys: Vec<SecretKey> = signers.iter().map(|name| key(name)).collect();
    let envelope = sign_root(&document, &keys).unwrap();
    std::fs::write(file(directory, after + 1), envelope.to_json()).unwrap();
    envelope.payload_digest().to_string()
}

/// Rotates to `last` with nothing but the version changed, beginning after `first`.
pub(crate) fn rotate_to(directory: &Path, first: u64, last: u64) {
    for after in first..last {
        rotate(directory, after, &["alice"], |_| {});
    }
}

/// Someone with a key.
pub(crate) fn principal(name: &str) -> Principal {
    Principal {
        keys: vec![key(name).public()],
    }
}

/// A repository `work/roots` whose directory `trust` holds the first root.
pub(crate) fn repository(world: &Organisation) -> PathBuf {
    let init = ["init", "--quiet", "--initial-branch=main", "roots"];
    world.env.git(".", init);
    world.env.write(
        "roots/trust/1.root.json",
        world.env.read("trust/1.root.json"),
    );
    push(world);
    world.env.work().join("roots/trust")
}

/// Commits what the repository of the roots holds.
pub(crate) fn push(world: &Organisation) {
    world.env.git("roots", ["add", "--all"]);
    let commit = ["commit", "--quiet", "--allow-empty", "--message=roots"];
    world.env.git("roots", commit);
}

/// Replaces what a consumer says of trust; `FP` stands for the fingerprint.
pub(crate) fn trust(world: &Organisation, consumer: &str, text: &str) {
    let file = format!("{consumer}/ordain.yaml");
    let text = text.replace("FP", &format!("fingerprint: \"{}\"", world.fingerprint));
    let lines: Vec<String> = world
        .env
        .read(&file)
        .lines()
        .map(|line| match line.starts_with("trust: ") {
            true => format!("trust: {{{text}}}"),
            false => line.to_owned(),
        })
        .collect();
    world.env.write(&file, lines.join("\n") + "\n");
}

/// Makes these people, who are principals, the members of a role.
pub(crate) fn members(document: &mut RootDocument, role: &str, names: &[&str], threshold: u32) {
    let role = document.roles.get_mut(&role.parse().unwrap()).unwrap();
    role.principals = names
        .iter()
        .map(|name| name.parse().unwrap())
        .collect::<BTreeSet<_>>();
    role.threshold = NonZeroU32::new(threshold).unwrap();
}
