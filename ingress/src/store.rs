//! What the ingress keeps outside the journal: one file for each store.

pub mod analyses;
pub mod audio;
pub mod documents;
pub mod erasures;
pub mod images;
pub mod learners;
pub mod pictures;
pub mod progress;
pub mod records;
pub mod results;
pub mod signed;
pub mod users;
