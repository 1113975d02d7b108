//! The trust root.

use super::{Finding, Id, SOON};
use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::source::state::State;
use crate::trust::TrustRoot;

impl Pipeline<'_> {
    /// The root, where it is trusted, and what there is to say of it.
    pub(super) fn root_findings(
        &self,
        config: &Config,
        state: Option<&State>,
    ) -> (Option<TrustRoot>, Vec<Finding>) {
        let dir = config.trust.dir.display().to_string();
        let now = self.clock.now();
        let walked = super::super::trust_root(
            &config.trust.dir,
            config.trust.fingerprint,
            now,
            self.limits,
        );
        // A damaged state is a finding of its own, and hides nothing here.
        let walked = walked.and_then(|root| {
            match state.and_then(|state| state.root_version(&root.fingerprint())) {
                Some(seen) if root.version() < seen => Err(crate::trust::RootError::Rollback {
                    found: root.version(),
                    seen,
                }
                .into()),
                _ => Ok(root),
            }
        });
        let root = match walked {
            Ok(root) => root,
            Err(error) => {
                let finding = Finding::new(Id::ROOT_UNTRUSTED, dir, error.to_string())
                    .remedy(error.contrast().remedy)
                    .code(error.code());
                return (None, vec![finding]);
            }
        };
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
        let mut findings = vec![Finding::new(Id::ROOT, &dir, text), anchor(config, &root)];
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
}

/// Why the first root is believed: the one place that says so.
fn anchor(config: &Config, root: &TrustRoot) -> Finding {
    let text = format!("{}, in {}", root.fingerprint(), super::shown(&config.file));
    Finding::new(Id::ROOT_PINNED, "pin", text)
}
