//! The code shared by the ingress and the workers: the event contract, the list of workers, the conversation journal, the
//! event bus, the progress of conversations through the pipeline, and the consumer runtime.
//!
//! Only this package calls `PutEvents` and reads SQS, and only it writes the Conversations table.

pub mod account;
pub mod audit;
pub mod bus;
pub mod contract;
pub mod document;
pub mod dynamo;
pub mod journal;
pub mod json;
pub mod pipeline;
pub mod price;
pub mod quote;
pub mod runtime;
pub mod spending;
pub mod text;
pub mod workers;
