//! The stores that the ingress reads and writes in DynamoDB and S3, except the journal, and what operators see: one file per store, and
//! [`stores`], which opens all of them.

pub mod analyses;
pub mod audio;
pub mod documents;
pub mod erasures;
pub mod images;
pub mod learners;
pub mod objects;
pub mod ops;
pub mod pictures;
pub mod progress;
pub mod recovery_codes;
pub mod results;
pub mod sessions;
pub mod signed;
pub mod stores;
pub mod users;

/// Most items that a request reads from the stores. An export reads page by page, each within the limit.
pub const READS_MAX: usize = 200;
