//! Bundles for a machine without a network: one file out, and in again.
//!
//! An export is what is active here, verified once more, with the trust roots that it was verified against. An import is a
//! pull whose fetch is reading the file: the consumer's own pin, marks and lockfile decide, in the same steps and by the same
//! functions, and nothing that the file says of itself is believed.
//!
//! 1. The file is read, whole and within the limits.
//! 2. The roots are walked: those that are here, then the newer ones that the file brings.
//! 3. Each bundle of the configuration is verified: from the file, or, where that lacks it, the one that is active here.
//! 4. From here on as in a pull: what they require, the policy, the store, the lockfile, the marks.
//!
//! SECURITY: the commit that the file names is nobody's word but the courier's. It is shown, and neither the lockfile nor the
//! store takes it over: a store that believed it would let a later pull take old bytes for what the ref stands at.

use std::path::Path;

use crate::bundle::{FetchedBundle, Origin};
use crate::config::{BundleSource, Config};
use crate::lockfile::{LockedBundle, Lockfile};
use crate::name::BundleName;
use crate::source::git::{Movement, Transfer as Moved};
use crate::source::roots::KeptRoots;
use crate::source::state::State;
use crate::source::store::Store;
use crate::source::transfer::{Carried, Transfer};
use crate::trust::{RootChain, RootError, TrustRoot, VerifiedBundle, root_drafts};

use super::bring::{Facts, expectation};
use super::error::PipelineError;
use super::pull::{Purpose, activate, lock_path};
use super::roots::root_files;
use super::walk::Fetched;
use super::{Locking, Network, Pipeline, Pulled, PulledBundle, effective};

pub use crate::source::transfer::{Provenance, TransferError};

/// What an export holds.
#[derive(Debug)]
pub struct Exported {
    /// The trust root that everything was verified against; all before it are in the file too.
    pub root: TrustRoot,
    /// The bundles.
    pub bundles: Vec<VerifiedBundle>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// As after a pull.
    pub pulled: Pulled,
    /// Where the file says that its bundles came from: for people, unverified.
    pub said: Vec<(BundleName, Provenance)>,
    /// Bundles of the file that the configuration does not name. They were not looked at.
    pub ignored: Vec<BundleName>,
}

