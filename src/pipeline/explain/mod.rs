//! Verification told step by step: what passed and on which facts, what failed and who can mend it, what was not reached.
//!
//! The verdict is that of [`Pipeline::verify_repository`] and its sisters; nothing here decides. Steps before the one that
//! failed have passed, since the pipeline stops at the first failure.

mod blame;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::error::PipelineError;
use super::step::{Part, Step};
use super::verify::Noted;
use super::{Confirmation, Pipeline, Transfer, Trusted, effective};
use crate::bundle::{FetchedBundle, Origin, Signer};
use crate::clock::Lifetime;
use crate::config::{BundleSource, Config, Repository, TrustSource};
use crate::diag::Code;
use crate::digest::{CommitId, Sha256Digest};
use crate::lockfile::{LOCK_FILE, Lockfile};
use crate::name::{BundleName, Scope};
use crate::source::state::State;
use crate::trust::{
    Contrast, Expectation, Fact, Held, HighWater, TrustRoot, VerifiedBundle, facts,
};

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Bundles of a configuration; where it is all of them, also what they are together.
    Configured {
        /// The configuration.
        config: &'a Config,
        /// Which of its bundles.
        bundles: &'a [BundleSource],
    },
    /// A repository that no configuration names.
    Repository {
        /// What a relative path starts from.
        base: &'a Path,
        /// Where it is.
        repository: &'a Repository,
        /// Whose signatures count.
        trust: &'a TrustSource,
    },
    /// A directory.
    Directory {
        /// Which.
        dir: &'a Path,
        /// Whose signatures count.
        trust: &'a TrustSource,
    },
}

impl Subject<'_> {
    fn trust(&self) -> &TrustSource {
        match self {
            Self::Configured { config, .. } => &config.trust,
            Self::Repository { trust, .. } | Self::Directory { trust, .. } => trust,
        }
    }

    /// Why a step is not taken for it; none where it is.
    fn leaves_out(&self, step: Step) -> Option<&'static str> {
        match (self, step) {
            (Self::Configured { config, bundles }, Step::Requires | Step::Policy) => {
                (bundles.len() < config.bundles.len()).then_some("one bundle was asked for")
            }
            (Self::Configured { .. }, _) => None,
            (_, Step::Lockfile | Step::Requires | Step::Policy) => {
                Some("no configuration names the bundle")
            }
            (Self::Directory { .. }, Step::Source | Step::Fetch) => {
                Some("the bundle is a directory")
            }
            _ => None,
        }
    }
}

/// All of it, in order.
#[derive(Debug)]
pub struct Explanation {
    /// What all bundles stand on.
    pub before: Vec<Explained>,
    /// Each bundle by itself.
    pub bundles: Vec<ExplainedBundle>,
    /// What the bundles are together.
    pub together: Vec<Explained>,
    /// The first failure, if there is one.
    pub error: Option<PipelineError>,
}

/// The steps of one bundle.
#[derive(Debug)]
pub struct ExplainedBundle {
    /// The name that the consumer or the signers gave it; none where it has no name yet.
    pub name: Option<BundleName>,
    /// Its steps, in order.
    pub steps: Vec<Explained>,
}

/// A step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The step.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It passed, on these facts.
    Passed(Box<StepFact>),
    /// It failed.
    Failed {
        /// The diagnostic code.
        code: Code,
        /// What went wrong, escaped.
        message: String,
        /// What was expected and found, and who can mend it.
        contrast: Box<Contrast>,
    },
    /// One before it failed.
    NotReached,
    /// It does not belong to what was asked.
    LeftOut(&'static str),
}

