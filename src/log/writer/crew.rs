//! Threads that put small files on the disk while the thread that appends goes on.
//!
//! They write drafts, and give none of them its name: whoever ordered one names it once everything that has to precede it is on
//! the disk.
//!
//! INVARIANT: who has the log's lock waits for each draft before giving the lock away, so that the drafts' fixed names never meet.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::super::directory::{Draft, Flush};
use super::super::error::LogError;

/// How many there are at most: the system flushes files that wait together for little more than one alone.
const HANDS: usize = 16;

/// The threads. Each is started when it is first needed, and ends with the crew.
#[derive(Default)]
pub(super) struct Crew {
    hands: Vec<Hand>,
    orders: usize,
}

struct Hand {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

struct Order {
    draft: Arc<Draft>,
    flush: Flush,
    done: SyncSender<Result<(), LogError>>,
}

/// A draft that is being written.
pub(super) struct Pending {
    draft: Arc<Draft>,
    flush: Flush,
    done: Receiver<Result<(), LogError>>,
}

impl Crew {
    /// All that was ordered is done: the first of them takes the next order, so that few orders keep few threads.
    pub(super) fn muster(&mut self) {
        self.orders = 0;
    }

    /// Orders a draft.
    pub(super) fn prepare(&mut self, draft: Arc<Draft>, flush: Flush) -> Pending {
        let (sender, done) = sync_channel(1);
        let turn = self.orders % HANDS;
        self.orders = self.orders.wrapping_add(1);
        if turn >= self.hands.len()
            && let Ok(hand) = Hand::start()
        {
            self.hands.push(hand);
        }
        if let Some(hand) = self.hands.get(turn).or(self.hands.last()) {
            let draft = Arc::clone(&draft);
            // What is not taken is left to whoever waits for it.
            let _ = hand.orders.send(Order {
                draft,
                flush,
                done: sender,
            });
        }
        Pending { draft, flush, done }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for Hand { orders, thread } in self.hands.drain(..) {
            drop(orders);
            // Nobody waits for what it did.
            let _ = thread.join();
        }
    }
}

impl Hand {
    fn start() -> std::io::Result<Self> {
        let (orders, receiver) = channel::<Order>();
        let thread = Builder::new().name("log".to_owned()).spawn(move || {
            for order in receiver {
                let prepared = order.draft.prepare(order.flush);
                let _ = order.done.send(prepared);
            }
        })?;
        Ok(Self { orders, thread })
    }
}

impl Pending {
    /// Waits until the draft is written, or why it was not.
    pub(super) fn wait(self) -> (Arc<Draft>, Result<(), LogError>) {
        let prepared = self.done.recv();
        // There was no thread to be had.
        let prepared = prepared.unwrap_or_else(|_| self.draft.prepare(self.flush));
        (self.draft, prepared)
    }
}