impl Pipeline<'_> {
    /// Writes what is active, or those of it that `names` lists, and every trust root to one file. The same bundles and
    /// roots make the same bytes.
    ///
    /// # Errors
    /// [`PipelineError`]; the file stands as it did.
    pub fn export(
        &self,
        config: &Config,
        names: &[BundleName],
        output: &Path,
    ) -> Result<Exported, PipelineError> {
        let gathered = self.gather(
            config,
            Locking::Locked,
            Purpose::Activate,
            &|verified, now| self.effective_of(config, verified, now),
        )?;
        let roots = self.known_roots(config, &gathered.pulled.root)?;
        let wanted = |name: &BundleName| names.is_empty() || names.contains(name);
        let mut carried = Vec::new();
        let mut bundles = Vec::new();
        for (source, pulled) in config.bundles.iter().zip(gathered.pulled.bundles) {
            if !wanted(&source.name) {
                continue;
            }
            let locked = gathered.lock.bundles.get(&source.name);
            carried.push(carry(source, locked, &pulled.bundle));
            bundles.push(pulled.bundle);
        }
        let transfer = Transfer {
            roots,
            bundles: carried,
            skipped: Vec::new(),
        };
        Ok(Exported {
            bytes: transfer.store(output)?,
            root: gathered.pulled.root,
            bundles,
        })
    }

    /// The bytes of every root up to the one in force: of the trust directory, then of earlier walks.
    fn known_roots(
        &self,
        config: &Config,
        last: &TrustRoot,
    ) -> Result<Vec<Vec<u8>>, PipelineError> {
        let limits = self.limits;
        let fingerprint = last.fingerprint();
        let kept = KeptRoots::new(&self.directories.state, &fingerprint);
        let mut files = match &config.trust.dir {
            Some(dir) => root_files(dir, limits)?,
            None => Vec::new(),
        };
        for version in (files.len() as u64 + 1)..=last.version() {
            files.push(kept.load(version, limits)?.ok_or(RootError::Missing)?);
        }
        // What is exported is what was walked, were a file changed meanwhile.
        let (first, later) = files.split_first().ok_or(RootError::Missing)?;
        let mut chain = RootChain::begin(first, Some(fingerprint), limits)?;
        for bytes in later {
            chain.step(bytes, limits)?;
        }
        Ok(files)
    }

    /// Verifies and activates what a file holds, all of it or nothing. No connection is opened.
    ///
    /// # Errors
    /// [`PipelineError`]; what was active stays so. A newer trust root that was verified is in force all the same, as after a
    /// pull: revocation does not wait.
    pub fn import(
        &self,
        config: &Config,
        file: &Path,
        locking: Locking,
    ) -> Result<Imported, PipelineError> {
        let transfer = Transfer::load(file, self.limits, |name| {
            config.bundles.iter().any(|source| source.name == *name)
        })?;
        let here = Pipeline {
            network: Network::Forbidden,
            ..*self
        };
        let _guard = here.lock()?;
        let state = State::load(&here.directories.state)?;
        let now = here.now(&state)?;
        let lock = Lockfile::load(&lock_path(config))?.unwrap_or_default();
        // A root of another version than its place is no second root of that version.
        root_drafts(&transfer.roots, self.limits)?;
        let brought: Fetched = (1..)
            .zip(transfer.roots)
            .map(|(version, bytes)| (version, bytes.into()))
            .collect();
        let seen = lock.bundles.values().map(|locked| locked.root_version);
        let seen = seen.max().unwrap_or(0);
        let trusted = here.walk_brought(&config.trust, &state, now, seen, &brought)?;
        let root = trusted.root;
        let facts = Facts {
            root: &root,
            state: &state,
            now,
            purpose: Purpose::Activate,
        };

        let mut carried = transfer.bundles;
        let mut said = Vec::new();
        let mut fresh = Vec::new();
        let mut bundles = Vec::with_capacity(config.bundles.len());
        for source in &config.bundles {
            let locked = lock.bundles.get(&source.name);
            let place = carried.iter().position(|c| c.name == source.name);
            let pulled = match place.map(|place| carried.remove(place)) {
                Some(Carried {
                    name,
                    provenance,
                    bundle,
                }) => {
                    said.push((name.clone(), provenance));
                    fresh.push(name);
                    let bundle = without_commit(bundle);
                    let expected = expectation(source, locked, None, &facts);
                    let bundle = here.verified(bundle, source.name.as_str(), &root, &expected)?;
                    if locking == Locking::Locked {
                        check_locked(source, locked, &bundle)?;
                    }
                    PulledBundle {
                        bundle,
                        transfer: Moved::UpToDate,
                        movement: Movement::Unmoved,
                        before: locked.cloned(),
                    }
                }
                None if locked.is_none() => {
                    return Err(PipelineError::NotCarried {
                        bundle: source.name.clone(),
                    });
                }
                None => here.bring(config, source, locked, Locking::Locked, &facts)?,
            };
            bundles.push(pulled);
        }
        let verified: Vec<&VerifiedBundle> = bundles.iter().map(|pulled| &pulled.bundle).collect();
        let policy = effective(&verified, &config.scope, now, config.mode, self.limits)?;
        let store = Store::new(&here.directories.cache);
        for bundle in verified
            .iter()
            .filter(|b| fresh.contains(&b.predicate().bundle))
        {
            store.insert(&bundle.payload(), bundle.fetched())?;
        }
        activate(config, locking, &lock, &bundles, || {
            here.raise_marks(&verified, &root, &state, now)
        })?;
        Ok(Imported {
            pulled: Pulled {
                bundles,
                policy,
                root,
                advanced_from: trusted.advanced_from,
                confirmation: trusted.confirmation,
            },
            said,
            ignored: transfer.skipped,
        })
    }
}

fn carry(source: &BundleSource, locked: Option<&LockedBundle>, bundle: &VerifiedBundle) -> Carried {
    let of_lock = locked.and_then(|locked| locked.commit.clone());
    Carried {
        name: source.name.clone(),
        provenance: Provenance {
            git: source.repository.git.clone(),
            reference: source.repository.reference.clone(),
            path: source.repository.path.clone(),
            commit: of_lock.or_else(|| bundle.origin().commit().cloned()),
        },
        bundle: without_commit(bundle.fetched().clone()),
    }
}

fn without_commit(bundle: FetchedBundle) -> FetchedBundle {
    FetchedBundle {
        origin: Origin::Store { commit: None },
        ..bundle
    }
}

/// What `--locked` asks of a bundle, wherever it comes from.
fn check_locked(
    source: &BundleSource,
    locked: Option<&LockedBundle>,
    bundle: &VerifiedBundle,
) -> Result<(), PipelineError> {
    let name = || source.name.clone();
    let Some(locked) = locked else {
        return Err(PipelineError::NotLocked { bundle: name() });
    };
    if !locked.is_from(&source.repository) {
        return Err(PipelineError::LockedElsewhere { bundle: name() });
    }
    if locked.payload != bundle.payload() {
        return Err(PipelineError::LockChanged {
            bundle: name(),
            locked: locked.payload,
            found: bundle.payload(),
        });
    }
    Ok(())
}
