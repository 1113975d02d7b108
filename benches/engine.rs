//! Resolving a scope of N rules, compiling it, and evaluating requests with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ordain::bundle::BundlePath;
use ordain::engine::Engine;
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Request, RequestLimits};
use ordain::resolve::{EffectivePolicy, LoadedBundle, resolve};

use super::now;

const RULES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Two layers: an organisation of `rules` rules about as many actions, and a team of ten that denies. Terse, since a file
/// may have 1 MiB.
fn bundle(rules: usize) -> LoadedBundle {
    let head = "apiVersion: ordain/v1\nkind: Policy\nmode: enforce\n";
    let mut org = format!("{head}scope: acme\nrules:\n");
    for number in 0..rules {
        let effect = ["allow", "deny", "audit", "require_approval"][number % 4];
        writeln!(
            org,
            "- {{id: r{number}, effect: {effect}, reason: R, precedence: {}, match: {{action: do-{number}, resource: \"h{number}-*\"}}}}",
            number % 7,
        )
        .unwrap();
    }
    let mut team = format!("{head}scope: acme/team\nrules:\n");
    for number in 0..10 {
        write!(
            team,
            "  - id: rule-{number}\n    effect: deny\n    reason: Frozen\n    match:\n      action: do-{number}\n      \
             context.environment: production\n",
        )
        .unwrap();
    }
    let files: BTreeMap<BundlePath, Arc<[u8]>> = [("org", org), ("team", team)]
        .map(|(name, text)| {
            let name = format!("policies/{name}.yaml");
            (name.parse().unwrap(), text.into_bytes().into())
        })
        .into();
    LoadedBundle::unsigned(
        "acme".parse().unwrap(),
        None,
        &files,
        &ordain::bundle::Limits::default(),
    )
    .unwrap()
}

fn policy(bundle: &LoadedBundle) -> EffectivePolicy {
    let bundles = std::slice::from_ref(bundle);
    resolve(bundles, &"acme/team".parse().unwrap(), now(), None).unwrap()
}

/// A thousand requests, of which half match a rule.
fn requests(rules: usize) -> Vec<Request> {
    (0..1_000)
        .map(|number| {
            let number = number * 7_919 % (2 * rules);
            let text = format!(
                r#"{{"subject":{{"type":"user","id":"alice","properties":{{"team":"b"}}}},
                "action":{{"name":"do-{number}"}},"resource":{{"type":"host","id":"h{number}-x"}},
                "context":{{"environment":"production"}}}}"#
            );
            Request::from_json(text.as_bytes(), &RequestLimits::default()).unwrap()
        })
        .collect()
}

#[divan::bench(args = RULES)]
fn validate_yaml(bencher: Bencher<'_, '_>, rules: usize) {
    bencher
        .counter(ItemsCount::new(rules))
        .bench(|| bundle(black_box(rules)));
}

#[divan::bench(args = RULES)]
fn resolve_scope(bencher: Bencher<'_, '_>, rules: usize) {
    let bundle = bundle(rules);
    bencher
        .counter(ItemsCount::new(rules))
        .bench(|| policy(black_box(&bundle)));
}

#[divan::bench(args = RULES)]
fn compile(bencher: Bencher<'_, '_>, rules: usize) {
    let policy = policy(&bundle(rules));
    bencher
        .counter(ItemsCount::new(rules))
        .with_inputs(|| policy.clone())
        .bench_values(Engine::new);
}

#[divan::bench(args = RULES)]
fn evaluate(bencher: Bencher<'_, '_>, rules: usize) {
    let engine = Engine::new(policy(&bundle(rules)));
    let requests = requests(rules);
    bencher.counter(ItemsCount::new(requests.len())).bench(|| {
        let effects = requests
            .iter()
            .map(|request| engine.evaluate(request, now()).effect());
        effects.fold(0_usize, |sum, effect| sum + usize::from(effect.rank()))
    });
}

/// What a consumer waits for, without Git and log: bytes in, effect out, on the example's own requests.
#[divan::bench]
fn read_and_evaluate(bencher: Bencher<'_, '_>) {
    let stream = include_bytes!("../bundles/acme/requests.jsonl");
    let engine = Engine::new(policy(&bundle(100)));
    let limits = RequestLimits::default();
    bencher.counter(ItemsCount::new(15_usize)).bench(|| {
        RequestReader::new(black_box(&stream[..]), &limits)
            .map(|raw| Request::from_json(&raw.unwrap().bytes, &limits).unwrap())
            .map(|request| usize::from(engine.evaluate(&request, now()).effect().rank()))
            .sum::<usize>()
    });
}

/// One rule with a `when` that ranges over a list, and the request made ready for it.
#[divan::bench]
fn condition(bencher: Bencher<'_, '_>) {
    let policy = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- id: r\n  effect: deny\n  reason: R\n  match: {}\n  \
        when: context.environment == 'production' && subject.properties.groups.exists(g, g in ['ops', 'dba'])\n";
    let name: BundlePath = "policies/a.yaml".parse().unwrap();
    let files = BTreeMap::from([(name, Arc::from(policy.as_bytes()))]);
    let bundle = LoadedBundle::unsigned(
        "acme".parse().unwrap(),
        None,
        &files,
        &ordain::bundle::Limits::default(),
    )
    .unwrap();
    let policy = resolve(&[bundle], &"acme".parse().unwrap(), now(), None).unwrap();
    let engine = Engine::new(policy);
    let text = r#"{"subject":{"type":"user","id":"alice","properties":{"groups":["web","dba"]}},
        "action":{"name":"do"},"resource":{"type":"host","id":"h"},"context":{"environment":"production"}}"#;
    let request = Request::from_json(text.as_bytes(), &RequestLimits::default()).unwrap();
    bencher.bench(|| engine.evaluate(black_box(&request), now()).effect());
}
