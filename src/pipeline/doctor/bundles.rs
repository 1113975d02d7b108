//! The bundles: what is locked, whether it is here, and whether it verifies now.

use super::{Finding, Id, SOON};
use crate::clock::{Lifetime, roughly};
use crate::config::{BundleSource, Config, Repository};
use crate::lockfile::{LOCK_FILE, LockedBundle, Lockfile};
use crate::pipeline::bring::{Facts, parse_ref};
use crate::pipeline::error::PipelineError;
use crate::pipeline::pull::Purpose;
use crate::pipeline::{Directories, Locking, Network, Pipeline, effective};
use crate::source::git;
use crate::source::state::State;
use crate::trust::{Freshness, TrustRoot, VerifiedBundle, whole_second};

impl Pipeline<'_> {
    /// Every bundle of the configuration, and the policy that they make.
    pub(super) fn bundle_findings(
        &self,
        config: &Config,
        root: Option<&TrustRoot>,
        state: Option<&State>,
    ) -> Vec<Finding> {
        let path = config.base().join(LOCK_FILE);
        let subject = path.display().to_string();
        let lock = match Lockfile::load(&path) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                return vec![
                    Finding::new(
                        Id::LOCKFILE_MISSING,
                        subject,
                        "there is none: nothing was pulled yet",
                    )
                    .remedy("run `ordain bundle pull`, and commit `ordain.lock`"),
                ];
            }
            Err(error) => {
                let error = PipelineError::from(error);
                return vec![
                    Finding::new(Id::LOCKFILE_DAMAGED, subject, error.to_string())
                        .remedy(error.contrast().remedy)
                        .code(error.code()),
                ];
            }
        };
        let mut findings = Vec::new();
        let mut verified = Vec::new();
        for source in &config.bundles {
            let name = source.name.to_string();
            let Some(locked) = lock.bundles.get(&source.name) else {
                let text = format!("from {}: not pulled yet", origin(&source.repository));
                findings.push(
                    Finding::new(Id::BUNDLE_NOT_PULLED, name, text)
                        .remedy("run `ordain bundle pull`, and commit `ordain.lock`"),
                );
                continue;
            };
            if !locked.is_from(&source.repository) {
                let text = format!(
                    "configured from {}, locked from {} at {}, {}",
                    origin(&source.repository),
                    locked.git.escape_debug(),
                    locked.reference.escape_debug(),
                    locked.path.escape_debug()
                );
                findings.push(
                    Finding::new(Id::BUNDLE_ELSEWHERE, name, text)
                        .remedy("run `ordain bundle pull --update`, and commit `ordain.lock`"),
                );
                continue;
            }
            // Without a root nothing can be verified; that is told with the root.
            let Some(root) = root else { continue };
            let nothing_seen = State::default();
            match self.kept(config, source, locked, root, state.unwrap_or(&nothing_seen)) {
                Ok(bundle) => {
                    findings.extend(self.about(source, locked, &bundle));
                    verified.push(bundle);
                }
                Err(error) => findings.push(refused(source, locked, &error)),
            }
            findings.extend(state.map(|state| mark(locked, root, state, source)));
        }
        if verified.len() == config.bundles.len() {
            findings.push(self.policy(config, &verified));
        }
        findings
    }

    /// The locked bundle from the store, verified again.
    fn kept(
        &self,
        config: &Config,
        source: &BundleSource,
        locked: &LockedBundle,
        root: &TrustRoot,
        state: &State,
    ) -> Result<VerifiedBundle, PipelineError> {
        let facts = Facts {
            root,
            state,
            now: self.clock.now(),
            purpose: Purpose::Examine,
        };
        let pulled = self.bring(config, source, Some(locked), Locking::Locked, &facts)?;
        Ok(pulled.bundle)
    }

    /// A bundle that verifies: who signed it, and how long it will do so.
    fn about(
        &self,
        source: &BundleSource,
        locked: &LockedBundle,
        bundle: &VerifiedBundle,
    ) -> Vec<Finding> {
        let (name, now) = (source.name.to_string(), self.clock.now());
        let predicate = bundle.predicate();
        let signers: Vec<&str> = bundle
            .signers()
            .iter()
            .map(|s| s.principal.as_str())
            .collect();
        let commit = locked.commit.as_ref().map_or("-", |commit| commit.short());
        let age = now.duration_since(predicate.issued);
        let limit = source
            .max_age
            .map_or_else(String::new, |max_age| format!(" of at most {max_age}"));
        let grace = source
            .grace
            .map_or_else(String::new, |grace| format!(", grace {grace}"));
        let (version, payload) = (&predicate.version, bundle.payload());
        let text = format!(
            "revision {}.{} ({version}) verified now, signed by {} under trust root {}",
            locked.epoch,
            locked.revision,
            signers.join(", "),
            bundle.root_version(),
        );
        let from = format!("{}; commit {commit}, {payload}", origin(&source.repository));
        let times = format!(
            "{} old{limit}, expires {}{grace}",
            roughly(age),
            predicate.expires
        );
        let mut findings = vec![
            Finding::new(Id::BUNDLE, &name, text),
            Finding::new(Id::BUNDLE_SOURCE, &name, from),
            Finding::new(Id::BUNDLE_TIMES, &name, times),
        ];
        let renew = "ask its publisher for a new revision: `ordain bundle sign --renew`; then pull";
        let validity = bundle.validity();
        if validity.at(now) == Some(Freshness::Stale) {
            let text = format!(
                "is past its time since {}, and decides until {}",
                whole_second(validity.fresh_until()),
                whole_second(validity.serves_until())
            );
            findings.push(Finding::new(Id::BUNDLE_STALE, &name, text).remedy(renew));
            return findings;
        }
        if predicate.expires.duration_since(now) < SOON {
            let left = roughly(predicate.expires.duration_since(now));
            let text = format!("expires in {left}, at {}", predicate.expires);
            findings.push(Finding::new(Id::BUNDLE_EXPIRES_SOON, &name, text).remedy(renew));
        }
        if let Some(max_age) = source.max_age.map(Lifetime::duration)
            && age > max_age / 4 * 3
        {
            let left = roughly(max_age - age);
            let text = format!(
                "is {} old, and passes its `max_age` in {left}",
                roughly(age)
            );
            findings.push(Finding::new(Id::BUNDLE_AGES, &name, text).remedy(renew));
        }
        findings
    }

    /// What decides here.
    fn policy(&self, config: &Config, verified: &[VerifiedBundle]) -> Finding {
        let all: Vec<&VerifiedBundle> = verified.iter().collect();
        match effective(
            &all,
            &config.scope,
            self.clock.now(),
            config.mode,
            self.limits,
        ) {
            Ok(policy) => {
                let (mode, digest) = (policy.root_mode().as_str(), policy.digest());
                let text = format!("of scope {}, mode {mode}: {digest}", config.scope);
                Finding::new(Id::POLICY, "policy", text)
            }
            Err(error) => Finding::new(Id::POLICY_INVALID, "policy", error.summary())
                .remedy(error.contrast().remedy)
                .code(error.code()),
        }
    }

    /// Where the refs stand now. What is received goes to a directory that is removed.
    pub(super) fn ref_findings(&self, config: &Config) -> Vec<Finding> {
        let path = config.base().join(LOCK_FILE);
        let Ok(Some(lock)) = Lockfile::load(&path) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for source in &config.bundles {
            let Some(locked) = lock.bundles.get(&source.name) else {
                continue;
            };
            let name = source.name.to_string();
            findings.push(match self.stands_at(config, source) {
                Err(error) => Finding::new(Id::BUNDLE_UNREACHABLE, name, error.summary())
                    .remedy(error.contrast().remedy)
                    .code(error.code()),
                Ok(commit) if locked.commit.as_ref().is_some_and(|c| c.as_str() == commit) => {
                    let text = format!("{} stands where it was locked", origin(&source.repository));
                    Finding::new(Id::BUNDLE_UNMOVED, name, text)
                }
                Ok(commit) => {
                    let at = locked.commit.as_ref().map_or("-", |commit| commit.short());
                    let text = format!(
                        "{} stands at {commit}, and was locked at {at}",
                        origin(&source.repository)
                    );
                    Finding::new(Id::BUNDLE_MOVED, name, text).remedy(format!(
                        "run `ordain bundle verify {}`: it tells whether the bundle has changed",
                        source.name
                    ))
                }
            });
        }
        findings
    }

    fn stands_at(&self, config: &Config, source: &BundleSource) -> Result<String, PipelineError> {
        let label = source.name.as_str();
        let reference = parse_ref(&source.repository, label)?;
        let elsewhere = elsewhere()?;
        let directories = Directories {
            cache: elsewhere.path().to_owned(),
            state: self.directories.state.clone(),
        };
        let there = Pipeline {
            directories: &directories,
            network: Network::Allowed,
            ..*self
        };
        there
            .ask(
                config.base(),
                &source.repository,
                label,
                &reference,
                |request| git::locate(request, elsewhere.path(), self.watch, self.interrupt),
            )
            .map(|commit| commit.as_str().to_owned())
    }
}

