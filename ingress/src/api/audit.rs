//! Records that an analyst or an operator reads the data of learners. A handler calls it before it shows anything, and fails if the
//! record cannot be written.

use events::{audit::Read, contract::UserId};
use jiff::Timestamp;

use super::problem::ApiError;
use crate::app::AppState;

/// Records that `reader` reads data of `whose` learners, or of all if it is empty, by the operation `what`.
///
/// # Errors
/// The record cannot be written.
pub(super) async fn record(
    app: &AppState,
    reader: &UserId,
    what: &str,
    whose: &[UserId],
) -> Result<(), ApiError> {
    let read = Read { who: reader.as_str(), what, whose };
    app.audit.record(read, Timestamp::now()).await.map_err(ApiError::Internal)
}
