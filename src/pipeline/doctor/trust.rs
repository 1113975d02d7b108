//! The trust root.

use std::path::Path;

use super::{Finding, Id, SOON};
use crate::config::Config;
use crate::pipeline::error::PipelineError;
use crate::pipeline::walk::{Keeping, Reach};
use crate::pipeline::{Confirmation, Directories, Pipeline, Trusted};
use crate::source::roots::{KeptRoots, file_name};
use crate::source::state::State;
use crate::trust::TrustRoot;

impl Pipeline<'_> {
    /// The root, where it is trusted, and what there is to say of it.
    pub(super) fn root_findings(
        &self,
        config: &Config,
        state: Option<&State>,
    ) -> (Option<TrustRoot>, Vec<Finding>) {
        let dir = match (&config.trust.dir, &config.trust.repository) {
            (Some(dir), _) => dir.display().to_string(),
            (None, Some(repository)) => super::bundles::origin(repository),
            (None, None) => "trust".to_owned(),
        };
        let now = self.clock.now();
        let nothing_seen = State::default();
        let is_usable = state.is_some();
        // A damaged state is a finding of its own, and hides nothing here.
        let state = state.unwrap_or(&nothing_seen);
        let walked = self.walk(&config.trust, state, now, 0, Reach::Here, Keeping::Look);
        let trusted = match walked {
            Ok(trusted) => trusted,
            // One cause is one problem.
            Err(PipelineError::State(_)) if !is_usable => return (None, Vec::new()),
            Err(error) => {
                let finding = Finding::new(Id::ROOT_UNTRUSTED, dir, error.to_string())
                    .remedy(error.contrast().remedy)
                    .code(error.code());
                return (None, vec![finding]);
            }
        };
        let root = trusted.root.clone();
        let dir = self.place_of(config, &root);
        let names: Vec<&str> = root
            .signers()
            .iter()
            .map(|s| s.principal.as_str())
            .collect();
        let expires = root.document().expires;
        let text = format!(
            "version {}, signed by {}, expires {expires}",
            root.version(),
            names.join(", ")
        );
        let mut findings = vec![Finding::new(Id::ROOT, &dir, text), anchor(config, &trusted)];
        if expires.duration_since(now) < SOON {
            let days = expires.duration_since(now).as_hours() / 24;
            findings.push(
                Finding::new(
                    Id::ROOT_EXPIRES_SOON,
                    &dir,
                    format!(
                        "version {} expires in {days} days, at {expires}",
                        root.version()
                    ),
                )
                .remedy("ask its holders to sign and hand out the next trust root"),
            );
        }
        let revoked = &root.document().revoked;
        let (keys, payloads, ranges) = (
            revoked.keys.len(),
            revoked.payloads.len(),
            revoked.revisions.len(),
        );
        if keys + payloads + ranges > 0 {
            let text = format!("{keys} keys, {payloads} payloads, {ranges} ranges of revisions");
            findings.push(Finding::new(Id::ROOT_REVOKES, &dir, text));
        }
        (Some(root), findings)
    }

    /// The directory that holds the root in force: the configured one, else that of the roots kept from earlier walks.
    fn place_of(&self, config: &Config, root: &TrustRoot) -> String {
        let kept = KeptRoots::new(&self.directories.state, &root.fingerprint());
        let holds = |dir: &&Path| dir.join(file_name(root.version())).is_file();
        let configured = config.trust.dir.as_deref().filter(holds);
        let dir = configured.unwrap_or_else(|| kept.directory());
        dir.display().to_string()
    }

    /// What the trust root's repository holds beyond the one in force. What is received goes to a directory that is removed.
    pub(super) fn next_root(
        &self,
        config: &Config,
        root: Option<&TrustRoot>,
        state: Option<&State>,
    ) -> Option<Finding> {
        let repository = config.trust.repository.as_ref()?;
        let place = super::bundles::origin(repository);
        let nothing_seen = State::default();
        let state = state.unwrap_or(&nothing_seen);
        let in_force = root.map(TrustRoot::version);
        Some(match self.newest_of(config, state) {
            Ok(trusted) if in_force == Some(trusted.root.version()) => {
                let text = format!("holds none newer than version {}", trusted.root.version());
                Finding::new(Id::ROOT_NEWEST, place, text)
            }
            Ok(trusted) => {
                let here = in_force.map_or_else(|| "none".to_owned(), |v| format!("version {v}"));
                let text = format!(
                    "holds version {}; {here} is in force here",
                    trusted.root.version()
                );
                Finding::new(Id::ROOT_NEWER, place, text).remedy(
                    "run `ordain bundle pull --update`: what it revokes is revoked from then on",
                )
            }
            Err(error @ (PipelineError::Root(_) | PipelineError::RootFile { .. })) => {
                Finding::new(Id::ROOT_NEXT_REFUSED, place, error.to_string())
                    .remedy(error.contrast().remedy)
                    .code(error.code())
            }
            // Told already.
            Err(PipelineError::State(_) | PipelineError::FingerprintNeeded) => return None,
            Err(error) => Finding::new(Id::ROOT_UNREACHABLE, place, error.summary())
                .remedy(error.contrast().remedy)
                .code(error.code()),
        })
    }

    fn newest_of(&self, config: &Config, state: &State) -> Result<Trusted, PipelineError> {
        let elsewhere = super::bundles::elsewhere()?;
        let directories = Directories {
            cache: elsewhere.path().to_owned(),
            state: self.directories.state.clone(),
        };
        let there = Pipeline {
            directories: &directories,
            ..*self
        };
        let (now, reach) = (self.clock.now(), Reach::Newest);
        there.walk(&config.trust, state, now, 0, reach, Keeping::Look)
    }
}

/// Why the first root is believed: the one place that says so.
fn anchor(config: &Config, trusted: &Trusted) -> Finding {
    let fingerprint = trusted.root.fingerprint();
    match trusted.confirmation {
        Confirmation::Pinned => {
            let text = format!("{fingerprint}, in {}", super::shown(&config.file));
            Finding::new(Id::ROOT_PINNED, "pin", text)
        }
        Confirmation::Confirmed => {
            let text = format!("{fingerprint}, confirmed on this machine");
            Finding::new(Id::ROOT_CONFIRMED, "pin", text)
        }
        Confirmation::FirstUse => {
            let text =
                format!("{fingerprint} was trusted on first use, and nobody has confirmed it");
            Finding::new(Id::ROOT_UNCONFIRMED, "pin", text)
                .remedy("ask its owners by another way, and run `ordain trust confirm sha256:…` with what they say")
        }
    }
}
