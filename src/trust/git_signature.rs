//! Git's own signatures (`gpg.format=ssh`) as evidence beside the envelope's, never instead of it.
//!
//! 1. The commit object is read strictly, and its id computed from its bytes.
//! 2. The tree that Git makes of the bundle's files is computed, and found in the commit, by way of the trees in between: a
//!    signature says something about these files, and not about others that were fetched with it.
//! 3. A tag is the one that was asked for; its object names itself as its ref does, and points at that commit and nothing else.
//! 4. The signature is an SSHSIG of the namespace `git`, strictly verified, by a key of the trust root that is not revoked, of
//!    a member of the bundle's role.
//!
//! SECURITY: a signature of Git's covers ids that are SHA-1 in most repositories, and a tag's passes under any name that it
//! is moved to; its date is the signer's word, so a stolen key would outlive its revocation. Hence 2 and 3, no date is read,
//! and the DSSE threshold is asked for first.

mod error;

use super::git_object::{GitCommit, GitTag, Hash, Id, SSH_ARMOUR, Signed};
use super::git_object::{has_directory, tree_of};
use super::keys::{KeyError, PublicKey};
use super::root::TrustRoot;
use super::root_document::{GitRequirement, RootDocument};
use super::sshsig::{SshSigError, SshSignature};
use super::verified::VerifiedBundle;
use super::verify::VerifyError;
use crate::bundle::{FetchedBundle, GitEvidence, Limits, Signer};
use crate::digest::CommitId;
use crate::name::RoleName;

pub use error::GitSignatureError;

/// The namespace in which Git signs.
const NAMESPACE: &str = "git";
/// How a full ref of a tag begins.
const TAGS: &str = "refs/tags/";

/// Which of Git's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitObject {
    /// The commit.
    Commit,
    /// The tag that points at it.
    Tag,
}

impl std::fmt::Display for GitObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
        })
    }
}

/// Whose signature of Git's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSigned {
    /// What was signed.
    pub object: GitObject,
    /// The commit's id, or the tag's name.
    pub name: String,
    /// By whom.
    pub signer: Signer,
}

/// What Git's own signatures say of a verified bundle, for people. Hashes its files once more where there is a signature.
#[must_use]
pub fn git_signatures(
    bundle: &VerifiedBundle,
    root: &TrustRoot,
    limits: &Limits,
) -> Vec<Result<GitSigned, GitSignatureError>> {
    let document = root.document();
    [GitObject::Tag, GitObject::Commit]
        .into_iter()
        .map(|object| signed(bundle.fetched(), object, bundle.role(), document, limits))
        .filter(|found| !found.as_ref().is_err_and(GitSignatureError::is_absence))
        .collect()
}

/// Whether a role requires a signature of Git's own.
pub(super) fn requires_git_signature(role: &RoleName, root: &TrustRoot) -> bool {
    let role = root.document().roles.get(role);
    role.is_some_and(|role| role.git_signature.is_some())
}

/// Holds a bundle to what its role requires of Git's own signatures.
///
/// # Errors
/// [`VerifyError::GitSignature`] with the fault of the object that is required; the tag's, where either is and there is one.
pub(super) fn check_git_signature(
    fetched: &FetchedBundle,
    role: &RoleName,
    root: &TrustRoot,
    asked: Option<&str>,
    limits: &Limits,
) -> Result<(), VerifyError> {
    let document = root.document();
    let Some(required) = document.roles.get(role).and_then(|role| role.git_signature) else {
        return Ok(());
    };
    let check = |object| {
        if let (GitObject::Tag, Some(asked)) = (object, asked) {
            is_asked_for(fetched.git.as_deref(), asked)?;
        }
        signed(fetched, object, role, document, limits).map(|_| ())
    };
    let found = match required {
        GitRequirement::Commit => check(GitObject::Commit),
        GitRequirement::Tag => check(GitObject::Tag),
        GitRequirement::Either => check(GitObject::Tag).or_else(|of_tag| {
            check(GitObject::Commit).map_err(|of_commit| {
                if of_tag.is_absence() {
                    of_commit
                } else {
                    of_tag
                }
            })
        }),
    };
    found.map_err(|error| VerifyError::GitSignature {
        role: role.clone(),
        error: Box::new(error),
    })
}

/// The tag is the one that the consumer asks for.
///
/// SECURITY: the evidence's own word for its ref is the courier's, or that of whoever pulled it into the store. Were it
/// believed, the signature of any tag of this commit, such as one of a candidate, would pass for the release's.
fn is_asked_for(evidence: Option<&GitEvidence>, asked: &str) -> Result<(), GitSignatureError> {
    let found = evidence
        .ok_or(GitSignatureError::NoEvidence)?
        .reference
        .as_deref()
        .ok_or(GitSignatureError::NotATag)?;
    let reference = if asked.starts_with("refs/") {
        asked.to_owned()
    } else if asked == "HEAD" || asked.parse::<CommitId>().is_ok() {
        return Err(GitSignatureError::NotATag);
    } else {
        format!("{TAGS}{asked}")
    };
    if found == reference {
        Ok(())
    } else if reference.starts_with(TAGS) {
        Err(GitSignatureError::OtherName {
            found: shown(found.strip_prefix(TAGS).unwrap_or(found).as_bytes()),
            reference,
        })
    } else {
        Err(GitSignatureError::NotATag)
    }
}

