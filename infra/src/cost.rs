//! PURE. What the service costs on AWS: a price list, what one conversation was measured to consume, the size of the deployment
//! from its templates, and the bill that follows. `nova cost` prints it; `infra/COST.md` explains it.
//!
//! It knows no discounts, taxes or credits, and asks no account.

mod bill;
mod consumption;
mod deployed;
mod document;
mod plumbing;
mod prices;

pub use bill::{Bill, BillLine, Demand, Period, bill};
pub use consumption::{Calls, Consumption};
pub use deployed::Deployed;
pub use document::{DOCUMENT_USD, Share};
pub use plumbing::{Saving, plumbing_usd, savings};
pub use prices::{Price, PriceList, Prices};
