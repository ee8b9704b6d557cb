//! The audit tree of a log: a follower that builds and signs it, those who witness it, and those who verify it.
