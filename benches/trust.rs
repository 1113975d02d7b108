//! Verifying a bundle of N small files that two principals signed, beside the hashing that it cannot avoid.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ordain::bundle::{BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Origin};
use ordain::digest::Sha256Digest;
use ordain::trust::{
    Expectation, Held, NextRevision, Principal, Revocations, Role, RootChain, RootDocument,
    SecretKey, TrustRoot, Unchanged, sign_bundle, sign_root, verify,
};

use super::now;

const FILES: [usize; 3] = [10, 1_000, 10_000];
const MANIFEST: &[u8] = include_bytes!("../bundles/acme/bundle.yaml");

fn keys() -> [SecretKey; 2] {
    [
        SecretKey::from_seed(&[1; 32]),
        SecretKey::from_seed(&[2; 32]),
    ]
}

fn root() -> TrustRoot {
    let names = ["alice", "bob"].map(|name| name.parse().unwrap());
    let role = |namespaces: &[&str]| Role {
        principals: names.iter().cloned().collect(),
        threshold: NonZeroU32::new(2).unwrap(),
        epoch: NonZeroU64::MIN,
        namespaces: namespaces
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<BTreeSet<_>>(),
        git_signature: None,
    };
    let principals = names.iter().zip(keys()).map(|(name, key)| {
        let keys = vec![key.public()];
        (name.clone(), Principal { keys })
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
    let envelope = sign_root(&document, &keys()).unwrap();
    let chain = RootChain::begin(envelope.to_json().as_bytes(), None, &Limits::default());
    chain.unwrap().finish(now()).unwrap()
}

/// Files of half a kilobyte to four, as policies are.
fn bundle(count: usize) -> FetchedBundle {
    let mut files: BTreeMap<BundlePath, Arc<[u8]>> = (1..count)
        .map(|number| {
            let name = format!("data/{:03}/{number:05}.json", number % 100);
            let text = format!("{{\"number\": {number}}}\n").repeat(32 + number % 200);
            (name.parse().unwrap(), text.into_bytes().into())
        })
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
        now: now(),
        unchanged: Unchanged::CoSign,
        expires: Some("2035-01-01T00:00:00Z".parse().unwrap()),
        epoch: None,
        revision: None,
        requires: None,
        rolls_back: None,
    };
    let signed = sign_bundle(&fetched, &keys(), &next, &Limits::default()).unwrap();
    fetched.envelope = Some(signed.envelope.to_json().into_bytes());
    fetched
}

fn size(fetched: &FetchedBundle) -> BytesCount {
    BytesCount::new(
        fetched
            .files
            .values()
            .map(|bytes| bytes.len())
            .sum::<usize>(),
    )
}

#[divan::bench(args = FILES)]
fn verify_bundle(bencher: Bencher<'_, '_>, files: usize) {
    let (root, fetched) = (root(), bundle(files));
    let expected = Expectation {
        name: None,
        reference: None,
        now: now(),
        high_water: None,
        max_age: None,
        held: Held::Fetched,
    };
    let limits = Limits::default();
    bencher
        .counter(size(&fetched))
        .counter(ItemsCount::new(files))
        .with_inputs(|| fetched.clone())
        .bench_values(|fetched| verify(fetched, &root, &expected, &limits).unwrap());
}

/// SHA-256 of the same files on one core, as `sha256sum` does.
#[divan::bench(args = FILES)]
fn sha256_alone(bencher: Bencher<'_, '_>, files: usize) {
    let fetched = bundle(files);
    bencher
        .counter(size(&fetched))
        .counter(ItemsCount::new(files))
        .bench(|| {
            fetched
                .files
                .values()
                .map(|bytes| Sha256Digest::of(black_box(bytes)))
                .collect::<Vec<_>>()
        });
}
