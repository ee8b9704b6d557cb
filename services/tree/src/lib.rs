//! The audit tree of a log: a follower that builds and signs it, those who witness it, and those who verify it.
//!
//! A [`Tree`] is what a process has of one tree: where nobody else builds it, it follows the log, stores each
//! event's leaf in a folder or a database of its own ([`store`]), has the root signed ([`signer`]) and cosigned, and publishes the
//! checkpoint; where another process builds it, it reads what that one publishes. Proofs are read from what is
//! stored ([`proofs`]). None of this may hold up an append: the log doesn't know of it.
//!
//! # Determinations
//! - **A tree's folder has one writer, by a file lock**, which goes with the process that held it: another one
//!   that has the folder takes over within seconds. Readers need no lock: what is stored doesn't change.
//! - **In a database the same files are rows, by name**, of one table: what may be copied, served and verified is one
//!   thing, and an export is the folder that would have been. Its writer is whoever holds an advisory lock on the
//!   connection that writes; each of its transactions begins with the row of `tree.json`, locked and compared, so that
//!   a lock that isn't its own any more writes nothing. What is published goes the same way ([`Press`]).
//! - **Its schema is made by the first who writes**, not by `duban migrate`: it is one table without functions, in a
//!   database that belongs to the role that builds, and nobody's rights are to be told apart there.
//! - **A database that holds a log is refused**: put back to an earlier moment, it would take the tree with it. The
//!   signer stays in a folder: what it has signed must not be put back with any database.
//! - **Calls on storage block, on the database too**: they stand within pure closures that hash and prove. Its
//!   connections are on a thread of their own, so that they may be waited for from any other; those that answer calls
//!   don't wait.
//! - **The tree names sqlx**, beside the log: it is a store of its own, and shares no table with the log's.
//! - **A round gathers for up to a second**, then stores and signs once, however many events there were: a file
//!   that is synced costs more than the hashing of all leaves in it. From idle the first event is taken at once.
//! - **Rounds, signing and cosigning follow one another in one task.** A slow witness makes the next round larger,
//!   never the memory: a page of the log and the open tiles are all that is held.
//! - **The last leaf is compared with the log's event in each round**, and the head with the size when it is quiet:
//!   a log that was set back or rewritten under the builder stops it, before anything is signed.
//! - **A damaged or lost folder is built anew**: removed by the operator, it grows again from the first event, and
//!   the signer compares it with what it signed before it signs more.
//! - **The signer's folder has a lock of its own** and its state is read anew for each signature, so that two
//!   builders on two folders can't have two histories signed.
//! - **Which keys sign follows from the log's events**, read anew up to each size ([`keys`]). The first key has no
//!   event: it is what auditors are given, and a log that never changes its key stays as it is. A key is stored under
//!   another name until its announcement is signed, so a crash leaves one that signs nothing.
//! - **The signer vouches for no key that isn't its own**: an announcement that somebody wrote into the database stops
//!   it. Else that key could go on from a history that the old one has signed.
//! - **A retired key signs until a handover is kept**, not once: if the folder of the tree is lost, it makes another.
//! - **The process that signs announces and retires keys, asked on its admin port**: it has the signer's folder. Who may
//!   is who runs the machine; what was done is in the log.
//! - **TLS to witnesses is rustls with ring**, which builds without C libraries or cmake; it trusts the system's roots.
//! - **A witness that fails is left alone for a while**, longer each time, unless the quorum needs it.
//! - **Receipts are summed up, not looked up**: events come by position, receipts by key, and neither fits into memory.
//!   The sums are keyed with what is drawn for the run, so that who changed the log couldn't make them meet.
//! - **A tag is a keyed hash of 16 bytes while a log is verified**: 24 bytes a tag, however many and long they are.
//! - **Where the folder's leaves and the log part, the signed root tells which of them was changed.** Both trees are
//!   hashed on from there.
//! - **Views are replayed up to where each claim stands**, not to the head: a view may lag behind its log.

mod builder;
mod disk;
pub mod handover;
pub mod keeper;
pub mod keys;
pub mod proofs;
mod publisher;
pub mod signer;
pub mod store;
pub mod trees;
pub mod verification;
pub mod watch;
pub mod witness;

#[cfg(test)]
mod testing;

pub use handover::Handover;
pub use keeper::{KeyChangeError, Options, State, Status, Tree};
pub use publisher::{Published, Unwitnessed, Witnesses};
pub use signer::{Signer, SignerError};
pub use store::{Grove, Press, Store, StoreError, TreeId, Writer};
pub use trees::{Grounds, Trees};
