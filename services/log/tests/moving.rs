//! A log that moves: exported, loaded, sealed, backed up and restored.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

mod moving {
    pub(crate) mod backup;
    pub(crate) mod broken_off;
    pub(crate) mod damage;
    pub(crate) mod engines;
    pub(crate) mod house;
    pub(crate) mod scene;
    pub(crate) mod versions;
}
