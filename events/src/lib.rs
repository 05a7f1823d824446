//! The code shared by the ingress and the workers: the event contract, the list of workers, the conversation journal, the
//! event bus, the progress of conversations through the pipeline, the consumer runtime, and what operators read of queues and
//! CloudWatch.
//!
//! Only this package calls `PutEvents` and reads SQS, and only it writes the Conversations table.

pub mod account;
pub mod alert;
pub mod audit;
pub mod bus;
pub mod cloudwatch;
pub mod contract;
pub mod document;
pub mod dynamo;
pub mod journal;
pub mod json;
pub mod page;
pub mod pipeline;
pub mod price;
pub mod queues;
pub mod quote;
pub mod runtime;
pub mod spending;
pub mod text;
pub mod workers;
