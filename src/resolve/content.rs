//! What the digest of an effective policy covers: everything that can change an answer, in canonical form (RFC 8785).
//!
//! It is written straight to bytes, since as a tree it would be larger than the policy. So the members of each object stand here in
//! the order in which they are written, which is the canonical one: a test holds the whole against `json::canonical`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::effective::{EffectiveLayer, EffectiveRule};
use crate::json::{self, JsonError, write_list};
use crate::name::Scope;
use crate::policy::Condition;

/// The content of the policy of `scope` that these layers make.
///
/// # Errors
/// [`JsonError::UnsafeNumber`] where a number has no canonical form.
pub(super) fn of_policy(scope: &Scope, layers: &[EffectiveLayer]) -> Result<Vec<u8>, JsonError> {
    let rules: usize = layers.iter().map(|layer| layer.rules.len()).sum();
    let mut out = Vec::with_capacity(256 + rules.saturating_mul(320));
    out.extend_from_slice(b"{\"layers\":");
    write_list(&mut out, layers, write_layer)?;
    let mut members = Members::after(&mut out);
    members.add("scope", scope);
    members.add("version", &1);
    members.close();
    Ok(out)
}

fn write_layer(out: &mut Vec<u8>, layer: &EffectiveLayer) -> Result<(), JsonError> {
    let rules = || layer.rules.iter().filter(|rule| !rule.disabled);
    // The data that its conditions may read, by its digests; other data changes no answer.
    let conditions = rules().filter_map(|rule| rule.written.when.as_ref());
    let data: BTreeMap<_, _> = conditions.flat_map(Condition::reads).collect();
    // An operation keeps its risk where the rule that answers it is switched off.
    let described = layer.rules.iter().filter(|rule| rule.disabled);
    let described: Vec<Value> = described
        .filter(|rule| rule.written.operation().is_some())
        .map(|rule| json!({"id": rule.written.name.rule, "match": rule.written.matcher.source()}))
        .collect();
    let mut members = Members::new(out);
    if !data.is_empty() {
        members.add_value("data", &json!(data))?;
    }
    members.add("default", &layer.default);
    if !described.is_empty() {
        members.add_value("described", &Value::Array(described))?;
    }
    members.add("mode", &layer.mode);
    write_list(members.key("rules"), rules(), write_rule)?;
    members.add("scope", &layer.scope);
    members.close();
    Ok(())
}

/// What is not there is left out, so that a rule without it keeps its digest when the language grows.
fn write_rule(out: &mut Vec<u8>, rule: &EffectiveRule) -> Result<(), JsonError> {
    let written = &rule.written;
    let mut members = Members::new(out);
    members.add("effect", &rule.effect);
    members.add("id", &written.name.rule);
    members.add_value("match", &written.matcher.source().value())?;
    members.add("mode", &rule.mode);
    members.add("precedence", &rule.precedence);
    members.add("raised", &rule.is_raised());
    members.add("reason", &*rule.reason);
    members.add("reason_code", &written.reason_code);
    members.add(
        "remediation",
        &written.remediation().map(AsRef::<str>::as_ref),
    );
    members.add("tags", written.tags());
    if let Some(valid) = written.limits() {
        members.add("valid", &valid);
    }
    if let Some(when) = &written.when {
        members.add("when", when.source());
    }
    members.close();
    Ok(())
}

/// The members of an object that is being written.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    /// What stands before the next member.
    next: u8,
}

impl<'a> Members<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, next: b'{' }
    }

    /// Of an object that has members already.
    fn after(out: &'a mut Vec<u8>) -> Self {
        Self { out, next: b',' }
    }

    /// Writes a key that is a plain word; its value comes next.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.out.push(self.next);
        self.next = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Adds texts, words, booleans and small integers, which are written canonically anyhow.
    fn add<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        // Writing these to memory does not fail.
        let () = serde_json::to_writer(self.key(key), value).unwrap_or_default();
    }

    fn add_value(&mut self, key: &str, value: &Value) -> Result<(), JsonError> {
        json::write_member(self.key(key), "", value)
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bundle::Limits;
    use crate::resolve::{LoadedBundle, resolve};

    const POLICY: &str = r#"
apiVersion: ordain/v1
kind: Policy
scope: acme
default: deny
rules:
  - id: b
    effect: deny
    reason: "Say \"no\"\nof ü"
    remediation: Ask
    tags: [b, "a\\"]
    valid: {from: 2026-12-20T00:00:00Z, until: 2027-01-03T00:00:00Z}
    precedence: -3
    match: {resource: "x*", action: [z, a], context.n: {gt: 1.5, lt: 10}, "context.\uFFFD": 1, "context.\U0001F600": 2, any: [{action: {not: {in: [1, true]}}}]}
  - {id: a, effect: allow, reason: R, override: any, match: {}, when: 'context.a in data.list'}
"#;
    const CATALOG: &str = "
apiVersion: ordain/v1
kind: Catalog
scope: acme
operations:
  - {action: ssh, risk: high, variants: [{match: {action.properties.o: x}, risk: critical}]}
";
    const CHILD: &str = "
apiVersion: ordain/v1
kind: Policy
scope: acme/team
rules: []
overrides: [{rule: acme#a, disable: true, reason: R}]
";

    #[test]
    fn what_is_written_is_canonical() {
        let file = |name: &str, text: &str| (name.parse().unwrap(), Arc::from(text.as_bytes()));
        let files = [
            file("policies/a.yaml", POLICY),
            file("policies/b.yaml", CATALOG),
            file("policies/c.yaml", CHILD),
            file("data/list.yaml", "[a]"),
        ];
        let name = "acme".parse().unwrap();
        let bundle = LoadedBundle::unsigned(name, None, &files.into(), &Limits::default()).unwrap();
        for scope in ["acme", "acme/team"] {
            let now = "2026-11-01T00:00:00Z".parse().unwrap();
            let scope = scope.parse().unwrap();
            let policy = resolve(std::slice::from_ref(&bundle), &scope, now, None).unwrap();
            let content = of_policy(&scope, policy.layers()).unwrap();
            let value: Value = serde_json::from_slice(&content).unwrap();
            let canonical = json::canonical(&value).unwrap();
            assert_eq!(String::from_utf8(content), String::from_utf8(canonical));
            let layer = &value["layers"][0];
            let has_data = layer.get("data").is_some();
            assert_eq!(
                has_data,
                scope.as_str() == "acme",
                "what is switched off reads nothing"
            );
            let ids: Vec<&str> = layer["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| rule["id"].as_str().unwrap())
                .collect();
            assert_eq!(ids.contains(&"a"), has_data);
            let rule = layer["rules"]
                .as_array()
                .unwrap()
                .iter()
                .find(|rule| rule["id"] == "b");
            let members: Vec<&String> = rule.unwrap().as_object().unwrap().keys().collect();
            let wanted = [
                "effect",
                "id",
                "match",
                "mode",
                "precedence",
                "raised",
                "reason",
                "reason_code",
                "remediation",
                "tags",
                "valid",
            ];
            assert_eq!(members, wanted);
        }
    }
}
