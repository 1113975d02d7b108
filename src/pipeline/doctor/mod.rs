//! What is live on this machine, and why: every part is looked at, whatever is wrong with the others.
//!
//! INVARIANT: nothing on the disk is changed, and no connection is opened unless [`Online::Ask`] is given. What is missing or
//! broken is a finding, never an end.

mod bundles;
mod finding;
mod log;
mod machine;
mod surroundings;
mod trust;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::{Network, Pipeline};
use crate::config::Config;
use crate::diag::{Code, Diagnostic, Kind};
use crate::source::state::State;

pub use finding::{Area, Finding, Id, Level};

/// How long before its expiry something is told of.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whether the repositories of trust root and bundles are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Online {
    /// No connection is opened.
    Never,
    /// Each repository is asked where its ref stands, and that of the trust root for newer ones.
    Ask,
}

/// The configuration as it was found.
#[derive(Debug)]
pub enum FoundConfig {
    /// It is there and valid.
    Valid {
        /// What it says.
        config: Box<Config>,
        /// How it was found, in words.
        how: &'static str,
    },
    /// It is there, and cannot be read or is not valid.
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: Box<Diagnostic>,
    },
    /// There is none.
    Missing {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; none for a secret.
    pub shown: Option<String>,
    /// What it changes; none for one that the program does not know.
    pub changes: Option<&'static str>,
}

/// What the program was started with.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The configuration.
    pub config: &'a FoundConfig,
    /// Variables that change what the program does.
    pub variables: &'a [Variable],
    /// What of the environment cannot be used.
    pub unusable: &'a [(Code, String)],
    /// Whether this is a CI job.
    pub is_ci: bool,
    /// Where programs are looked for.
    pub search_path: Option<&'a OsString>,
    /// Private keys to look at besides those that this machine keeps.
    pub keys: &'a [PathBuf],
    /// Whether repositories are asked.
    pub online: Online,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every finding, area by area.
    pub findings: Vec<Finding>,
}

/// What the findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No problem; perhaps warnings.
    Sound,
    /// Something is wrong.
    Problems,
    /// The policy that should decide here is not trusted.
    Untrusted,
}

impl Report {
    /// What the findings come to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdict = |finding: &Finding| match finding {
            Finding { level, .. } if *level < Level::Problem => Verdict::Sound,
            // What a pull would refuse is not in force.
            Finding { id, .. } if *id == Id::ROOT_NEXT_REFUSED => Verdict::Problems,
            // A log that was tampered with says nothing about the policy.
            Finding {
                code: Some(code),
                area,
                ..
            } if code.kind == Kind::Untrusted && *area != Area::Log => Verdict::Untrusted,
            _ => Verdict::Problems,
        };
        let verdicts = self.findings.iter().map(verdict);
        verdicts.max().unwrap_or(Verdict::Sound)
    }

    /// How many findings have this level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        let of_level = self.findings.iter().filter(|f| f.level == level);
        of_level.count()
    }
}

impl Pipeline<'_> {
    /// Looks at everything.
    #[must_use]
    pub fn examine(&self, surroundings: &Surroundings<'_>) -> Report {
        let here = Pipeline {
            network: Network::Forbidden,
            ..*self
        };
        let mut findings = surroundings::findings(surroundings);
        let (state, told) = machine::state(&here.directories.state);
        findings.extend(told);
        findings.extend(machine::cache(&here.directories.cache));
        findings.extend(machine::keys(&here.directories.state, surroundings.keys));
        findings.extend(here.clock_findings(state.as_ref()));
        if let FoundConfig::Valid { config, .. } = surroundings.config {
            let (root, told) = here.root_findings(config, state.as_ref());
            findings.extend(told);
            findings.extend(here.bundle_findings(config, root.as_ref(), state.as_ref()));
            if surroundings.online == Online::Ask {
                let next = self.next_root(config, root.as_ref(), state.as_ref());
                // What is wrong with the roots here is told already.
                let is_told = |next: &Finding| findings.iter().any(|told| told.text == next.text);
                findings.extend(next.filter(|next| !is_told(next)));
                findings.extend(self.ref_findings(config));
            }
            findings.extend(log::findings(config, &here.directories.state));
        }
        findings.sort_by_key(|finding| finding.area);
        Report { findings }
    }

    /// The time, and the latest one seen.
    fn clock_findings(&self, state: Option<&State>) -> Vec<Finding> {
        let now = self.clock.now();
        let mut findings = Vec::new();
        if self.clock != crate::clock::Clock::System {
            let text = format!("the time is fixed at {now}");
            findings.push(
                Finding::new(Id::CLOCK_FIXED, "ORDAIN_NOW", text)
                    .remedy("unset `ORDAIN_NOW`, unless this is a test"),
            );
        }
        let seen = match state {
            None => "what was seen before is not known".to_owned(),
            Some(state) => {
                if let Err(error) = self.now(state) {
                    findings.push(
                        Finding::new(Id::CLOCK_WENT_BACK, "clock", error.to_string())
                            .code(error.code()),
                    );
                    return findings;
                }
                let seen = state.last_seen();
                // A fixed clock writes no time.
                match seen.filter(|time| *time > Timestamp::UNIX_EPOCH) {
                    None => "no time was seen here before".to_owned(),
                    Some(seen) => format!("last seen {seen:.0}"),
                }
            }
        };
        findings.push(Finding::new(
            Id::CLOCK,
            "clock",
            format!("{now:.0}; {seen}"),
        ));
        findings
    }
}

/// A path for people; the command escapes subjects, texts hold it escaped.
fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
