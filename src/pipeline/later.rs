//! Bundles of which only the statements were verified, for whoever wants their files after all.

use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use super::bring::Facts;
use super::error::PipelineError;
use super::pull::{PulledBundle, Purpose};
use super::{Directories, Locking, Network, Pipeline};
use crate::bundle::Limits;
use crate::clock::Clock;
use crate::config::Config;
use crate::lockfile::LockedBundle;
use crate::source::InsecureHttp;
use crate::source::git::{Credentials, Progress};
use crate::source::state::State;
use crate::trust::TrustRoot;

/// What it takes to bring the very bundles whose statements were verified, and to verify every file of them, as if it were done
/// then: by the same lockfile, trust root, marks and time. A pull that has ended meanwhile changes nothing of it.
#[derive(Debug)]
pub(super) struct Later {
    directories: Directories,
    limits: Limits,
    clock: Clock,
    network: Network,
    insecure_http: InsecureHttp,
    credentials: Option<Credentials>,
    ssh: Option<String>,
    config: Config,
    locked: Vec<LockedBundle>,
    root: TrustRoot,
    state: State,
    now: Timestamp,
}

impl Later {
    /// The bundles of `config`, which are `locked`, as `pipeline` brings them.
    pub(super) fn new(
        pipeline: &Pipeline<'_>,
        config: &Config,
        (locked, root): (Vec<LockedBundle>, TrustRoot),
        (state, now): (State, Timestamp),
    ) -> Self {
        Self {
            directories: pipeline.directories.clone(),
            limits: pipeline.limits.clone(),
            clock: pipeline.clock,
            network: pipeline.network,
            insecure_http: pipeline.insecure_http,
            credentials: pipeline.credentials.cloned(),
            ssh: pipeline.ssh.map(str::to_owned),
            config: config.clone(),
            locked,
            root,
            state,
            now,
        }
    }

    /// The bundles, from the store; where that is damaged, and it is allowed, from where they came.
    pub(super) fn bundles(&self) -> Result<Vec<PulledBundle>, PipelineError> {
        let interrupt = AtomicBool::new(false);
        let pipeline = Pipeline {
            directories: &self.directories,
            limits: &self.limits,
            clock: self.clock,
            network: self.network,
            insecure_http: self.insecure_http,
            credentials: self.credentials.as_ref(),
            ssh: self.ssh.as_deref(),
            watch: &|_: &Progress| {},
            first_use: &|_| {},
            interrupt: &interrupt,
        };
        let here = Pipeline {
            network: Network::Forbidden,
            ..pipeline
        };
        let found = self.bring(&here);
        if found.is_ok() || self.network == Network::Forbidden {
            return found;
        }
        let _guard = pipeline.lock()?;
        let bundles = self.bring(&pipeline)?;
        pipeline.keep(&bundles)?;
        Ok(bundles)
    }

    fn bring(&self, pipeline: &Pipeline<'_>) -> Result<Vec<PulledBundle>, PipelineError> {
        let facts = Facts {
            root: &self.root,
            state: &self.state,
            now: self.now,
            purpose: Purpose::Decide,
        };
        let bundles = self.config.bundles.iter().zip(&self.locked);
        bundles
            .map(|(source, locked)| {
                pipeline.bring(&self.config, source, Some(locked), Locking::Locked, &facts)
            })
            .collect()
    }
}
