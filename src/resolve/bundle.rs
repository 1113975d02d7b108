//! A bundle whose policies were read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::bundle::{BundleIdentity, BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location};
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Namespace};
use crate::policy::{self, Layer};
use crate::trust::{Validity, VerifiedBundle};

/// A bundle's identity and layers.
///
/// INVARIANT: only a verified bundle becomes one, or a directory of the author's own through [`Self::unsigned`].
#[derive(Debug, Clone)]
pub struct LoadedBundle {
    identity: BundleIdentity,
    layers: Vec<Layer>,
    unsigned: bool,
    validity: Validity,
    directory: Option<PathBuf>,
}

impl LoadedBundle {
    /// Reads the policies of a verified bundle, from the bytes that were verified.
    ///
    /// ```
    /// fn load(bundle: &ordain::trust::VerifiedBundle, limits: &ordain::bundle::Limits) {
    ///     let _ = ordain::resolve::LoadedBundle::verified(bundle, limits);
    /// }
    /// ```
    ///
    /// Nothing weaker will do:
    ///
    /// ```compile_fail,E0308
    /// fn load(bundle: &ordain::bundle::FetchedBundle, limits: &ordain::bundle::Limits) {
    ///     let _ = ordain::resolve::LoadedBundle::verified(bundle, limits);
    /// }
    /// ```
    ///
    /// # Errors
    /// Every problem of its policies, among them scopes outside its namespace.
    pub fn verified(bundle: &VerifiedBundle, limits: &Limits) -> Result<Self, Vec<Diagnostic>> {
        let layers = policy::validate(bundle.files(), Some(&bundle.predicate().namespace), limits)?;
        let problems: Vec<Diagnostic> = layers
            .iter()
            .filter_map(|layer| refuse_delegated(layer, bundle))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            identity: bundle.identity(),
            layers,
            unsigned: false,
            validity: bundle.validity(),
            directory: None,
        })
    }

    /// Reads a directory that nobody signed, for authors who try out what they write. Whatever is decided with it says so.
    /// Its payload digest is that of the canonical JSON object from file names to digests.
    ///
    /// # Errors
    /// Every problem of its policies.
    pub fn unsigned(
        name: BundleName,
        namespace: Option<&Namespace>,
        files: &BTreeMap<BundlePath, Arc<[u8]>>,
        limits: &Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        let layers = policy::validate(files, namespace, limits)?;
        let digests = files.iter().map(|(name, bytes)| {
            let digest = Sha256Digest::of(bytes).to_string();
            (name.to_string(), Value::String(digest))
        });
        // An object of texts holds no number, so its canonical form is its plain one with sorted keys.
        let listing = crate::json::canonical(&Value::Object(digests.collect()));
        let identity = BundleIdentity {
            name,
            epoch: 0,
            revision: 0,
            commit: None,
            payload: Sha256Digest::of(&listing.unwrap_or_default()),
            signers: Vec::new(),
        };
        Ok(Self {
            identity,
            layers,
            unsigned: true,
            validity: Validity::UNLIMITED,
            directory: None,
        })
    }

    /// The same bundle, whose problems are told with whole paths, since it is not the one that is being written.
    #[must_use]
    pub fn told_from(mut self, directory: PathBuf) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Where a problem at `location` of this bundle is.
    pub(super) fn place(&self, location: &Location) -> Location {
        let location = location.clone();
        match &self.directory {
            Some(directory) => location.below(directory),
            None => location,
        }
    }

    /// Which bundle it is.
    #[must_use]
    pub fn identity(&self) -> &BundleIdentity {
        &self.identity
    }

    /// What its scopes say.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Until when it decides.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether nobody signed it.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.unsigned
    }
}

/// A scope that the trust root gave to other signers is theirs alone.
fn refuse_delegated(layer: &Layer, bundle: &VerifiedBundle) -> Option<Diagnostic> {
    let scope = &layer.scope;
    let (_, owner) = bundle
        .delegated()
        .iter()
        .filter(|(namespace, _)| namespace.contains(scope))
        .max_by_key(|(namespace, _)| namespace.top().as_str().len())?;
    let message = format!(
        "bundle `{}` defines the scope `{scope}`, for which only role `{owner}` speaks",
        bundle.predicate().bundle
    );
    Some(
        Diagnostic::error(Code::RESOLVE_DELEGATED, message)
            .at(layer.location.clone())
            .hint("define the scope in a bundle that its own publisher signs"),
    )
}
