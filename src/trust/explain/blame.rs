//! What a failed check expected and found, and who can mend it: read from the error's own data.

use serde::Serialize;

use crate::bundle::{PREDICATE_TYPE, STATEMENT_TYPE, Signer, StatementError};
use crate::name::{PrincipalName, RoleName};
use crate::trust::envelope::STATEMENT_PAYLOAD_TYPE;
use crate::trust::validity::exactly;
use crate::trust::verify::VerifyError;

/// Who can mend what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "who", rename_all = "kebab-case")]
pub enum Fixer {
    /// Members of a role who have not signed.
    Members {
        /// The role.
        role: RoleName,
        /// Those whose signature is missing.
        missing: Vec<PrincipalName>,
    },
    /// Whoever publishes the bundle.
    Publisher,
    /// The members of the trust root's `root` role.
    RootHolders,
    /// Whoever runs the repository, its server, or the network in between.
    Host,
    /// Whoever runs this machine, or keeps its `ordain.yaml` and `ordain.lock`.
    Consumer,
}

/// A failed check: what it wanted, what it saw, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contrast {
    /// What would have passed. Escaped, like all of it.
    pub expected: String,
    /// What was there.
    pub found: String,
    /// Who can mend it.
    #[serde(flatten)]
    pub fixer: Fixer,
    /// What they should do or run.
    pub remedy: String,
}

impl Contrast {
    /// Puts one together.
    #[must_use]
    pub fn new(
        expected: impl Into<String>,
        found: impl Into<String>,
        fixer: Fixer,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
            fixer,
            remedy: remedy.into(),
        }
    }
}

const SIGN: &str = "run `ordain bundle sign DIR --key KEY --expires 90d`, commit and push";
const RENEW: &str =
    "run `ordain bundle sign DIR --renew --key KEY --expires 90d`, commit and push: a new revision";
const RESTORE: &str = "commit the files as they were signed, or sign them as they are: `ordain bundle sign DIR --key KEY --expires 90d`";

