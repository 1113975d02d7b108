use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::super::request::RequestLimits;
use super::super::{Cause, Freshness, MatchedRule, Occasion, Would};
use super::*;
use crate::bundle::{BundleIdentity, Signer};
use crate::digest::Sha256Digest;
use crate::policy::{Effect, FoundPattern, Mode, Risk};
use crate::resolve::Source;

fn request() -> Request {
    let text = br#"{"subject":{"type":"user","id":"d\u00e9 \"v\":"},"action":{"name":"a"},"resource":{"type":"t","id":"r"}}"#;
    Request::from_json(text, &RequestLimits::default()).unwrap()
}

fn decision(mode: Mode) -> Decision {
    let occasion = Occasion {
        decision_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        time: "2026-11-22T12:00:00.5Z".parse().unwrap(),
        request_fingerprint: request().fingerprint(),
        freshness: Freshness::Fresh,
        duration_ns: 7,
    };
    let scope = "acme".parse().unwrap();
    let cause = Cause::PolicyInvalid;
    Decision::fail_closed(&scope, mode, cause, "so\nit is", occasion)
}

/// A decision with everything that one may have.
fn full() -> Decision {
    let identity = |name: &str, commit: Option<&str>| BundleIdentity {
        name: name.parse().unwrap(),
        epoch: 1,
        revision: 14,
        commit: commit.map(|id| id.repeat(40).parse().unwrap()),
        payload: Sha256Digest::of(name.as_bytes()),
        signers: vec![Signer {
            principal: "alice".parse().unwrap(),
            keyid: "SHA256:x/y+\"".to_owned(),
        }],
    };
    let source = |commit: Option<&str>| Source {
        bundle: "acme".parse().unwrap(),
        commit: commit.map(|id| id.repeat(40).parse().unwrap()),
        file: "policies/\u{e9} \"x\".yaml".to_owned(),
        line: 70_000,
    };
    let rule = |text: &str| text.parse().unwrap();
    let found = |failed, source: Option<Source>| MatchedRule {
        rule: rule("acme/platform#no-restore"),
        effect: Effect::RequireApproval,
        mode: Mode::AuditOnly,
        failed,
        source: source.map(Arc::new),
    };
    Decision {
        rule: Some(rule("acme#a")),
        effect: Effect::Audit,
        outcome: Effect::Audit.into(),
        mode: Mode::Warn,
        remediation: Some("ask \u{1f}".into()),
        risk: Some(Risk::Critical),
        missing_capabilities: vec!["a\"b".to_owned(), "c".to_owned()],
        patterns: vec![FoundPattern {
            id: "p".to_owned(),
            reason: Some("\u{202e}".to_owned()),
        }],
        audited: true,
        would: Some(Would {
            effect: Effect::Deny,
            mode: Mode::Warn,
            rule: Some(rule("acme#b")),
            reason: "x".into(),
            reason_code: "X".into(),
        }),
        matched: vec![
            found(true, None),
            found(false, Some(source(None))),
            found(false, Some(source(Some("a")))),
        ]
        .into_iter()
        .collect(),
        policy_digest: Some(Sha256Digest::of(b"policy")),
        bundles: [identity("acme", None), identity("pci", Some("0"))].into(),
        stale: true,
        unsigned: true,
        duration_ns: u64::MAX,
        ..decision(Mode::Enforce)
    }
}

#[test]
fn what_is_written_is_what_is_serialised() {
    let request = request();
    // Bundles that come again, and others.
    let mut bundles = WrittenBundles::default();
    let full = full();
    for decision in [
        full.clone(),
        full,
        decision(Mode::Enforce),
        decision(Mode::Warn),
        decision(Mode::AuditOnly),
    ] {
        for request in [Some(&request), None] {
            let record = Record::new(&decision, request);
            let mut out = b"before".to_vec();
            let members = record.write(&mut out, &mut bundles).unwrap();
            let written = out.strip_prefix(b"before").unwrap();
            let wanted = serde_json::to_string(&record).unwrap();
            assert_eq!(String::from_utf8_lossy(written), wanted);
            let members = String::from_utf8(out[members].to_vec()).unwrap();
            let plain = serde_json::to_string(&decision).unwrap();
            assert_eq!(format!("{{{members}}}"), plain);
            // The log's own members: `log::Prepared` relies on it.
            let value: Value = serde_json::from_str(&wanted).unwrap();
            for name in ["v", "seq", "salt"] {
                assert_eq!(value.get(name), None);
            }
        }
    }
}

#[test]
fn every_outcome_and_effect_has_its_word() {
    let mut bundles = WrittenBundles::default();
    for effect in [
        Effect::Allow,
        Effect::Audit,
        Effect::RequireApproval,
        Effect::Deny,
    ] {
        let decision = Decision {
            effect,
            outcome: effect.into(),
            ..decision(Mode::Enforce)
        };
        let record = Record::new(&decision, None);
        let mut out = Vec::new();
        record.write(&mut out, &mut bundles).unwrap();
        assert_eq!(out, serde_json::to_vec(&record).unwrap());
    }
}
