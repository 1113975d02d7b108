//! What the checks of [`verify`](super::verify()) saw, for people who ask why a bundle counts or does not.
//!
//! Nothing here decides: [`facts`] tells of checks that have passed, from the same bytes and by the same functions, and
//! [`Contrast`] says what a failed one expected, what it found, and who can mend it.

mod blame;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::check::Check;
use super::envelope::Envelope;
use super::root::TrustRoot;
use super::verify::{Expectation, satisfied_roles};
use crate::bundle::{FetchedBundle, Limits, RollsBack, Signer, Statement};
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Namespace, RoleName};

pub use blame::{Contrast, Fixer};

/// What a check that passed has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fact {
    /// Of [`Check::Envelope`].
    Envelope {
        /// Its bytes.
        bytes: usize,
        /// Signatures in it, valid or not.
        signatures: usize,
    },
    /// Of [`Check::Signatures`]: the roles whose thresholds are met.
    Signatures {
        /// Each with its count.
        roles: Vec<Tally>,
        /// The version of the trust root that says so.
        root_version: u64,
    },
    /// Of [`Check::PayloadType`].
    PayloadType {
        /// What it is.
        payload_type: String,
    },
    /// Of [`Check::Statement`].
    Statement {
        /// SHA-256 of the payload.
        payload: Sha256Digest,
        /// Files that it lists.
        subjects: usize,
    },
    /// Of [`Check::Name`].
    Name {
        /// What was signed.
        bundle: BundleName,
        /// The version for people.
        version: semver::Version,
        /// What the consumer asked for; none where any name will do.
        asked: Option<BundleName>,
    },
    /// Of [`Check::Namespace`].
    Namespace {
        /// What the bundle may define.
        namespace: Namespace,
        /// Who speaks for it.
        role: RoleName,
    },
    /// Of [`Check::Revision`].
    Revision {
        /// The statement's epoch, which is the role's.
        epoch: u64,
        /// Its revision.
        revision: u64,
        /// The highest one accepted before, as epoch and revision.
        high_water: Option<(u64, u64)>,
        /// The older revision that it returns to, where it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        rolls_back: Option<RollsBack>,
    },
    /// Of [`Check::Times`].
    Times {
        /// By the signers' word.
        issued: Timestamp,
        /// From when on it no longer counts.
        expires: Timestamp,
        /// The time at which all of it was looked at.
        now: Timestamp,
        /// Since it was issued.
        age: SignedDuration,
        /// What the consumer accepts.
        max_age: Option<SignedDuration>,
    },
    /// Of [`Check::Revocation`]: how much the trust root revokes, none of it this.
    Revocation {
        /// Keys.
        keys: usize,
        /// Payloads.
        payloads: usize,
        /// Ranges of revisions.
        revisions: usize,
    },
    /// Of [`Check::GitSignature`].
    GitSignature {
        /// Whether the role requires one.
        required: bool,
    },
    /// Of [`Check::FileSet`].
    FileSet {
        /// Files, the envelope not counted.
        files: usize,
    },
    /// Of [`Check::Digests`].
    Digests {
        /// Files hashed.
        files: usize,
        /// Bytes hashed.
        bytes: u64,
    },
    /// Of [`Check::Manifest`].
    Manifest {
        /// The members that were compared.
        compared: [&'static str; 3],
    },
}

/// How a role was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The role.
    pub role: RoleName,
    /// How many of its members it takes.
    pub threshold: u32,
    /// How many it has.
    pub members: usize,
    /// Who signed.
    pub signers: Vec<Signer>,
}

/// What the checks before `failed` saw, in order; all of them where none failed.
///
/// Costs the signature checks again; no file is hashed.
#[must_use]
pub fn facts(
    fetched: &FetchedBundle,
    root: &TrustRoot,
    expected: &Expectation<'_>,
    limits: &Limits,
    failed: Option<Check>,
) -> Vec<(Check, Fact)> {
    let bytes = fetched.envelope.as_deref().unwrap_or_default();
    let envelope = Envelope::parse(bytes, limits).ok();
    let statement = envelope
        .as_ref()
        .and_then(|envelope| Statement::parse(envelope.payload()).ok());
    let seen = Seen {
        fetched,
        root,
        expected,
        envelope: envelope.as_ref(),
        statement: statement.as_ref(),
    };
    Check::ALL
        .into_iter()
        .take_while(|check| failed.is_none_or(|failed| *check < failed))
        .map_while(|check| Some((check, seen.fact(check)?)))
        .collect()
}

struct Seen<'a> {
    fetched: &'a FetchedBundle,
    root: &'a TrustRoot,
    expected: &'a Expectation<'a>,
    envelope: Option<&'a Envelope>,
    statement: Option<&'a Statement>,
}

impl Seen<'_> {
    fn fact(&self, check: Check) -> Option<Fact> {
        let document = self.root.document();
        let predicate = || self.statement.map(|statement| &statement.predicate);
        let files = self.fetched.files.len();
        Some(match check {
            Check::Envelope => Fact::Envelope {
                bytes: self.fetched.envelope.as_ref()?.len(),
                signatures: self.envelope?.signatures().len(),
            },
            Check::Signatures => {
                let met = satisfied_roles(self.envelope?, self.root).ok()?;
                let tally = |(role, signers): (RoleName, Vec<Signer>)| {
                    let rule = document.roles.get(&role)?;
                    Some(Tally {
                        threshold: rule.threshold.get(),
                        members: rule.principals.len(),
                        role,
                        signers,
                    })
                };
                Fact::Signatures {
                    roles: met.into_iter().filter_map(tally).collect(),
                    root_version: self.root.version(),
                }
            }
            Check::PayloadType => Fact::PayloadType {
                payload_type: self.envelope?.payload_type().to_owned(),
            },
            Check::Statement => Fact::Statement {
                payload: self.envelope?.payload_digest(),
                subjects: self.statement?.subjects.len(),
            },
            Check::Name => Fact::Name {
                bundle: predicate()?.bundle.clone(),
                version: predicate()?.version.clone(),
                asked: self.expected.name.cloned(),
            },
            Check::Namespace => Fact::Namespace {
                namespace: predicate()?.namespace.clone(),
                role: document.publisher_of(&predicate()?.namespace)?.clone(),
            },
            Check::Revision => Fact::Revision {
                epoch: predicate()?.epoch.get(),
                revision: predicate()?.revision.get(),
                high_water: self
                    .expected
                    .high_water
                    .map(|mark| (mark.epoch, mark.revision)),
                rolls_back: predicate()?.rolls_back.clone(),
            },
            Check::Times => {
                let (predicate, now) = (predicate()?, self.expected.now);
                Fact::Times {
                    issued: predicate.issued,
                    expires: predicate.expires,
                    now,
                    age: now.duration_since(predicate.issued),
                    max_age: self.expected.max_age,
                }
            }
            Check::Revocation => Fact::Revocation {
                keys: document.revoked.keys.len(),
                payloads: document.revoked.payloads.len(),
                revisions: document.revoked.revisions.len(),
            },
            Check::GitSignature => {
                let role = document.publisher_of(&predicate()?.namespace)?;
                let rule = document.roles.get(role)?;
                Fact::GitSignature {
                    required: rule.git_signature.is_some(),
                }
            }
            Check::FileSet => Fact::FileSet { files },
            Check::Digests => Fact::Digests {
                files,
                bytes: self
                    .fetched
                    .files
                    .values()
                    .map(|bytes| bytes.len() as u64)
                    .sum(),
            },
            Check::Manifest => Fact::Manifest {
                compared: ["name", "version", "namespace"],
            },
        })
    }
}
