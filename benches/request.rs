//! Reading a request: strict JSON, normalisation and fingerprint together; and finding requests in a stream.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ordain::digest::Sha256Digest;
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Request, RequestLimits};

const REQUESTS: &str = include_str!("../bundles/acme/requests.jsonl");

/// One request of each form: the first of its kind in the example.
#[divan::bench(args = ["configuration", "tool_call", "authzen"])]
fn read(bencher: Bencher<'_, '_>, form: &str) {
    let line = match form {
        "configuration" => 0,
        "tool_call" => 7,
        _ => 10,
    };
    let bytes = REQUESTS.lines().nth(line).unwrap().as_bytes();
    let limits = RequestLimits::default();
    bencher
        .counter(BytesCount::of_slice(bytes))
        .bench(|| Request::from_json(black_box(bytes), &limits).unwrap());
}

/// What no reading can be cheaper than.
#[divan::bench]
fn json_and_sha256_alone(bencher: Bencher<'_, '_>) {
    let bytes = REQUESTS.lines().next().unwrap().as_bytes();
    bencher.counter(BytesCount::of_slice(bytes)).bench(|| {
        let value: serde_json::Value = serde_json::from_slice(black_box(bytes)).unwrap();
        (value, Sha256Digest::of(bytes))
    });
}

#[divan::bench(args = ["lines", "array", "over_lines"])]
fn split(bencher: Bencher<'_, '_>, layout: &str) {
    let requests: Vec<serde_json::Value> = REQUESTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .cycle()
        .take(10_000)
        .collect();
    let stream = match layout {
        "array" => serde_json::to_vec(&requests).unwrap(),
        "lines" => requests
            .iter()
            .flat_map(|r| format!("{r}\n").into_bytes())
            .collect(),
        _ => requests
            .iter()
            .flat_map(|r| format!("{r:#}\n").into_bytes())
            .collect::<Vec<u8>>(),
    };
    bencher
        .counter(BytesCount::of_slice(&stream))
        .counter(ItemsCount::new(requests.len()))
        .bench(|| {
            let reader = RequestReader::new(black_box(&stream[..]), &RequestLimits::default());
            assert_eq!(reader.filter(Result::is_ok).count(), requests.len());
        });
}