/// What a step that passed has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StepFact {
    /// Of [`Step::Root`].
    Root {
        /// The last version.
        version: u64,
        /// The fingerprint of the first one.
        fingerprint: Sha256Digest,
        /// Whether that is pinned or confirmed; else it was trusted on first use.
        confirmed: bool,
        /// When the last one expires.
        expires: Timestamp,
        /// Who signed the last one.
        signers: Vec<Signer>,
    },
    /// Of [`Step::State`].
    State {
        /// The latest time seen here.
        last_seen: Option<Timestamp>,
    },
    /// Of [`Step::Lockfile`].
    Lockfile {
        /// How many bundles it names; none where there is no file.
        bundles: Option<usize>,
    },
    /// Of [`Step::Clock`].
    Clock {
        /// The time at which all of it was looked at.
        now: Timestamp,
    },
    /// Of [`Step::Source`].
    Source {
        /// As configured or given.
        git: String,
        /// As configured or given.
        #[serde(rename = "ref")]
        reference: String,
        /// The directory within the repository; empty for its root.
        path: String,
    },
    /// Of [`Step::Fetch`].
    Fetch {
        /// The commit.
        commit: Option<CommitId>,
        /// Git objects received.
        objects: u64,
        /// Bytes received.
        bytes: u64,
    },
    /// Of [`Step::Tree`].
    Tree {
        /// Files, the envelope among them.
        files: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// Of a check.
    Bundle(Fact),
    /// Of [`Step::Requires`].
    Requires {
        /// Requirements met.
        requirements: usize,
        /// Bundles held against one another.
        bundles: usize,
    },
    /// Of [`Step::Policy`].
    Policy {
        /// The scope that it was resolved for.
        scope: Scope,
        /// The effective policy's digest.
        digest: Sha256Digest,
    },
}

/// What the pipeline saw of one bundle before it ended.
#[derive(Default)]
struct Seen {
    now: Option<Timestamp>,
    fetched: Option<(FetchedBundle, Transfer)>,
    high_water: Option<HighWater>,
}

impl Seen {
    fn note(&mut self, noted: Noted<'_>) {
        match noted {
            Noted::Clock(now) => self.now = Some(now),
            Noted::Fetched(bundle, transfer) => self.fetched = Some((bundle.clone(), transfer)),
            Noted::HighWater(mark) => self.high_water = mark,
        }
    }
}