/// Where what is received goes, until it is dropped.
pub(super) fn elsewhere() -> Result<tempfile::TempDir, PipelineError> {
    tempfile::tempdir().map_err(|source| {
        PipelineError::Store(crate::source::store::StoreError::Io {
            path: std::env::temp_dir(),
            source,
        })
    })
}

pub(super) fn origin(repository: &Repository) -> String {
    // SECURITY: a URL that is refused may hold a password.
    let git =
        match crate::source::GitUrl::parse(&repository.git, crate::source::InsecureHttp::Allow) {
            Ok(url) => url.as_str().escape_debug().to_string(),
            Err(_) => "(a URL that is refused)".to_owned(),
        };
    let reference = repository.reference.escape_debug();
    match repository.path.as_str() {
        "" => format!("{git} at {reference}"),
        path => format!("{git} at {reference}, {}", path.escape_debug()),
    }
}

/// Why a locked bundle does not count now.
fn refused(source: &BundleSource, locked: &LockedBundle, error: &PipelineError) -> Finding {
    let id = match error {
        PipelineError::Offline { .. } => Id::BUNDLE_NOT_HERE,
        PipelineError::Store(_) => Id::BUNDLE_DAMAGED,
        PipelineError::Verify { error, .. } if error.is_damage() => Id::BUNDLE_DAMAGED,
        _ => Id::BUNDLE_UNTRUSTED,
    };
    let text = match error {
        PipelineError::Offline { .. } => format!(
            "revision {}.{} is locked, and not on this machine",
            locked.epoch, locked.revision
        ),
        error => error.summary(),
    };
    let remedy = match id {
        Id::BUNDLE_NOT_HERE | Id::BUNDLE_DAMAGED => {
            "run `ordain bundle pull --locked`: it is fetched again".to_owned()
        }
        _ => error.contrast().remedy,
    };
    Finding::new(id, source.name.to_string(), text)
        .remedy(remedy)
        .code(error.code())
}

