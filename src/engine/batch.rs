//! Many requests at once, on several threads.
//!
//! Threads take the next few requests whenever they are done with the last, so that one slow request holds up one thread
//! alone. An answer depends on its request and the time only, and so on no thread.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use jiff::Timestamp;

use super::evaluate::{Engine, Verdict};
use super::request::Request;

/// Requests that a thread takes at once: little enough to share out evenly, enough that taking them costs nothing beside.
const SHARE: usize = 64;

impl Engine {
    /// Decides `requests` at `now` on at most `jobs` threads, this one among them; the verdicts are in the order of the requests.
    ///
    /// No thread is started for what one thread takes at once anyway, so that few requests cost what
    /// [`Engine::evaluate`] costs.
    #[must_use]
    pub fn evaluate_all(
        &self,
        requests: &[Request],
        now: Timestamp,
        jobs: NonZeroUsize,
    ) -> Vec<Verdict> {
        let shares: Vec<&[Request]> = requests.chunks(SHARE).collect();
        let helpers = jobs.get().min(shares.len()).saturating_sub(1);
        if helpers == 0 {
            return requests
                .iter()
                .map(|request| self.evaluate(request, now))
                .collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(share) = shares.get(number) else {
                    return done;
                };
                let verdicts: Vec<Verdict> = share
                    .iter()
                    .map(|request| self.evaluate(request, now))
                    .collect();
                done.push((number, verdicts));
            }
        };
        let mut done = thread::scope(|scope| {
            // Where the system has no thread left, those that there are do the work.
            let helpers: Vec<_> = (0..helpers)
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut done = work();
            for helper in helpers {
                match helper.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => resume_unwind(panic),
                }
            }
            done
        });
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter()
            .flat_map(|(_, verdicts)| verdicts)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::bundle::{BundlePath, Limits};
    use crate::engine::request::RequestLimits;
    use crate::resolve::{LoadedBundle, resolve};

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn engine() -> Engine {
        let policy = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\nrules:\n\
            - {id: a, effect: allow, reason: R, match: {action: [do-0, do-1]}}\n\
            - {id: b, effect: deny, reason: R, match: {action: do-1}}\n\
            - {id: c, effect: require_approval, reason: R, match: {action: do-2, resource: \"h*7\"}}\n";
        let name: BundlePath = "policies/a.yaml".parse().unwrap();
        let files = BTreeMap::from([(name, Arc::from(policy.as_bytes()))]);
        let limits = Limits::default();
        let bundle = LoadedBundle::unsigned("acme".parse().unwrap(), None, &files, &limits);
        let bundles = [bundle.unwrap()];
        Engine::new(resolve(&bundles, &"acme".parse().unwrap(), now(), None).unwrap())
    }

    fn request(number: usize) -> Request {
        let text = format!(
            r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"do-{}"}},"resource":{{"type":"h","id":"h{number}"}}}}"#,
            number % 4
        );
        Request::from_json(text.as_bytes(), &RequestLimits::default()).unwrap()
    }

    #[test]
    fn threads_change_nothing_but_the_time_it_takes() {
        let engine = engine();
        let requests: Vec<Request> = (0..1_000).map(request).collect();
        for count in [0, 1, SHARE, SHARE + 1, requests.len()] {
            let requests = &requests[..count];
            let one_by_one: Vec<Verdict> = requests
                .iter()
                .map(|request| engine.evaluate(request, now()))
                .collect();
            for jobs in [1, 2, 5, 64] {
                let jobs = NonZeroUsize::new(jobs).unwrap();
                let together = engine.evaluate_all(requests, now(), jobs);
                assert_eq!(together, one_by_one, "{count} requests, {jobs} threads");
            }
        }
    }
}
