//! The trust root.

use super::{Finding, Id, SOON};
use crate::config::Config;
use crate::pipeline::walk::{Keeping, Reach};
use crate::pipeline::{Confirmation, Pipeline, Trusted};
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
        // A damaged state is a finding of its own, and hides nothing here.
        let state = state.unwrap_or(&nothing_seen);
        let walked = self.walk(&config.trust, state, now, 0, Reach::Here, Keeping::Look);
        let trusted = match walked {
            Ok(trusted) => trusted,
            Err(error) => {
                let finding = Finding::new(Id::ROOT_UNTRUSTED, dir, error.to_string())
                    .remedy(error.contrast().remedy)
                    .code(error.code());
                return (None, vec![finding]);
            }
        };
        let root = trusted.root.clone();
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
