//! The audit tree: what makes the log checkable by anyone, offline.
//!
//! An event's envelope becomes a [`Leaf`], leaves a Merkle tree ([`Frontier`]), the tree's root a signed
//! [`Checkpoint`] that witnesses cosign; [`inclusion`] and [`consistency`] proofs tie them together, and
//! [`tile`]s and [`bundle`]s are how the tree is stored and served. The formats are the field's own: RFC 6962
//! and RFC 9162 for the tree, C2SP (`signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-tiles`,
//! `tlog-witness`) for the rest.
//!
//! Everything here is pure: no I/O, no clock, no randomness. Stored hashes come in through a closure, the
//! time of a cosignature and the seed of a key through a parameter. Nothing here panics on what it reads.
//!
//! # Determinations
//! - **The algorithm is a value, not a type parameter.** Which hash a log uses is read from its export, so
//!   [`Algorithm`] is an enum that is matched once a hash; beside SHA-256 itself the match costs nothing.
//! - **One spelling.** What is parsed is only taken in the one form that formatting gives: leaves, notes,
//!   checkpoints, tile paths, bundles, keys. What was signed or hashed can't be said in two ways.
//! - **SM3 is our own addition.** `tlog-tiles` knows SHA-256 only. An SM3 tree stands beside the SHA-256 tree,
//!   under an origin of its own, in the same formats.
//! - **SM2 is a locally assigned signature type**, `0xff` and a longer identifier, as `signed-note` asks of
//!   types it has no byte for. Verifiers that don't know it ignore it.
//! - **Ed25519 is verified strictly** (no small-order keys, no second form of a signature), so that two
//!   verifiers of ours can't disagree about one note.

pub mod bundle;
pub mod checkpoint;
pub mod commitment;
pub mod consistency;
mod decimal;
pub mod frontier;
pub mod hash;
pub mod inclusion;
pub mod key;
pub mod leaf;
pub mod node;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
pub mod witness;

#[cfg(test)]
mod testing;

pub use checkpoint::Checkpoint;
pub use commitment::Commitment;
pub use frontier::Frontier;
pub use hash::{Algorithm, Hash};
pub use key::{Cosigner, KeyName, KeyType, Signer, Verifier};
pub use leaf::Leaf;
pub use node::{Node, Span};
pub use note::{Note, SignatureLine, Signed};
pub use policy::{Policy, Quorum, Verified};
pub use proof::{ProofError, TreeHead};
pub use tile::Tile;