impl VerifyError {
    /// What the check expected and found.
    #[must_use]
    pub fn contrast(&self) -> Contrast {
        use Fixer::{Consumer, Publisher, RootHolders};
        match self {
            Self::EnvelopeMissing => {
                Contrast::new("a file `bundle.dsse.json`", "none", Publisher, SIGN)
            }
            Self::Envelope(error) => Contrast::new(
                "a DSSE envelope in strict JSON, with 64-byte signatures in canonical base64",
                error.to_string(),
                Publisher,
                SIGN,
            ),
            Self::NoPublisher => Contrast::new(
                "a role `publisher/…` in the trust root",
                "none",
                RootHolders,
                "sign a next trust root with a role for the bundle's namespace",
            ),
            Self::Threshold(shortfall) => {
                let role = &shortfall.role;
                Contrast::new(
                    format!("{} distinct signers of role `{role}`", shortfall.threshold),
                    format!(
                        "{}: {}{}",
                        shortfall.signed.len(),
                        signers(&shortfall.signed),
                        revoked(&shortfall.revoked)
                    ),
                    Fixer::Members {
                        role: role.clone(),
                        missing: shortfall.missing.clone(),
                    },
                    "run `ordain bundle sign DIR --key KEY` on this revision, commit and push: the signature joins the others",
                )
            }
            Self::PayloadType { found } => Contrast::new(
                format!("`{STATEMENT_PAYLOAD_TYPE}`"),
                format!("`{}`", found.escape_debug()),
                Publisher,
                SIGN,
            ),
            Self::Statement(error) => {
                let (expected, found) = statement(error);
                Contrast::new(expected, found, Publisher, SIGN)
            }
            Self::Name { expected, found } => Contrast::new(
                format!("bundle `{expected}`"),
                format!("bundle `{found}`"),
                Consumer,
                "correct the bundle's `name`, or its `git` and `path`, in `ordain.yaml`; if they are right, the repository serves another bundle",
            ),
            Self::Namespace {
                namespace,
                role: Some(role),
                signed_by,
            } => Contrast::new(
                format!("signatures of role `{role}`, which speaks for namespace `{namespace}`"),
                format!("signatures of {}", roles(signed_by)),
                Fixer::Members {
                    role: role.clone(),
                    missing: Vec::new(),
                },
                "run `ordain bundle sign DIR --key KEY`, commit and push; or publish under a namespace of those who signed",
            ),
            Self::Namespace {
                namespace,
                role: None,
                signed_by,
            } => Contrast::new(
                format!("a role that speaks for namespace `{namespace}`"),
                format!("none; signed as {}", roles(signed_by)),
                RootHolders,
                format!(
                    "sign a next trust root with a role `publisher/{namespace}`, if it shall be published"
                ),
            ),
            Self::Epoch {
                role,
                expected,
                found,
            } => Contrast::new(
                format!("epoch {expected}, which role `{role}` is in"),
                format!("epoch {found}"),
                Publisher,
                "get the newest trust root, and sign again in its epoch: `ordain bundle sign --epoch N`",
            ),
            Self::Rollback {
                found_epoch,
                found,
                seen_epoch,
                seen,
            } => Contrast::new(
                format!("revision {seen_epoch}.{seen} or later, as was accepted before"),
                format!("revision {found_epoch}.{found}"),
                Publisher,
                "move the ref forward again; to go back on purpose, sign the old files as a new revision",
            ),
            Self::Equivocation {
                epoch,
                revision,
                seen,
                found,
            } => Contrast::new(
                format!("payload {seen}, accepted before as revision {epoch}.{revision}"),
                format!("payload {found}"),
                Publisher,
                "find out who signed two statements under one revision, then publish a new revision",
            ),
            Self::Future { issued, now } => Contrast::new(
                format!("issued at most 5 minutes after {now}"),
                format!("issued at {issued}"),
                Consumer,
                "set this machine's clock right; if it is right, the signer's was wrong and a new revision is needed",
            ),
            Self::Expired { expires } => Contrast::new(
                "an expiry in the future",
                format!("expired at {expires}"),
                Publisher,
                RENEW,
            ),
            Self::TooOld { issued, max_age } => Contrast::new(
                format!(
                    "issued at most {} ago, the `max_age` of this bundle",
                    exactly(*max_age)
                ),
                format!("issued at {issued}"),
                Publisher,
                RENEW,
            ),
            Self::Revoked {
                epoch,
                revision,
                payload,
            } => Contrast::new(
                match payload {
                    Some(_) => "a payload that the trust root does not revoke",
                    None => "a revision that the trust root does not revoke",
                },
                match payload {
                    Some(payload) => format!("payload {payload}, revoked"),
                    None => format!("revision {epoch}.{revision}, revoked"),
                },
                Publisher,
                "publish a new revision; `ordain trust show` lists what is revoked",
            ),
            Self::GitSignature { role, error } => Contrast::new(
                format!(
                    "a Git tag or commit signed by a member of role `{role}`, as the trust root requires"
                ),
                error.to_string(),
                Fixer::Members {
                    role: role.clone(),
                    missing: Vec::new(),
                },
                "sign the tag or the commit with `gpg.format=ssh` and a key of the trust root, and push it",
            ),
            Self::Unlisted { path } => Contrast::new(
                "only files that were signed",
                format!("`{path}`, which was not"),
                Publisher,
                RESTORE,
            ),
            Self::MissingFile { path } => Contrast::new(
                format!("the signed file `{path}`"),
                "no such file",
                Publisher,
                RESTORE,
            ),
            Self::FileDigest {
                path,
                signed,
                found,
            } => Contrast::new(
                format!("`{path}` with {signed}"),
                found.to_string(),
                Publisher,
                RESTORE,
            ),
            Self::Manifest(diagnostic) => Contrast::new(
                "a valid `bundle.yaml`",
                diagnostic.to_string(),
                Publisher,
                "mend `bundle.yaml`, and sign again",
            ),
            Self::ManifestDiffers {
                field,
                manifest,
                statement,
            } => Contrast::new(
                format!("{field} `{statement}` in `bundle.yaml`, as in the statement"),
                format!("{field} `{manifest}`"),
                Publisher,
                "correct `bundle.yaml`, and sign again",
            ),
        }
    }
}

fn signers(signed: &[Signer]) -> String {
    if signed.is_empty() {
        return "nobody".to_owned();
    }
    let names: Vec<&str> = signed.iter().map(|s| s.principal.as_str()).collect();
    names.join(", ")
}

fn revoked(keys: &[Signer]) -> String {
    keys.iter()
        .map(|key| format!("; {}'s key {} is revoked", key.principal, key.keyid))
        .collect()
}

fn roles(names: &[RoleName]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn statement(error: &StatementError) -> (String, String) {
    match error {
        StatementError::Json(error) => ("a statement in strict JSON".to_owned(), error.to_string()),
        StatementError::Shape { message } => (
            "a statement of the shape that docs/bundle-format.md gives".to_owned(),
            message.clone(),
        ),
        StatementError::Type { found } => (
            format!("`_type` `{STATEMENT_TYPE}`"),
            format!("`{}`", found.escape_debug()),
        ),
        StatementError::PredicateType { found } => (
            format!("`predicateType` `{PREDICATE_TYPE}`"),
            format!("`{}`", found.escape_debug()),
        ),
        StatementError::Order { name } => (
            "subjects sorted by bytes, each once".to_owned(),
            format!("`{name}` out of order or twice"),
        ),
        StatementError::ListsEnvelope => (
            "subjects without the envelope".to_owned(),
            "the envelope among them".to_owned(),
        ),
        StatementError::Number { field } => (
            format!("`{field}` of at most 2^53 − 1"),
            "a larger number".to_owned(),
        ),
        StatementError::RollsBack { .. } => (
            "`rolls_back` to an older revision of the same bundle".to_owned(),
            error.to_string(),
        ),
        StatementError::Lifetime { issued, expires } => (
            format!("an expiry after {issued}, when it was issued"),
            format!("expires at {expires}"),
        ),
    }
}
