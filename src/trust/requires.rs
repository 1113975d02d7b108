//! What bundles require of one another, so that an old parent is never mixed with a new child.

use std::collections::{BTreeMap, BTreeSet};

use super::verified::VerifiedStatement;
use crate::bundle::Requirement;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::BundleName;

/// Why verified bundles do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequiresError {
    /// A bundle that is not there.
    #[error("bundle `{bundle}` requires bundle `{required}`, which is not configured")]
    Missing {
        /// Who requires it.
        bundle: BundleName,
        /// What is required.
        required: BundleName,
    },
    /// A bundle that is too old.
    #[error("bundle `{bundle}` requires revision {}.{} of bundle `{}`, which is at {found_epoch}.{found}", requirement.epoch, requirement.revision, requirement.bundle)]
    TooOld {
        /// Who requires it.
        bundle: BundleName,
        /// What is required.
        requirement: Box<Requirement>,
        /// The epoch that is there.
        found_epoch: u64,
        /// The revision that is there.
        found: u64,
    },
    /// Another statement than the pinned one.
    #[error("bundle `{bundle}` requires bundle `{required}` to be {pinned}, and it is {found}")]
    Pin {
        /// Who requires it.
        bundle: BundleName,
        /// What is required.
        required: BundleName,
        /// The pinned payload.
        pinned: Sha256Digest,
        /// The payload that is there.
        found: Sha256Digest,
    },
    /// Bundles that require one another.
    #[error("the requirements of bundle `{bundle}` form a cycle")]
    Cycle {
        /// A bundle of the cycle.
        bundle: BundleName,
    },
}

impl RequiresError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::REQUIRES_MISSING,
            Self::TooOld { .. } | Self::Pin { .. } => Code::REQUIRES_UNMET,
            Self::Cycle { .. } => Code::REQUIRES_CYCLE,
        }
    }
}

/// Whether every requirement of every bundle is met by the others, without a cycle.
///
/// # Errors
/// [`RequiresError`] for the first one that is not, in order of bundle names.
pub fn check_requires(bundles: &[impl AsRef<VerifiedStatement>]) -> Result<(), RequiresError> {
    let by_name: BTreeMap<&BundleName, &VerifiedStatement> = bundles
        .iter()
        .map(|bundle| (&bundle.as_ref().predicate().bundle, bundle.as_ref()))
        .collect();
    for (name, bundle) in &by_name {
        for requirement in bundle.requires() {
            let required =
                by_name
                    .get(&requirement.bundle)
                    .ok_or_else(|| RequiresError::Missing {
                        bundle: (*name).clone(),
                        required: requirement.bundle.clone(),
                    })?;
            check_one(name, requirement, required)?;
        }
    }
    check_cycles(&by_name)
}

fn check_one(
    name: &BundleName,
    requirement: &Requirement,
    required: &VerifiedStatement,
) -> Result<(), RequiresError> {
    let found = required.predicate();
    if (found.epoch, found.revision) < (requirement.epoch, requirement.revision) {
        return Err(RequiresError::TooOld {
            bundle: name.clone(),
            requirement: Box::new(requirement.clone()),
            found_epoch: found.epoch.get(),
            found: found.revision.get(),
        });
    }
    match requirement.payload_sha256 {
        Some(pinned) if pinned != required.payload() => Err(RequiresError::Pin {
            bundle: name.clone(),
            required: requirement.bundle.clone(),
            pinned,
            found: required.payload(),
        }),
        _ => Ok(()),
    }
}

/// Removes bundles whose requirements are all removed; whatever stays is on or above a cycle.
fn check_cycles(by_name: &BTreeMap<&BundleName, &VerifiedStatement>) -> Result<(), RequiresError> {
    let mut open: BTreeSet<&BundleName> = by_name.keys().copied().collect();
    loop {
        let settled = open.iter().copied().find(|name| {
            by_name
                .get(*name)
                .is_some_and(|bundle| bundle.requires().iter().all(|r| !open.contains(&r.bundle)))
        });
        match settled {
            Some(name) => open.remove(name),
            None => break,
        };
    }
    open.first().map_or(Ok(()), |name| {
        Err(RequiresError::Cycle {
            bundle: (*name).clone(),
        })
    })
}
