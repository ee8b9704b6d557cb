//! The audit service (审计): the log read, followed, explained and proven to those who may see all of it. It writes
//! nothing and has no view of its own: whatever it answers, it answers from the log.
//!
//! ```ignore
//! let door = door!(AuditServiceServer::new(AuditDoor::new(log)));
//! let door = door!(ProofServiceServer::new(ProofDoor::new(log, Some(trees))));
//! ```
//!
//! # What a subscriber may rely on
//! Its stream is a cursor over the log and nothing else: the next page begins where the last one ended, so no
//! event is skipped, doubled or out of order, and what was there and what comes meet without a seam. It is
//! pulled by the connection's own flow control: a subscriber that doesn't read costs one page of memory, and
//! no writer or other subscriber ever waits for it.
//!
//! # Determinations
//! - **No channel between the log and a subscriber.** A stream that is pulled needs none: what a slow one
//!   hasn't read is in the log. The live ones share the last pages in memory (`recent.rs`), so that a thousand
//!   of them cost one read of each event; one that falls behind these is told so and goes on from storage.
//! - **Falling behind doesn't end a stream.** There is no buffer to overflow; to connect again would only cost
//!   both sides another start.
//! - **A filter by agency means its duties too.** Work given to an agency is filed under `duty:`, apart from
//!   its own life, for the rules' sake; who follows an agency wants both.
//! - **A proof is checked before it goes out.** It costs microseconds, and a tree that doesn't give the root that was
//!   signed is said to be damaged here, not by every auditor on its own.
//! - **History is proven in the trees of the log's epoch alone**: of an epoch that is over, the log may lack the last
//!   events. Inclusion and consistency are proven in every tree that is kept.

mod cloudevents;
mod convert;
mod deliver;
mod explain;
mod grpc;
mod names;
mod proofs;
mod read;
mod recent;
mod select;
mod subscribe;
mod types;

#[cfg(test)]
mod testing;

pub use grpc::AuditDoor;
pub use proofs::ProofDoor;
pub use subscribe::CHECKPOINT_EVERY;
