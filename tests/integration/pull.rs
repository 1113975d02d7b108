//! Pulling and deciding, end to end: the built program, real Git repositories and servers.

mod crash;
mod direct;
mod eval;
pub(crate) mod first_use;
mod full_disk;
mod grace;
mod jobs;
mod kept;
mod keys;
mod locking;
mod races;
mod recovery;
mod refs;
mod rollback;
mod roots;
mod roots_crash;
mod roots_shown;
mod several;
mod signing;
mod stream;
mod transports;
