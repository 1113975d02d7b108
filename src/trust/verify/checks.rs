//! The checks of the pipeline, each a pure function of what was signed and what the consumer expects.

use jiff::SignedDuration;

use super::Expectation;
use super::error::VerifyError;
use crate::bundle::{FetchedBundle, Limits, MANIFEST_FILE, Manifest, Predicate, Signer};
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::name::RoleName;
use crate::trust::envelope::Envelope;
use crate::trust::root::TrustRoot;
use crate::trust::threshold::{Shortfall, ValidSignatures};
use crate::trust::validity::Validity;

/// How far in the future a statement may be issued: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The publisher roles whose thresholds are met, with their signers. Nothing of the payload is known yet.
pub(in crate::trust) fn satisfied_roles(
    envelope: &Envelope,
    root: &TrustRoot,
) -> Result<Vec<(RoleName, Vec<Signer>)>, VerifyError> {
    let valid = ValidSignatures::check(envelope, root.document());
    let mut satisfied = Vec::new();
    let mut nearest: Option<Shortfall> = None;
    for (name, role) in root.document().publishers() {
        match valid.count(name, role) {
            Ok(signers) => satisfied.push((name.clone(), signers)),
            Err(shortfall) => {
                if nearest
                    .as_ref()
                    .is_none_or(|nearest| shortfall.signed.len() > nearest.signed.len())
                {
                    nearest = Some(shortfall);
                }
            }
        }
    }
    match nearest {
        _ if !satisfied.is_empty() => Ok(satisfied),
        Some(shortfall) => Err(VerifyError::Threshold(Box::new(shortfall))),
        None => Err(VerifyError::NoPublisher),
    }
}

/// The bundle is the one that was asked for, and the role that speaks for its namespace signed it.
pub(super) fn check_authority(
    predicate: &Predicate,
    mut satisfied: Vec<(RoleName, Vec<Signer>)>,
    root: &TrustRoot,
    expected: &Expectation<'_>,
) -> Result<(RoleName, Vec<Signer>), VerifyError> {
    if let Some(name) = expected.name.filter(|name| **name != predicate.bundle) {
        return Err(VerifyError::Name {
            expected: name.clone(),
            found: predicate.bundle.clone(),
        });
    }
    let role = root.document().publisher_of(&predicate.namespace);
    match satisfied.iter().position(|(name, _)| Some(name) == role) {
        Some(index) => Ok(satisfied.swap_remove(index)),
        None => Err(VerifyError::Namespace {
            namespace: predicate.namespace.clone(),
            role: role.cloned(),
            signed_by: satisfied.into_iter().map(|(name, _)| name).collect(),
        }),
    }
}

/// `(epoch, revision)` only grows, and stands for one payload.
pub(super) fn check_revision(
    predicate: &Predicate,
    role: &RoleName,
    payload: Sha256Digest,
    root: &TrustRoot,
    expected: &Expectation<'_>,
) -> Result<(), VerifyError> {
    let (epoch, revision) = (predicate.epoch.get(), predicate.revision.get());
    if let Some(current) = root
        .document()
        .roles
        .get(role)
        .map(|role| role.epoch.get())
        .filter(|e| *e != epoch)
    {
        return Err(VerifyError::Epoch {
            role: role.clone(),
            expected: current,
            found: epoch,
        });
    }
    let Some(seen) = expected.high_water else {
        return Ok(());
    };
    if (epoch, revision) < (seen.epoch, seen.revision) {
        return Err(VerifyError::Rollback {
            found_epoch: epoch,
            found: revision,
            seen_epoch: seen.epoch,
            seen: seen.revision,
        });
    }
    if (epoch, revision) == (seen.epoch, seen.revision) && payload != seen.payload {
        return Err(VerifyError::Equivocation {
            epoch,
            revision,
            seen: seen.payload,
            found: payload,
        });
    }
    Ok(())
}

/// Not from the future, and not past its time, or within the grace of what is active.
pub(super) fn check_times(
    predicate: &Predicate,
    expected: &Expectation<'_>,
) -> Result<Validity, VerifyError> {
    let Predicate {
        issued, expires, ..
    } = *predicate;
    let now = expected.now;
    if issued.duration_since(now) > CLOCK_SKEW {
        return Err(VerifyError::Future { issued, now });
    }
    let validity = Validity::of(issued, expires, expected.max_age, expected.held);
    match (validity.at(now), expected.max_age) {
        (Some(_), _) => Ok(validity),
        (None, Some(max_age)) if now < expires => Err(VerifyError::TooOld { issued, max_age }),
        (None, _) => Err(VerifyError::Expired { expires }),
    }
}

pub(in crate::trust) fn check_revocation(
    predicate: &Predicate,
    payload: Sha256Digest,
    root: &TrustRoot,
) -> Result<(), VerifyError> {
    let revoked = &root.document().revoked;
    let in_range = revoked.revisions.iter().any(|range| {
        range.bundle == predicate.bundle
            && range.epoch == predicate.epoch
            && (range.from..=range.to).contains(&predicate.revision)
    });
    let by_payload = revoked.payloads.contains(&payload);
    if in_range || by_payload {
        return Err(VerifyError::Revoked {
            epoch: predicate.epoch.get(),
            revision: predicate.revision.get(),
            payload: by_payload.then_some(payload),
        });
    }
    Ok(())
}

pub(super) fn check_manifest(
    fetched: &FetchedBundle,
    predicate: &Predicate,
    limits: &Limits,
) -> Result<Manifest, VerifyError> {
    let bytes = fetched
        .files
        .iter()
        .find(|(path, _)| path.as_str() == MANIFEST_FILE)
        .map(|(_, bytes)| bytes);
    let missing = || Diagnostic::error(Code::MANIFEST_MISSING, "the bundle has no `bundle.yaml`");
    let bytes = bytes.ok_or_else(|| VerifyError::Manifest(Box::new(missing())))?;
    let manifest = Manifest::parse(bytes, limits.yaml_bytes)
        .map_err(|diagnostic| VerifyError::Manifest(Box::new(diagnostic)))?;
    let fields = [
        (
            "name",
            manifest.name.to_string(),
            predicate.bundle.to_string(),
        ),
        (
            "version",
            manifest.version.to_string(),
            predicate.version.to_string(),
        ),
        (
            "namespace",
            manifest.namespace.to_string(),
            predicate.namespace.to_string(),
        ),
    ];
    for (field, manifest, statement) in fields {
        if manifest != statement {
            return Err(VerifyError::ManifestDiffers {
                field,
                manifest,
                statement,
            });
        }
    }
    Ok(manifest)
}
