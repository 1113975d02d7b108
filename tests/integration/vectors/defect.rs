//! The vocabulary of the vectors: each word changes one thing in the world.

use std::path::Path;

use ordain::bundle::Limits;
use ordain::diag::Code;
use ordain::digest::Sha256Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::repository::Made;
use super::signature::Signature;
use super::world::{Bundle, Document, Edit, World, set};
use crate::source::refusal;
use crate::support::keys::openssh_line;
use crate::support::repo::Repo;

/// One change. JSON pointers say where; `to` left out removes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Defect {
    /// In the trust root, before it is signed and pinned.
    RootSet(Set),
    /// In the trust root's bytes, before they are signed and pinned.
    RootText(Text),
    RootSigners(Vec<String>),
    RootPayloadType(String),
    /// A principal's key is this point.
    RootKey {
        principal: String,
        point: String,
    },
    /// After its fingerprint was pinned.
    RootAfterPin(Set),
    RootPin(String),
    RootName(String),
    /// A second root.
    NextRoot {
        version: u64,
        signers: Vec<String>,
        #[serde(default)]
        set: Vec<Set>,
        #[serde(default)]
        first: Vec<Set>,
    },
    /// A second root that only the file name makes the third.
    GapInRoots,
    Revoke {
        keys: Vec<String>,
        #[serde(default)]
        issued: Option<String>,
    },
    RevokePayload,
    /// In the statement, before it is signed.
    StatementSet(Set),
    StatementText(Text),
    StatementPrepend(String),
    StatementAppend(String),
    PayloadType(String),
    Signers(Vec<String>),
    /// In the envelope, after it was signed.
    EnvelopeSet(Set),
    EnvelopeText(Text),
    EnvelopeBytes(String),
    EnvelopePrepend(String),
    EnvelopeAppend(String),
    EnvelopeMissing,
    EnvelopePadded {
        spaces: usize,
    },
    Signature(Signature),
    /// Alice has two keys, and signs with both.
    TwoKeysOfOne,
    /// The bundle carries its signer's key.
    KeyInBundle,
    /// In the directory, after it was signed.
    Write(File),
    WriteHex {
        name: String,
    },
    Remove(String),
    Rename {
        from: String,
        to: String,
    },
    Disk(Disk),
    Limits {
        files: Option<usize>,
        file_bytes: Option<u64>,
        total_bytes: Option<u64>,
        depth: Option<usize>,
    },
    /// Of the bundle, before it is signed.
    Sign(File),
    SignWithout(String),
    /// What the consumer knows.
    Now(String),
    Seen {
        epoch: u64,
        revision: u64,
        payload: Option<Sha256Digest>,
    },
    MaxAge(i64),
    /// The other bundle stands where this one should.
    Swapped,
    /// The other bundle's envelope stands in this one's directory.
    ForeignEnvelope,
    Requires {
        acme: Option<Value>,
        base: Option<Value>,
    },
    /// A Git tree of these entries.
    Tree(Vec<Entry>),
    Machine(String),
    /// A commit or tag with this signature.
    Signed(String),
    /// A repository of this kind.
    Repository(Made),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    at: String,
    #[serde(default)]
    to: Option<Value>,
}

impl Set {
    fn pair(&self) -> (String, Option<Value>) {
        (self.at.clone(), self.to.clone())
    }

    fn value(&self) -> Option<Value> {
        self.to.as_ref().map(spelled)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    from: String,
    to: String,
}

impl Text {
    fn edit(&self) -> Edit {
        Edit::Replace(self.from.clone(), self.to.clone())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    name: String,
    text: String,
    /// Written this many times.
    #[serde(default)]
    times: Option<usize>,
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        self.text.repeat(self.times.unwrap_or(1)).into_bytes()
    }
}

/// One entry of a Git tree; `name` may be given in hex.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    mode: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    hex: Option<String>,
}

impl Entry {
    fn name(&self) -> Vec<u8> {
        self.hex
            .as_ref()
            .map_or_else(|| self.name.clone().into_bytes(), |hex| unhex(hex))
    }
}

/// What a file system can hold and a bundle cannot.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Disk {
    Symlink,
    SymlinkedDirectory,
    Executable,
    Pipe,
    Deep,
}

/// `key of NAME` and `id of NAME` stand for what nobody wants to spell out.
fn spelled(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.split_once(" of ") {
            Some(("key", name)) => public_key(name).into(),
            Some(("id", name)) => crate::support::keys::snakeoil(name).fingerprint().into(),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(spelled).collect(),
        _ => value.clone(),
    }
}

pub(super) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

