//! What the ingress keeps outside the journal: one file for each store.

pub mod analyses;
pub mod audio;
pub mod erasures;
pub mod images;
pub mod pool;
pub mod users;
