//! A world in which all is well, and the walk through every layer.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ordain::bundle::{FetchedBundle, Limits};
use ordain::diag::Code;
use ordain::digest::Sha256Digest;
use ordain::pipeline::trust_root;
use ordain::resolve::{LoadedBundle, resolve};
use ordain::source::directory;
use ordain::trust::{Expectation, Held, HighWater, TrustRoot, VerifiedBundle, VerifyError};
use ordain::trust::{check_requires, verify};
use serde_json::{Value, json};

use crate::support::keys::snakeoil;

pub(super) const NOW: &str = "2026-11-22T12:00:00Z";

/// A signed document: what a vector changes before and after it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) payload_type: String,
    pub(crate) value: Value,
    /// Changes to the payload's bytes, before they are signed.
    pub(crate) edits: Vec<Edit>,
    pub(crate) signers: Vec<String>,
    /// Changes to the envelope as a value, then to its bytes.
    pub(crate) sets: Vec<(String, Option<Value>)>,
    pub(crate) envelope_edits: Vec<Edit>,
    pub(crate) after: Vec<fn(&mut Value)>,
}

/// A change of bytes.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Replace(String, String),
    Prepend(Vec<u8>),
    Append(Vec<u8>),
    Whole(Vec<u8>),
}

impl Edit {
    fn apply(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Replace(from, to) => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.contains(from), "{from} is not in {text}");
                text.replacen(from, to, 1).into_bytes()
            }
            Self::Prepend(more) => [more.clone(), bytes].concat(),
            Self::Append(more) => [bytes, more.clone()].concat(),
            Self::Whole(new) => new.clone(),
        }
    }
}

impl Document {
    fn new(payload_type: &str, value: Value, signers: &[&str]) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            value,
            edits: Vec::new(),
            signers: signers.iter().map(|name| (*name).to_owned()).collect(),
            sets: Vec::new(),
            envelope_edits: Vec::new(),
            after: Vec::new(),
        }
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let bytes = self.value.to_string().into_bytes();
        self.edits
            .iter()
            .fold(bytes, |bytes, edit| edit.apply(bytes))
    }

    /// The envelope, made by hand: our own signer refuses to make most defects.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        let payload = self.payload();
        let head = format!(
            "DSSEv1 {} {} {} ",
            self.payload_type.len(),
            self.payload_type,
            payload.len()
        );
        let pae = [head.as_bytes(), &payload].concat();
        let signatures: Vec<Value> = self
            .signers
            .iter()
            .map(|name| {
                let key = snakeoil(name);
                json!({"keyid": key.fingerprint(), "sig": STANDARD.encode(key.sign(&pae))})
            })
            .collect();
        let mut envelope = json!({
            "payloadType": self.payload_type,
            "payload": STANDARD.encode(&payload),
            "signatures": signatures,
        });
        for (at, to) in &self.sets {
            set(&mut envelope, at, to.clone());
        }
        for change in &self.after {
            change(&mut envelope);
        }
        let bytes = envelope.to_string().into_bytes();
        self.envelope_edits
            .iter()
            .fold(bytes, |bytes, edit| edit.apply(bytes))
    }
}

/// Sets or removes what a JSON pointer names; `-` appends to an array.
pub(super) fn set(value: &mut Value, at: &str, to: Option<Value>) {
    let to = to.map(|to| listed(value.pointer(at), to));
    if let (true, Some(to)) = (at.is_empty(), &to) {
        value.clone_from(to);
        return;
    }
    let (parent, last) = at.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/");
    let parent = value
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("nothing at {at}"));
    match (parent, to) {
        (Value::Object(members), Some(to)) => drop(members.insert(last, to)),
        (Value::Object(members), None) => drop(members.remove(&last).expect(at)),
        (Value::Array(items), Some(to)) if last == "-" => items.push(to),
        (Value::Array(items), Some(to)) => items[last.parse::<usize>().unwrap()] = to,
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (other, _) => panic!("{at} is in {other}"),
    }
}

/// `{list of: [a, b]}` stands for the list of what the members `a` and `b` are now.
fn listed(now: Option<&Value>, to: Value) -> Value {
    match (to.get("list of").and_then(Value::as_array), now) {
        (Some(names), Some(now)) => names
            .iter()
            .map(|name| now[name.as_str().unwrap()].clone())
            .collect(),
        _ => to,
    }
}

/// A bundle: files as they are signed, the statement, and what happens to the directory afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) predicate: Value,
    /// The statement; its subjects are filled in from `files` unless a vector does.
    pub(crate) statement: Document,
    pub(crate) statement_sets: Vec<(String, Option<Value>)>,
    pub(crate) has_envelope: bool,
    pub(crate) disk: Vec<fn(&Path)>,
    pub(crate) disk_writes: Vec<(String, Option<Vec<u8>>)>,
}