/// Who signed the commit or the tag that the bundle came with.
fn signed(
    fetched: &FetchedBundle,
    object: GitObject,
    role: &RoleName,
    document: &RootDocument,
    limits: &Limits,
) -> Result<GitSigned, GitSignatureError> {
    let evidence = fetched
        .git
        .as_deref()
        .ok_or(GitSignatureError::NoEvidence)?;
    if let Some(excess) = evidence.excess(limits) {
        return Err(GitSignatureError::TooLarge(excess));
    }
    let commit = GitCommit::parse(&evidence.commit)?;
    let id = commit.hash.id("commit", &evidence.commit)?;
    let (name, signature) = match object {
        GitObject::Commit => (id.to_hex(), commit.signed),
        GitObject::Tag => tag(evidence, &id)?,
    };
    let signature = signature.ok_or(GitSignatureError::Unsigned { object })?;
    let key = verify(&signature, object)?;
    let signer = member(&key, object, role, document)?;
    // Last, because it costs the most: a hash of every file.
    covers(fetched, &commit.tree, commit.hash, &id)?;
    Ok(GitSigned {
        object,
        name,
        signer,
    })
}

/// The tag's name and signature, if it is what its ref says it is.
fn tag(evidence: &GitEvidence, commit: &Id) -> Result<(String, Option<Signed>), GitSignatureError> {
    let reference = evidence
        .reference
        .as_deref()
        .ok_or(GitSignatureError::NotATag)?;
    let name = reference
        .strip_prefix(TAGS)
        .ok_or(GitSignatureError::NotATag)?;
    let data = evidence
        .tag
        .as_deref()
        .ok_or_else(|| GitSignatureError::Lightweight {
            reference: reference.to_owned(),
        })?;
    let tag = GitTag::parse(data)?;
    if tag.name != name.as_bytes() {
        return Err(GitSignatureError::OtherName {
            reference: reference.to_owned(),
            found: shown(&tag.name),
        });
    }
    if tag.kind != b"commit" {
        return Err(GitSignatureError::OtherKind {
            kind: shown(&tag.kind),
        });
    }
    if tag.object != *commit {
        return Err(GitSignatureError::OtherCommit {
            commit: commit.to_hex(),
            found: tag.object.to_hex(),
        });
    }
    Ok((name.to_owned(), tag.signed))
}

/// The commit leads to the bundle's files.
fn covers(
    fetched: &FetchedBundle,
    top: &Id,
    hash: Hash,
    commit: &Id,
) -> Result<(), GitSignatureError> {
    let other = || GitSignatureError::OtherFiles {
        commit: commit.to_hex(),
    };
    let mut wanted = tree_of(fetched, hash)?;
    let trees = fetched.git.as_ref().map_or(&[][..], |git| &git.trees);
    for tree in trees.iter().rev() {
        if !has_directory(tree, &wanted, hash) {
            return Err(other());
        }
        wanted = hash.id("tree", tree)?;
    }
    if wanted == *top { Ok(()) } else { Err(other()) }
}

/// The key by which a signature is valid.
fn verify(signed: &Signed, object: GitObject) -> Result<PublicKey, GitSignatureError> {
    if !signed.signature.starts_with(SSH_ARMOUR) {
        return Err(GitSignatureError::NotSsh { object });
    }
    let signature = SshSignature::parse(&signed.signature);
    let key = signature.and_then(|it| it.verify(NAMESPACE, &signed.payload).cloned());
    key.map_err(|error| match error {
        SshSigError::Key(KeyError::Weak) => GitSignatureError::Weak { object },
        SshSigError::Key(KeyError::Algorithm { algorithm }) => {
            GitSignatureError::Algorithm { object, algorithm }
        }
        SshSigError::Namespace { found, .. } => GitSignatureError::Namespace {
            object,
            namespace: found,
        },
        SshSigError::Mismatch { .. } => GitSignatureError::Invalid { object },
        _ => GitSignatureError::Malformed { object },
    })
}

/// The member of the role whose key it is.
fn member(
    key: &PublicKey,
    object: GitObject,
    role: &RoleName,
    document: &RootDocument,
) -> Result<Signer, GitSignatureError> {
    let keyid = key.id();
    let Some(principal) = document.owner_of(key) else {
        return Err(GitSignatureError::UnknownKey { object, keyid });
    };
    let principal = principal.clone();
    if document.revoked.keys.contains(&keyid) {
        return Err(GitSignatureError::Revoked {
            object,
            keyid,
            principal,
        });
    }
    let is_member = document
        .roles
        .get(role)
        .is_some_and(|role| role.principals.contains(&principal));
    if !is_member {
        return Err(GitSignatureError::NotInRole {
            object,
            principal,
            role: role.clone(),
        });
    }
    Ok(Signer {
        principal,
        keyid: keyid.as_str().to_owned(),
    })
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(120).collect()
}
