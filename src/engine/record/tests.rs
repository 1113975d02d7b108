use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::super::decision::Told;
use super::super::request::RequestLimits;
use super::super::{Cause, Freshness, MatchedRule, Occasion, Would};
use super::*;
use crate::bundle::{BundleIdentity, Signer};
use crate::digest::Sha256Digest;
use crate::name::{RuleRef, Scope};
use crate::policy::{Effect, FoundPattern, Mode, Risk};
use crate::resolve::{Source, SourceFile};

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

fn identities() -> [BundleIdentity; 2] {
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
    [identity("acme", None), identity("pci", Some("0"))]
}

#[test]
fn what_is_written_is_what_is_serialised() {
    let request = request();
    let mut bundles = WrittenBundles::default();
    for mode in [Mode::Enforce, Mode::Warn, Mode::AuditOnly] {
        let decision = decision(mode);
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
fn everything_that_a_decision_may_have_is_written() {
    let scope: Scope = "acme/platform".parse().unwrap();
    let rule: RuleRef = "acme/platform#no-restore".parse().unwrap();
    let source = |commit: Option<&str>| Source {
        file: Arc::new(SourceFile {
            bundle: "acme".parse().unwrap(),
            commit: commit.map(|id| id.repeat(40).parse().unwrap()),
            name: "policies/\u{e9} \"x\".yaml".into(),
        }),
        line: 70_000,
    };
    let sources = [source(None), source(Some("a"))];
    let found = |failed, source| MatchedRule {
        rule: &rule,
        effect: Effect::RequireApproval,
        mode: Mode::AuditOnly,
        failed,
        source,
    };
    let (missing, bundles) = (["a\"b".to_owned(), "c".to_owned()], identities());
    let patterns = [FoundPattern {
        id: "p".to_owned(),
        reason: Some("\u{202e}".to_owned()),
    }];
    let would = Would {
        effect: Effect::Deny,
        mode: Mode::Warn,
        rule: Some(&rule),
        reason: "x".into(),
        reason_code: "X",
    };
    let plain = decision(Mode::Enforce);
    for effect in [
        Effect::Allow,
        Effect::Audit,
        Effect::RequireApproval,
        Effect::Deny,
    ] {
        let told = Told {
            scope: &scope,
            effect,
            outcome: effect.into(),
            mode: Mode::Warn,
            rule: Some(&rule),
            remediation: Some("ask \u{1f}"),
            risk: Some(Risk::Critical),
            missing_capabilities: &missing,
            patterns: &patterns,
            audited: true,
            would: Some(would.clone()),
            matched: vec![
                found(true, None),
                found(false, Some(&sources[0])),
                found(false, Some(&sources[1])),
            ],
            policy_digest: Some(Sha256Digest::of(b"policy")),
            bundles: &bundles,
            stale: true,
            unsigned: true,
            duration_ns: u64::MAX,
            ..plain.told()
        };
        let mut out = Vec::new();
        let written = serde_json::to_vec(&bundles).unwrap();
        write::members(&mut out, &told, &written).unwrap();
        let members = String::from_utf8(out).unwrap();
        let members = members.strip_prefix(',').unwrap();
        assert_eq!(
            format!("{{{members}}}"),
            serde_json::to_string(&told).unwrap()
        );
    }
}

#[test]
fn bundles_that_come_again_are_written_as_before() {
    let [acme, pci] = identities();
    let one: Arc<[BundleIdentity]> = [acme.clone()].into();
    let both: Arc<[BundleIdentity]> = [acme, pci].into();
    let mut written = WrittenBundles::default();
    for bundles in [Some(&one), Some(&one), None, Some(&both), Some(&one)] {
        let wanted = serde_json::to_vec(bundles.map_or(&[][..], |bundles| bundles)).unwrap();
        assert_eq!(written.of(bundles).unwrap(), wanted);
    }
}