impl Bundle {
    fn new(name: &str, scope: &str) -> Self {
        let manifest = format!(
            "apiVersion: ordain/v1\nkind: Bundle\nname: {name}\nversion: 1.0.0\nnamespace: {scope}\ndescription: a vector\n"
        );
        let policy = format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: {scope}\nmode: enforce\ndefault: deny\nrules:\n  - id: r\n    \
             effect: allow\n    reason: it is read only\n    reason_code: READ_ONLY\n    match: {{action.name: read}}\n"
        );
        let files = [
            ("bundle.yaml", manifest.as_str()),
            ("policies/policy.yaml", policy.as_str()),
            ("tests/same-a.txt", "the same\n"),
            ("tests/same-b.txt", "the same\n"),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_owned()));
        let predicate = json!({
            "bundle": name, "version": "1.0.0", "namespace": scope, "epoch": 1, "revision": 7,
            "issued": "2026-11-01T00:00:00Z", "expires": "2027-02-01T00:00:00Z",
        });
        Self {
            files: files.into(),
            predicate,
            statement: Document::new(
                "application/vnd.in-toto+json",
                Value::Null,
                &["alice", "carol"],
            ),
            statement_sets: Vec::new(),
            has_envelope: true,
            disk: Vec::new(),
            disk_writes: Vec::new(),
        }
    }

    /// The statement over the files, with the vector's changes.
    pub(crate) fn signed(&self) -> Document {
        let subjects: Vec<Value> = self
            .files
            .iter()
            .map(|(name, bytes)| {
                json!({"name": name, "digest": {"sha256": Sha256Digest::of(bytes).to_hex()}})
            })
            .collect();
        let mut document = self.statement.clone();
        document.value = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects,
            "predicateType": "https://ordain.dev/predicate/bundle/v1",
            "predicate": self.predicate,
        });
        for (at, to) in &self.statement_sets {
            set(&mut document.value, at, to.clone());
        }
        document
    }

    /// Writes the bundle as its consumers find it.
    pub(crate) fn write(&self, directory: &Path) {
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        for (name, bytes) in &self.files {
            write(name, bytes);
        }
        if self.has_envelope {
            write("bundle.dsse.json", &self.signed().envelope());
        }
        for (name, bytes) in &self.disk_writes {
            match bytes {
                Some(bytes) => write(name, bytes),
                None => std::fs::remove_file(directory.join(name)).unwrap(),
            }
        }
        for change in &self.disk {
            change(directory);
        }
    }
}

/// Who refused, and with which code.
#[derive(Debug)]
#[allow(dead_code, reason = "what it said is for a failing test")]
pub(crate) struct Refusal {
    pub(crate) layer: &'static str,
    pub(crate) code: Code,
    said: String,
}

fn refusal(layer: &'static str, code: Code, said: &dyn std::fmt::Display) -> Refusal {
    let said = said.to_string();
    Refusal { layer, code, said }
}

/// A trust root, two bundles, and a consumer.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) roots: Vec<Document>,
    /// File names, where they differ from `N.root.json`.
    pub(crate) root_names: Vec<Option<&'static str>>,
    pub(crate) pin: Option<Sha256Digest>,
    pub(crate) acme: Bundle,
    pub(crate) base: Bundle,
    pub(crate) now: String,
    pub(crate) high_water: Option<(u64, u64, Option<Sha256Digest>)>,
    pub(crate) max_age_days: Option<i64>,
    pub(crate) limits: Limits,
}

impl Default for World {
    fn default() -> Self {
        let principals: serde_json::Map<String, Value> = ["alice", "bob", "carol", "dave"]
            .into_iter()
            .map(|name| {
                let line = snakeoil(name).public_openssh();
                let key: Vec<&str> = line.split_whitespace().take(2).collect();
                (name.to_owned(), json!({"keys": [key.join(" ")]}))
            })
            .collect();
        let root = json!({
            "version": 1,
            "expires": "2027-11-01T00:00:00Z",
            "principals": principals,
            "roles": {
                "root": {"principals": ["alice", "bob"], "threshold": 2, "epoch": 1},
                "publisher/acme": {
                    "principals": ["alice", "bob", "carol"], "threshold": 2, "epoch": 1, "namespaces": ["acme"],
                },
                "publisher/acme/research": {
                    "principals": ["dave"], "threshold": 1, "epoch": 1, "namespaces": ["acme/research"],
                },
                "log": {"principals": ["dave"], "threshold": 1, "epoch": 1},
            },
            "revoked": {},
        });
        Self {
            roots: vec![Document::new(
                "application/vnd.ordain.root.v1+json",
                root,
                &["alice", "bob"],
            )],
            root_names: vec![None],
            pin: None,
            acme: Bundle::new("acme", "acme"),
            base: Bundle::new("base", "acme/base"),
            now: NOW.to_owned(),
            high_water: None,
            max_age_days: None,
            limits: Limits::default(),
        }
    }
}