impl Pipeline<'_> {
    /// Verifies without activating, and tells each step. A bundle that fails does not hide the next one.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>) -> Explanation {
        let root = match self.before(subject) {
            Ok(root) => root,
            Err((passed, error)) => return nothing_reached(subject, &passed, error),
        };
        let (before, root, lock) = root;
        let mut explanation = Explanation {
            before: tell(subject, Part::Before, &before, None),
            bundles: Vec::new(),
            together: Vec::new(),
            error: None,
        };
        let mut verified = Vec::new();
        for target in targets(subject) {
            let (bundle, result) = self.one(subject, target, &root, &lock);
            explanation.bundles.push(bundle);
            match result {
                Ok(bundle) => verified.push(bundle),
                Err(error) => {
                    explanation.error.get_or_insert(error);
                }
            }
        }
        explanation.together = match (subject, &explanation.error) {
            (Subject::Configured { config, bundles }, None)
                if bundles.len() == config.bundles.len() =>
            {
                let (steps, error) = self.together(subject, config, &verified);
                explanation.error = error;
                steps
            }
            (_, None) => tell(subject, Part::Together, &[], None),
            (_, Some(_)) => unreached(subject, Part::Together),
        };
        explanation
    }

    #[allow(
        clippy::type_complexity,
        reason = "what passed stands beside the error"
    )]
    fn before(
        &self,
        subject: &Subject<'_>,
    ) -> Result<(Vec<StepFact>, TrustRoot, Lockfile), (Vec<StepFact>, PipelineError)> {
        let mut passed = Vec::new();
        let state = match State::load(&self.directories.state) {
            Ok(state) => state,
            Err(error) => return Err((passed, error.into())),
        };
        passed.push(StepFact::State {
            last_seen: state
                .last_seen()
                .filter(|time| *time > Timestamp::UNIX_EPOCH),
        });
        match self.now(&state) {
            Ok(now) => passed.push(StepFact::Clock { now }),
            Err(error) => return Err((passed, error)),
        }
        let trusted = match self.newest_root(subject.trust()) {
            Ok(trusted) => trusted,
            Err(error) => return Err((passed, error)),
        };
        passed.push(root_fact(&trusted));
        let root = trusted.root;
        let Subject::Configured { config, .. } = subject else {
            return Ok((passed, root, Lockfile::default()));
        };
        match Lockfile::load(&config.base().join(LOCK_FILE)) {
            Ok(lock) => {
                passed.push(StepFact::Lockfile {
                    bundles: lock.as_ref().map(|lock| lock.bundles.len()),
                });
                Ok((passed, root, lock.unwrap_or_default()))
            }
            Err(error) => Err((passed, error.into())),
        }
    }

    /// One bundle, from its source to its manifest.
    fn one(
        &self,
        subject: &Subject<'_>,
        target: Target<'_>,
        root: &TrustRoot,
        lock: &Lockfile,
    ) -> (ExplainedBundle, Result<VerifiedBundle, PipelineError>) {
        let mut seen = Seen::default();
        let mut note = |noted: Noted<'_>| seen.note(noted);
        let result = match target {
            Target::Repository(base, repository, source) => {
                let configured = source.map(|source| (source, lock.bundles.get(&source.name)));
                self.verify_repository_noting(base, repository, configured, root, &mut note)
                    .map(|pulled| pulled.bundle)
            }
            Target::Directory(dir) => self.verify_directory_noting(dir, None, root, &mut note),
        };
        let failed = result.as_ref().err();
        let (name, max_age) = match target {
            Target::Repository(_, _, Some(source)) => (Some(&source.name), source.max_age),
            _ => (None, None),
        };
        let mut passed = Vec::new();
        if let Target::Repository(_, repository, _) = target
            && failed.is_none_or(|error| error.step() > Step::Source)
        {
            passed.push(StepFact::Source {
                git: repository.git.clone(),
                reference: repository.reference.clone(),
                path: repository.path.clone(),
            });
        }
        let mut known = name.cloned();
        if let Some((fetched, transfer)) = &seen.fetched {
            passed.extend(fetch_facts(fetched, *transfer));
            let expected = Expectation {
                name,
                reference: match target {
                    Target::Repository(_, repository, _) => Some(&repository.reference),
                    Target::Directory(_) => None,
                },
                now: seen.now.unwrap_or_else(|| self.clock.now()),
                high_water: seen.high_water,
                max_age: max_age.map(Lifetime::duration),
                held: Held::Fetched,
            };
            let check = failed.and_then(|error| match error.step() {
                Step::Bundle(check) => Some(check),
                _ => None,
            });
            for (_, fact) in facts(fetched, root, &expected, self.limits, check) {
                if let Fact::Name { bundle, .. } = &fact {
                    known.get_or_insert_with(|| bundle.clone());
                }
                passed.push(StepFact::Bundle(fact));
            }
        }
        let bundle = ExplainedBundle {
            name: known,
            steps: tell(subject, Part::Bundle, &passed, failed),
        };
        (bundle, result)
    }

    /// What the bundles are together.
    fn together(
        &self,
        subject: &Subject<'_>,
        config: &Config,
        verified: &[VerifiedBundle],
    ) -> (Vec<Explained>, Option<PipelineError>) {
        let mut passed = vec![StepFact::Requires {
            requirements: verified.iter().map(|bundle| bundle.requires().len()).sum(),
            bundles: verified.len(),
        }];
        let all: Vec<&VerifiedBundle> = verified.iter().collect();
        match effective(
            &all,
            &config.scope,
            self.clock.now(),
            config.mode,
            self.limits,
        ) {
            Ok(policy) => {
                passed.push(StepFact::Policy {
                    scope: policy.scope().clone(),
                    digest: policy.digest(),
                });
                (tell(subject, Part::Together, &passed, None), None)
            }
            Err(error) => (
                tell(subject, Part::Together, &passed, Some(&error)),
                Some(error),
            ),
        }
    }
}