pub(super) fn public_key(name: &str) -> String {
    let line = crate::support::keys::snakeoil(name).public_openssh();
    line.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Defect {
    /// Changes the world. Called once: one defect each.
    #[allow(clippy::too_many_lines, reason = "one arm a word")]
    pub(super) fn apply(&self, world: &mut World) {
        match self {
            Self::RootSet(change) => set(&mut world.roots[0].value, &change.at, change.value()),
            Self::RootText(text) => world.roots[0].edits.push(text.edit()),
            Self::RootSigners(names) => world.roots[0].signers.clone_from(names),
            Self::RootPayloadType(kind) => world.roots[0].payload_type.clone_from(kind),
            Self::RootKey { principal, point } => {
                let at = format!("/principals/{principal}/keys/0");
                set(
                    &mut world.roots[0].value,
                    &at,
                    Some(openssh_line(&unhex(point)).into()),
                );
            }
            Self::RootAfterPin(change) => {
                world.pin = Some(Sha256Digest::of(&world.roots[0].payload()));
                set(&mut world.roots[0].value, &change.at, change.value());
            }
            Self::RootPin(text) => world.pin = Some(Sha256Digest::of(text.as_bytes())),
            Self::RootName(name) => world.root_names[0] = Some(Box::leak(name.clone().into())),
            Self::NextRoot {
                version,
                signers,
                set: changes,
                first,
            } => {
                for change in first {
                    set(&mut world.roots[0].value, &change.at, change.value());
                }
                let mut next = world.roots[0].clone();
                next.signers.clone_from(signers);
                set(&mut next.value, "/version", Some((*version).into()));
                for change in changes {
                    set(&mut next.value, &change.at, change.value());
                }
                world.roots.push(next);
                world.root_names.push(None);
            }
            Self::GapInRoots => {
                let mut next = world.roots[0].clone();
                set(&mut next.value, "/version", Some(2.into()));
                world.roots.push(next);
                world.root_names.push(Some("3.root.json"));
            }
            Self::Revoke { keys, issued } => {
                if let Some(issued) = issued {
                    world.acme.predicate["issued"] = issued.clone().into();
                }
                let ids: Vec<String> = keys
                    .iter()
                    .map(|name| crate::support::keys::snakeoil(name).fingerprint())
                    .collect();
                set(&mut world.roots[0].value, "/revoked/keys", Some(json!(ids)));
            }
            Self::RevokePayload => {
                let payload = Sha256Digest::of(&world.acme.signed().payload());
                set(
                    &mut world.roots[0].value,
                    "/revoked/payloads",
                    Some(json!([payload])),
                );
            }
            Self::TwoKeysOfOne => {
                let keys = json!([public_key("alice"), public_key("alice's other")]);
                set(
                    &mut world.roots[0].value,
                    "/principals/alice/keys",
                    Some(keys),
                );
                world.acme.statement.signers = vec!["alice".into(), "alice's other".into()];
            }
            Self::Now(now) => world.now.clone_from(now),
            Self::Seen {
                epoch,
                revision,
                payload,
            } => world.high_water = Some((*epoch, *revision, *payload)),
            Self::MaxAge(days) => world.max_age_days = Some(*days),
            Self::Limits {
                files,
                file_bytes,
                total_bytes,
                depth,
            } => {
                let most = Limits::default();
                world.limits = Limits {
                    files: files.unwrap_or(most.files),
                    file_bytes: file_bytes.unwrap_or(most.file_bytes),
                    total_bytes: total_bytes.unwrap_or(most.total_bytes),
                    depth: depth.unwrap_or(most.depth),
                    ..most
                };
            }
            Self::Swapped => std::mem::swap(&mut world.acme, &mut world.base),
            Self::ForeignEnvelope => {
                let foreign = world.base.signed().envelope();
                world
                    .acme
                    .disk_writes
                    .push(("bundle.dsse.json".into(), Some(foreign)));
            }
            Self::Requires { acme, base } => {
                for (bundle, requires) in [(&mut world.acme, acme), (&mut world.base, base)] {
                    if let Some(requires) = requires {
                        set(&mut bundle.predicate, "/requires", Some(requires.clone()));
                    }
                }
            }
            Self::Tree(_) | Self::Machine(_) | Self::Signed(_) | Self::Repository(_) => {
                panic!("not a defect of this world")
            }
            of_bundle => of_bundle.apply_to_bundle(&mut world.acme),
        }
    }

    fn apply_to_bundle(&self, bundle: &mut Bundle) {
        match self {
            Self::StatementSet(change) => bundle.statement_sets.push(change.pair()),
            Self::StatementText(text) => bundle.statement.edits.push(text.edit()),
            Self::StatementPrepend(text) => bundle
                .statement
                .edits
                .push(Edit::Prepend(text.clone().into())),
            Self::StatementAppend(text) => bundle
                .statement
                .edits
                .push(Edit::Append(text.clone().into())),
            Self::Write(file) => bundle
                .disk_writes
                .push((file.name.clone(), Some(file.bytes()))),
            Self::Remove(name) => bundle.disk_writes.push((name.clone(), None)),
            Self::Rename { from, to } => {
                let bytes = bundle.files[from].clone();
                bundle.disk_writes.push((from.clone(), None));
                bundle.disk_writes.push((to.clone(), Some(bytes)));
            }
            Self::KeyInBundle => {
                bundle
                    .files
                    .insert("keys/mallory.pub".into(), public_key("mallory").into());
                bundle.statement.signers = vec!["mallory".into(), "alice".into()];
            }
            Self::WriteHex { name } => {
                assert_eq!(name, "ff", "a function that captures nothing");
                bundle.disk.push(|directory| {
                    use std::os::unix::ffi::OsStrExt as _;
                    let name = std::ffi::OsStr::from_bytes(b"a\xff.yaml");
                    std::fs::write(directory.join(name), "x").unwrap();
                });
            }
            Self::Disk(disk) => bundle.disk.push(disk.change()),
            Self::Sign(file) => drop(bundle.files.insert(file.name.clone(), file.bytes())),
            Self::SignWithout(name) => drop(bundle.files.remove(name).unwrap()),
            Self::EnvelopeMissing => bundle.has_envelope = false,
            of_envelope => of_envelope.apply_to_envelope(&mut bundle.statement),
        }
    }

    fn apply_to_envelope(&self, document: &mut Document) {
        let edits = &mut document.envelope_edits;
        match self {
            Self::PayloadType(kind) => document.payload_type.clone_from(kind),
            Self::Signers(names) => document.signers.clone_from(names),
            Self::EnvelopeSet(change) => document.sets.push(change.pair()),
            Self::EnvelopeText(text) => edits.push(text.edit()),
            Self::EnvelopeBytes(text) => edits.push(Edit::Whole(text.clone().into())),
            Self::EnvelopePrepend(text) => edits.push(Edit::Prepend(text.clone().into())),
            Self::EnvelopeAppend(text) => edits.push(Edit::Append(text.clone().into())),
            Self::EnvelopePadded { spaces } => edits.push(Edit::Append(vec![b' '; *spaces])),
            Self::Signature(signature) => {
                if matches!(
                    signature,
                    Signature::Twice | Signature::TwiceUnderTwoNames | Signature::UnderAnotherName
                ) {
                    document.signers = vec!["alice".into()];
                }
                document.after.push(signature.change());
            }
            other => panic!("{other:?} changes nothing"),
        }
    }

    /// Commits the tree, and reads it as a consumer would.
    pub(super) fn tree(&self) -> Result<(), (String, Code)> {
        refusal(&self.tree_repository()).map_or(Ok(()), |code| Err(("source".to_owned(), code)))
    }

    /// A repository whose `main` has the tree.
    pub(super) fn tree_repository(&self) -> Repo {
        let Self::Tree(entries) = self else {
            panic!("not a tree: {self:?}")
        };
        let repo = Repo::new();
        let commit = repo.commit(&[("a", "a")]);
        let blob = repo.blob("x");
        let subtree = repo.git_with(&["mktree"], format!("100644 blob {blob}\tf\n").as_bytes());
        let names: Vec<Vec<u8>> = entries.iter().map(Entry::name).collect();
        let entries: Vec<(&str, &[u8], &str)> = entries
            .iter()
            .zip(&names)
            .map(|(entry, name)| {
                let id = match entry.mode.as_str() {
                    "40000" => &subtree,
                    "160000" => &commit,
                    _ => &blob,
                };
                (entry.mode.as_str(), name.as_slice(), id.as_str())
            })
            .collect();
        repo.commit_raw_tree(&entries);
        repo
    }
}

impl Disk {
    #[cfg(unix)]
    fn change(self) -> fn(&Path) {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        match self {
            Self::Symlink => {
                |directory| symlink("policy.yaml", directory.join("policies/link.yaml")).unwrap()
            }
            Self::SymlinkedDirectory => {
                |directory| symlink("policies", directory.join("more")).unwrap()
            }
            Self::Executable => |directory| {
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(directory.join("policies/policy.yaml"), mode).unwrap();
            },
            Self::Pipe => |directory| {
                let mut mkfifo = crate::support::repo::command("mkfifo");
                mkfifo.arg(directory.join("policies/pipe.yaml"));
                crate::support::repo::run(mkfifo, b"");
            },
            Self::Deep => |directory| {
                let deep = directory.join("d/".repeat(18));
                std::fs::create_dir_all(&deep).unwrap();
                std::fs::write(deep.join("f"), "x").unwrap();
            },
        }
    }
}