impl World {
    /// Writes the roots, and returns the fingerprint that the consumer pins.
    pub(crate) fn write_roots(&self, directory: &Path) -> Sha256Digest {
        std::fs::create_dir_all(directory).unwrap();
        for (index, (root, name)) in self.roots.iter().zip(&self.root_names).enumerate() {
            let usual = format!("{}.root.json", index + 1);
            let name = name.unwrap_or(&usual);
            if !name.is_empty() {
                std::fs::write(directory.join(name), root.envelope()).unwrap();
            }
        }
        self.pin
            .unwrap_or_else(|| Sha256Digest::of(&self.roots[0].payload()))
    }

    /// Walks every layer, as a consumer does; the first refusal ends it.
    pub(crate) fn run(&self) -> Result<(), Refusal> {
        let directory = tempfile::tempdir().unwrap();
        let now = self.now.parse().unwrap();
        let keys = directory.path().join("keys");
        let pin = self.write_roots(&keys);
        let root = trust_root(&keys, pin, now, &self.limits)
            .map_err(|error| refusal("root", error.code(), &error))?;
        let acme = self.verify(&self.acme, &directory.path().join("acme"), "acme", &root)?;
        let base = self.verify(&self.base, &directory.path().join("base"), "base", &root)?;
        let bundles = [acme, base];
        check_requires(&bundles.each_ref())
            .map_err(|error| refusal("requires", error.code(), &error))?;
        let mut loaded = Vec::new();
        for bundle in &bundles {
            let layers = LoadedBundle::verified(bundle, &self.limits)
                .map_err(|problems| refusal("policy", problems[0].code, &problems[0]))?;
            loaded.push(layers);
        }
        resolve(&loaded, &"acme/base".parse().unwrap(), now, None)
            .map_err(|problems| refusal("resolve", problems[0].code, &problems[0]))?;
        Ok(())
    }

    fn verify(
        &self,
        bundle: &Bundle,
        directory: &Path,
        name: &str,
        root: &TrustRoot,
    ) -> Result<VerifiedBundle, Refusal> {
        std::fs::create_dir(directory).unwrap();
        bundle.write(directory);
        let fetched = directory::read(directory, &self.limits)
            .map_err(|error| refusal("source", error.code(), &error))?;
        self.verify_fetched(bundle, fetched, name, root)
    }

    /// The same for what was read elsewhere.
    pub(super) fn verify_fetched(
        &self,
        bundle: &Bundle,
        fetched: FetchedBundle,
        name: &str,
        root: &TrustRoot,
    ) -> Result<VerifiedBundle, Refusal> {
        let this = Sha256Digest::of(&bundle.signed().payload());
        let mark = self.high_water.filter(|_| name == "acme");
        let name = name.parse().unwrap();
        let expected = Expectation {
            name: Some(&name),
            reference: None,
            now: self.now.parse().unwrap(),
            high_water: mark.map(|(epoch, revision, payload)| HighWater {
                epoch,
                revision,
                payload: payload.unwrap_or(this),
            }),
            max_age: self
                .max_age_days
                .map(|days| jiff::SignedDuration::from_hours(24 * days)),
            held: Held::Fetched,
        };
        verify(fetched, root, &expected, &self.limits)
            .map_err(|error| refusal(layer(&error), error.code(), &error))
    }
}

/// The step of `trust::verify` that refused.
fn layer(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::EnvelopeMissing | VerifyError::Envelope(_) => "envelope",
        VerifyError::NoPublisher | VerifyError::Threshold(_) => "threshold",
        VerifyError::PayloadType { .. } | VerifyError::Statement(_) => "statement",
        VerifyError::Name { .. } | VerifyError::Namespace { .. } => "authority",
        VerifyError::Epoch { .. }
        | VerifyError::Rollback { .. }
        | VerifyError::Equivocation { .. } => "revision",
        VerifyError::Future { .. } | VerifyError::Expired { .. } | VerifyError::TooOld { .. } => {
            "times"
        }
        VerifyError::Revoked { .. } => "revocation",
        VerifyError::GitSignature { .. } => "git signature",
        VerifyError::Unlisted { .. }
        | VerifyError::MissingFile { .. }
        | VerifyError::FileDigest { .. } => "files",
        VerifyError::Manifest(_) | VerifyError::ManifestDiffers { .. } => "manifest",
    }
}