/// The marks of lockfile and machine.
fn mark(locked: &LockedBundle, root: &TrustRoot, state: &State, source: &BundleSource) -> Finding {
    let name = source.name.to_string();
    let of_lock = (locked.epoch, locked.revision);
    let told = format!("lockfile {}.{}", locked.epoch, locked.revision);
    let Some(seen) = state.mark(&root.fingerprint(), &source.name) else {
        let text = format!("{told}, and this machine has seen none");
        return Finding::new(Id::BUNDLE_UNSEEN, name, text);
    };
    let text = format!("{told}, this machine {}.{}", seen.epoch, seen.revision);
    let of_machine = (seen.epoch, seen.revision);
    if of_lock > of_machine {
        Finding::new(Id::BUNDLE_UNSEEN, name, text)
    } else if of_lock < of_machine {
        Finding::new(Id::BUNDLE_MARKS_DIFFER, name, text)
            .remedy("get the newest `ordain.lock` from its repository, or run `ordain bundle pull --update`")
            .code(crate::diag::Code::ROLLBACK)
    } else if locked.payload != seen.payload {
        Finding::new(
            Id::BUNDLE_MARKS_DIFFER,
            name,
            format!("{text}, with another payload"),
        )
        .remedy(
            "find out who signed two statements under one revision, or who edited `ordain.lock`",
        )
        .code(crate::diag::Code::EQUIVOCATION)
    } else {
        Finding::new(Id::BUNDLE_MARK, name, format!("high-water mark: {text}"))
    }
}