/// What one bundle is read from.
#[derive(Clone, Copy)]
enum Target<'a> {
    Repository(&'a Path, &'a Repository, Option<&'a BundleSource>),
    Directory(&'a Path),
}

fn targets<'a>(subject: &Subject<'a>) -> Vec<Target<'a>> {
    match *subject {
        Subject::Configured { config, bundles } => bundles
            .iter()
            .map(|source| Target::Repository(config.base(), &source.repository, Some(source)))
            .collect(),
        Subject::Repository {
            base, repository, ..
        } => vec![Target::Repository(base, repository, None)],
        Subject::Directory { dir, .. } => vec![Target::Directory(dir)],
    }
}

fn root_fact(trusted: &Trusted) -> StepFact {
    let root = &trusted.root;
    StepFact::Root {
        confirmed: trusted.confirmation != Confirmation::FirstUse,
        version: root.version(),
        fingerprint: root.fingerprint(),
        expires: root.document().expires,
        signers: root.signers().to_vec(),
    }
}

fn fetch_facts(fetched: &FetchedBundle, transfer: Transfer) -> Vec<StepFact> {
    let (objects, received) = match transfer {
        Transfer::UpToDate => (0, 0),
        Transfer::Received { objects, bytes } => (objects, bytes),
    };
    let fetch = (!matches!(fetched.origin, Origin::Directory { .. })).then(|| StepFact::Fetch {
        commit: fetched.origin.commit().cloned(),
        objects,
        bytes: received,
    });
    let envelope = fetched.envelope.as_ref().map(|bytes| bytes.len() as u64);
    let files = fetched.files.values().map(|bytes| bytes.len() as u64);
    let tree = StepFact::Tree {
        files: fetched.files.len() + usize::from(envelope.is_some()),
        bytes: envelope.into_iter().chain(files).sum(),
    };
    fetch.into_iter().chain([tree]).collect()
}

/// The steps of a part: as many as have a fact have passed, then comes the failure, and nothing after it was reached.
fn tell(
    subject: &Subject<'_>,
    part: Part,
    passed: &[StepFact],
    failed: Option<&PipelineError>,
) -> Vec<Explained> {
    let mut facts = passed.iter();
    let mut outcome = |step: Step| {
        if let Some(why) = subject.leaves_out(step) {
            return Outcome::LeftOut(why);
        }
        match failed {
            Some(error) if step == error.step() => failure(error),
            Some(error) if step > error.step() => Outcome::NotReached,
            _ => facts.next().map_or(Outcome::NotReached, |fact| {
                Outcome::Passed(Box::new(fact.clone()))
            }),
        }
    };
    Step::of(part)
        .map(|step| Explained {
            step,
            outcome: outcome(step),
        })
        .collect()
}

fn failure(error: &PipelineError) -> Outcome {
    Outcome::Failed {
        code: error.code(),
        message: error.summary(),
        contrast: Box::new(error.contrast()),
    }
}

fn unreached(subject: &Subject<'_>, part: Part) -> Vec<Explained> {
    Step::of(part)
        .map(|step| Explained {
            step,
            outcome: subject
                .leaves_out(step)
                .map_or(Outcome::NotReached, Outcome::LeftOut),
        })
        .collect()
}

/// Nothing of any bundle was looked at.
fn nothing_reached(
    subject: &Subject<'_>,
    passed: &[StepFact],
    error: PipelineError,
) -> Explanation {
    let bundle = |target: Target<'_>| ExplainedBundle {
        name: match target {
            Target::Repository(_, _, Some(source)) => Some(source.name.clone()),
            _ => None,
        },
        steps: unreached(subject, Part::Bundle),
    };
    Explanation {
        before: tell(subject, Part::Before, passed, Some(&error)),
        bundles: targets(subject).into_iter().map(bundle).collect(),
        together: unreached(subject, Part::Together),
        error: Some(error),
    }
}
