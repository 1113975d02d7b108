//! Pulling and deciding, end to end: the built program, real Git repositories and servers.

mod crash;
mod direct;
mod eval;
mod full_disk;
mod keys;
mod locking;
mod races;
mod refs;
mod several;
mod signing;
mod stream;
mod transports;
