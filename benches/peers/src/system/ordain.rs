//! This project's library: from the bytes of policy files to an engine, and from a parsed request to a whole `Decision`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use jiff::Timestamp;
use ordain::bundle::{BundlePath, Limits};
use ordain::engine::request::{Request, RequestLimits};
use ordain::engine::{Decision, Engine, Occasion};
use ordain::name::Scope;
use ordain::policy;
use ordain::resolve::{LoadedBundle, resolve};

use super::System;
use crate::model::{Answer, Effect, Workload, rule_number};
use crate::print;

pub(crate) struct Ordain {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    compiled_in: Option<Duration>,
}

pub(crate) struct Source {
    files: BTreeMap<BundlePath, Arc<[u8]>>,
    scope: Scope,
}

/// A moment for everything that takes one.
pub(super) fn now() -> Result<Timestamp> {
    Ok("2026-12-01T00:00:00Z".parse()?)
}

impl Ordain {
    /// An engine that was made of something else than rules.
    pub(super) fn made(engine: Engine, now: Timestamp) -> Self {
        Self {
            engine,
            now,
            compiled_in: None,
        }
    }
}

impl System for Ordain {
    type Source = Source;
    type Inputs = Vec<Request>;
    type Worker = ();
    type Output = Decision;

    fn print(workload: &Workload) -> Result<Source> {
        let (texts, scope) = print::ordain::policy(workload);
        let mut files = BTreeMap::new();
        for (name, text) in texts {
            files.insert(name.parse()?, text.into_bytes().into());
        }
        let scope = scope.parse()?;
        Ok(Source { files, scope })
    }

    fn load(source: &Source) -> Result<Self> {
        // A hundred thousand rules are more than the standard limit of a file lets in.
        let limits = Limits {
            policy_bytes: 64 << 20,
            ..Limits::default()
        };
        let told = |problems: Vec<ordain::diag::Diagnostic>| match problems.first() {
            Some(first) => anyhow!("{:?}: {}", first.code, first.message),
            None => anyhow!("refused"),
        };
        let bundle =
            LoadedBundle::unsigned("acme".parse()?, None, &source.files, &limits).map_err(told)?;
        let now = now()?;
        let policy = resolve(&[bundle], &source.scope, now, None).map_err(told)?;
        let started = Instant::now();
        let engine = Engine::new(policy);
        let compiled_in = Some(started.elapsed());
        Ok(Self {
            engine,
            now,
            compiled_in,
        })
    }

    fn compiled_in(&self) -> Option<Duration> {
        self.compiled_in
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Request>> {
        let limits = RequestLimits::default();
        let mut requests = Vec::with_capacity(workload.requests.len());
        for request in &workload.requests {
            let bytes = serde_json::to_vec(&print::ordain::request(request))?;
            requests.push(Request::from_json(&bytes, &limits)?);
        }
        Ok(requests)
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Vec<Request>, request: usize) -> Decision {
        decide(&self.engine, &inputs[request], self.now)
    }

    fn answer(&self, decision: Decision) -> Result<Answer> {
        let Some(rule) = decision.rule() else {
            let is_unmatched =
                decision.reason_code() == "NO_MATCH" && decision.effect == policy::Effect::Deny;
            ensure!(is_unmatched, "decided by no rule: {}", decision.reason());
            return Ok(None);
        };
        let effect = match decision.effect {
            policy::Effect::Allow => Effect::Allow,
            policy::Effect::Deny => Effect::Deny,
            other => bail!("answered {other:?}"),
        };
        let number =
            rule_number(rule.rule.as_str()).with_context(|| format!("decided by {rule}"))?;
        Ok(Some((effect, number)))
    }
}

pub(crate) fn decide(engine: &Engine, request: &Request, now: Timestamp) -> Decision {
    Decision::of(engine, request, Occasion::rehearsal(request, now))
}
