//! This project's library with a policy that it compiled before: from its bytes, every one of them verified, to an engine.

use std::io::Cursor;

use anyhow::{Context as _, Result, ensure};
use ordain::digest::Sha256Digest;
use ordain::engine::request::Request;
use ordain::engine::{Compiled, Decision};
use ordain::resolve::EffectiveLayer;
use ordain::trust::VerifiedBundle;

use super::System;
use super::ordain::Ordain;
use crate::model::{Answer, Workload};

/// Signs and verifies a bundle in memory.
#[allow(clippy::unwrap_used, reason = "what is signed here verifies")]
#[path = "../../../../fuzz/entry/signed.rs"]
mod signed;

/// Rules are made when they are first asked for, or `MADE` all at once.
pub(crate) struct Kept<const MADE: bool>(Ordain);

pub(crate) struct Source {
    bytes: Vec<u8>,
    digest: Sha256Digest,
    bundle: VerifiedBundle,
}

impl<const MADE: bool> System for Kept<MADE> {
    type Source = Source;
    type Inputs = Vec<Request>;
    type Worker = ();
    type Output = Decision;

    fn print(workload: &Workload) -> Result<Source> {
        let Ordain { engine, now, .. } = Ordain::load(&Ordain::print(workload)?)?;
        let (bytes, digest) = engine.to_bytes(now).context("the policy cannot be kept")?;
        Ok(Source {
            bytes,
            digest,
            bundle: signed::verified(&[]),
        })
    }

    fn load(source: &Source) -> Result<Self> {
        let bytes = Cursor::new(source.bytes.as_slice());
        let kept = Compiled::open(bytes, source.digest);
        let mut kept = kept.context("another digest")?;
        let now = super::ordain::now()?;
        ensure!(kept.holds(now), "another time");
        let engine = kept
            .whole(&[&source.bundle])
            .context("not as it was kept")?;
        if MADE {
            let rules = |layer: &EffectiveLayer| layer.rules.iter().count() == layer.rules.len();
            ensure!(
                engine.policy().layers().iter().all(rules),
                "a rule cannot be made"
            );
        }
        Ok(Self(Ordain::made(engine, now)))
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Request>> {
        self.0.inputs(workload)
    }

    fn worker(&self) -> Result<()> {
        self.0.worker()
    }

    fn decide(&self, worker: &mut (), inputs: &Vec<Request>, request: usize) -> Decision {
        self.0.decide(worker, inputs, request)
    }

    fn answer(&self, decision: Decision) -> Result<Answer> {
        self.0.answer(decision)
    }
}
