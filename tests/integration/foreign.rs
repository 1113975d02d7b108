//! Vectors that nobody here wrote: Wycheproof's, the points of low order, and what DSSE and in-toto publish.

mod dsse;
mod in_toto;
mod low_order;
mod wycheproof;
