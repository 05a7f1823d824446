//! PURE. A header for the tests of this package.

use jiff::Timestamp;

use super::{Header, Start, item};

/// The header of a conversation that is owned until `lease_until`.
pub(crate) fn header(start: &Start, lease_until: Timestamp) -> Header {
    item::read_header(item::header(start, "claim", lease_until)).unwrap()
}
