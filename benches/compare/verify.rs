//! Verification in the library beside what it cannot avoid: SHA-256 of the same bytes, with the same crate, on two threads.
//!
//! The bundles are in memory on both sides, so that neither pays for reading files.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordain::bundle::{BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Origin, Statement};
use ordain::trust::{
    Envelope, Expectation, Held, NextRevision, Principal, Revocations, Role, RootChain,
    RootDocument, SecretKey, TrustRoot, Unchanged, sign_bundle, sign_root, verify,
};
use sha2::{Digest as _, Sha256};

use super::interleaved;

const MANIFEST: &[u8] = include_bytes!("../../bundles/acme/bundle.yaml");
const NOW: &str = "2026-12-01T00:00:00Z";
/// What verification may cost in hashing, by one signer or two.
const GOAL: f64 = 1.3;
const MIB: usize = 1 << 20;

/// A bundle and the trust root whose publishers, all of them, signed it.
struct Signed {
    root: TrustRoot,
    fetched: FetchedBundle,
}

impl Signed {
    fn new(files: impl Iterator<Item = (String, Vec<u8>)>, signers: u8) -> Self {
        let keys: Vec<SecretKey> = (1..=signers)
            .map(|seed| SecretKey::from_seed(&[seed; 32]))
            .collect();
        let mut files: BTreeMap<BundlePath, Arc<[u8]>> = files
            .map(|(name, bytes)| (name.parse().unwrap(), bytes.into()))
            .collect();
        files.insert(MANIFEST_FILE.parse().unwrap(), MANIFEST.into());
        let path = "bundle".to_owned();
        let mut fetched = FetchedBundle {
            origin: Origin::Directory { path },
            envelope: None,
            files,
            git: None,
        };
        let next = NextRevision {
            now: NOW.parse().unwrap(),
            unchanged: Unchanged::CoSign,
            expires: Some("2035-01-01T00:00:00Z".parse().unwrap()),
            epoch: None,
            revision: None,
            requires: None,
            rolls_back: None,
        };
        let signed = sign_bundle(&fetched, &keys, &next, &Limits::default()).unwrap();
        fetched.envelope = Some(signed.envelope.to_json().into_bytes());
        Self {
            root: root(&keys),
            fetched,
        }
    }

    fn verify(&self) -> Duration {
        let fetched = self.fetched.clone();
        let expected = Expectation {
            name: None,
            reference: None,
            now: NOW.parse().unwrap(),
            high_water: None,
            max_age: None,
            held: Held::Fetched,
        };
        let limits = Limits::default();
        let started = Instant::now();
        let verified = verify(fetched, &self.root, &expected, &limits).unwrap();
        let took = started.elapsed();
        drop(verified);
        took
    }

    /// What verification does before it knows which digests to expect, without the signatures.
    fn parse(&self) -> Duration {
        let bytes = self.fetched.envelope.as_deref().unwrap();
        let started = Instant::now();
        let envelope = Envelope::parse(bytes, &Limits::default()).unwrap();
        let statement = Statement::parse(envelope.payload()).unwrap();
        let took = started.elapsed();
        drop(statement);
        took
    }

    /// Each thread hashes half of the bytes that verification is given, file by file: the envelope is one.
    fn hash(&self) -> Duration {
        let mut halves: [(usize, Vec<&[u8]>); 2] = Default::default();
        let files = self.fetched.files.values().map(|bytes| &**bytes);
        for bytes in self.fetched.envelope.as_deref().into_iter().chain(files) {
            let half = halves.iter_mut().min_by_key(|(size, _)| *size).unwrap();
            half.0 += bytes.len();
            half.1.push(bytes);
        }
        let started = Instant::now();
        std::thread::scope(|scope| {
            for (_, files) in &halves {
                scope.spawn(move || {
                    for bytes in files {
                        black_box(Sha256::digest(bytes));
                    }
                });
            }
        });
        started.elapsed()
    }
}

fn root(keys: &[SecretKey]) -> TrustRoot {
    let names: Vec<String> = (0..keys.len()).map(|who| format!("signer-{who}")).collect();
    let role = |namespaces: &[&str]| Role {
        principals: names.iter().map(|name| name.parse().unwrap()).collect(),
        threshold: NonZeroU32::new(u32::try_from(keys.len()).unwrap()).unwrap(),
        epoch: NonZeroU64::MIN,
        namespaces: namespaces
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<BTreeSet<_>>(),
        git_signature: None,
    };
    let principals = names.iter().zip(keys).map(|(name, key)| {
        let keys = vec![key.public()];
        (name.parse().unwrap(), Principal { keys })
    });
    let document = RootDocument {
        version: NonZeroU64::MIN,
        expires: "2036-01-01T00:00:00Z".parse().unwrap(),
        principals: principals.collect(),
        roles: BTreeMap::from([
            ("root".parse().unwrap(), role(&[])),
            ("publisher/acme".parse().unwrap(), role(&["acme"])),
        ]),
        revoked: Revocations::default(),
    };
    let envelope = sign_root(&document, keys).unwrap();
    let chain = RootChain::begin(envelope.to_json().as_bytes(), None, &Limits::default());
    chain.unwrap().finish(NOW.parse().unwrap()).unwrap()
}

/// Files of half a kilobyte to four, as policies are.
fn small(count: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    (1..count).map(|number| {
        let name = format!("data/{:03}/{number:05}.json", number % 100);
        let text = format!("{{\"number\": {number}}}\n").repeat(32 + number % 200);
        (name, text.into_bytes())
    })
}

fn large(count: usize, size: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..count).map(move |number| {
        let name = format!("data/{number:02}.bin");
        (name, number.to_le_bytes().repeat(size / 8))
    })
}

/// `rounds` tells how often, of so many at full measure.
pub(crate) fn verification(rounds: impl Fn(usize) -> usize, is_measured: bool) {
    let bulk = if is_measured { 50 * MIB } else { MIB };
    for signers in [1, 2] {
        let cases = [
            ("1000 small files", Signed::new(small(1_000), signers), 101),
            ("10000 small files", Signed::new(small(10_000), signers), 31),
            (
                "20 files of 50 MiB",
                Signed::new(large(20, bulk), signers),
                7,
            ),
        ];
        for (what, bundle, times) in &cases {
            interleaved(rounds(*times), || bundle.verify(), || bundle.hash()).print(
                &format!("verify / SHA-256 on 2 threads, {what}, signed by {signers}"),
                Some(GOAL),
            );
            interleaved(rounds(*times), || bundle.parse(), || bundle.hash())
                .print(&format!("… of which parsing, {what}"), None);
        }
    }
    let one = Signed::new(small(1_000), 1);
    for signers in [1, 3, 10] {
        let bundle = Signed::new(small(1_000), signers);
        interleaved(rounds(101), || bundle.verify(), || bundle.hash()).print(
            &format!("verify, {signers} of {signers} signers / SHA-256, 1000 files"),
            None,
        );
        if signers > 1 {
            interleaved(rounds(101), || bundle.verify(), || one.verify())
                .print(&format!("verify, {signers} signers / 1 signer"), None);
        }
    }
}
