//! Bundles that are verified, in memory. Other tests use this file, too.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use ordain::bundle::{BundlePath, FetchedBundle, Limits, MANIFEST_FILE, Origin};
use ordain::trust::{
    Expectation, Held, NextRevision, Principal, Revocations, Role, RootChain, RootDocument,
    SecretKey, Unchanged, VerifiedBundle, sign_bundle, sign_root, verify,
};

/// When all is signed and verified.
const NOW: &str = "2026-11-22T12:00:00Z";

/// A verified bundle `acme` of these files besides its manifest.
pub(crate) fn verified(files: &[(&str, &str)]) -> VerifiedBundle {
    let manifest =
        "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";
    let files = [(MANIFEST_FILE, manifest)]
        .into_iter()
        .chain(files.iter().copied());
    let files: BTreeMap<BundlePath, Arc<[u8]>> = files
        .map(|(name, text)| (name.parse().unwrap(), text.as_bytes().into()))
        .collect();
    let keys = [SecretKey::from_seed(&[1; 32])];
    let mut fetched = FetchedBundle {
        origin: Origin::Directory {
            path: "acme".to_owned(),
        },
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
    let limits = Limits::default();
    let signed = sign_bundle(&fetched, &keys, &next, &limits).unwrap();
    fetched.envelope = Some(signed.envelope.to_json().into_bytes());
    let role = |namespaces: &[&str]| Role {
        principals: BTreeSet::from(["alice".parse().unwrap()]),
        threshold: NonZeroU32::MIN,
        epoch: NonZeroU64::MIN,
        namespaces: namespaces
            .iter()
            .map(|name| name.parse().unwrap())
            .collect(),
        git_signature: None,
    };
    let alice = Principal {
        keys: vec![keys[0].public()],
    };
    let document = RootDocument {
        version: NonZeroU64::MIN,
        expires: "2036-01-01T00:00:00Z".parse().unwrap(),
        principals: BTreeMap::from([("alice".parse().unwrap(), alice)]),
        roles: BTreeMap::from([
            ("root".parse().unwrap(), role(&[])),
            ("publisher/acme".parse().unwrap(), role(&["acme"])),
        ]),
        revoked: Revocations::default(),
    };
    let envelope = sign_root(&document, &keys).unwrap();
    let chain = RootChain::begin(envelope.to_json().as_bytes(), None, &limits).unwrap();
    let root = chain.finish(NOW.parse().unwrap()).unwrap();
    let expected = Expectation {
        name: None,
        reference: None,
        now: NOW.parse().unwrap(),
        high_water: None,
        max_age: None,
        held: Held::Fetched,
    };
    verify(fetched, &root, &expected, &limits).unwrap()
}
