//! PURE. Decodes the call of a request, and encodes the errors of each service.

use http::request::Parts;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::Value;

use crate::model::{
    fault_model::{conflict, throttled},
    reply::{Answer, ServiceError},
};

/// The polls of SQS.
pub(super) const RECEIVE: &str = "ReceiveMessage";

/// The deletes of SQS begin with this.
pub(super) const DELETE: &str = "DeleteMessage";

/// Requests to the model.
pub(super) const CONVERSE: &str = "Converse";

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Service, by the name of its endpoint.
    pub(super) service: &'static str,
    /// Operation; for S3 the method.
    pub(super) operation: String,
    /// Body, if it is JSON.
    pub(super) input: Value,
}

impl Call {
    pub(super) fn read(head: &Parts, body: &[u8]) -> Self {
        let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let input = || serde_json::from_slice(body).unwrap_or_default();
        if let Some((service, operation)) = target.and_then(|target| target.split_once('.')) {
            let service = match service {
                "AmazonSQS" => "sqs",
                "AWSEvents" => "events",
                _ => "dynamodb",
            };
            return Self { service, operation: operation.to_owned(), input: input() };
        }
        if head.uri.path().ends_with("/converse") {
            return Self { service: "bedrock-runtime", operation: CONVERSE.to_owned(), input: input() };
        }
        let form = std::str::from_utf8(body).ok().filter(|_| head.method == http::Method::POST);
        let action = form.and_then(|form| form.split('&').find_map(|pair| pair.strip_prefix("Action=")));
        let (service, operation) = match action {
            Some(action) => ("sns", action),
            None => ("s3", head.method.as_str()),
        };
        Self { service, operation: operation.to_owned(), input: Value::Null }
    }

    /// Whether it sends a message to a dead-letter queue.
    pub(super) fn is_dead_letter(&self) -> bool {
        let queue = self.input["QueueUrl"].as_str().unwrap_or_default();
        self.operation == "SendMessage" && queue.ends_with("-dlq")
    }

    /// An error of the service without an effect.
    pub(super) fn refusal(&self, random: &mut StdRng) -> Answer {
        let is_write = matches!(self.operation.as_str(), "PutItem" | "UpdateItem" | "TransactWriteItems");
        let refusal = match random.random_range(0..if is_write { 4 } else { 3 }) {
            0 => ServiceError::new(500, "InternalServerError", "try again"),
            1 => ServiceError::new(503, "ServiceUnavailable", "try again"),
            2 => throttled(self.service),
            _ => conflict(&self.operation),
        };
        refusal.answer(self.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: http::request::Builder, body: &str) -> (&'static str, String) {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let call = Call::read(&head, body.as_bytes());
        (call.service, call.operation)
    }

    #[test]
    fn calls_of_all_protocols_are_told_apart() {
        let post = |uri: &str| http::Request::post(uri);
        let target = |target: &str| post("/").header("x-amz-target", target);
        for (request, body, expected) in [
            (target("AmazonSQS.ReceiveMessage"), "{}", ("sqs", "ReceiveMessage")),
            (target("DynamoDB_20120810.PutItem"), "{}", ("dynamodb", "PutItem")),
            (target("AWSEvents.PutEvents"), "{}", ("events", "PutEvents")),
            (post("/"), "Version=1&Action=Publish&Message=x", ("sns", "Publish")),
            (post("/model/m%3A0/converse"), "{}", ("bedrock-runtime", "Converse")),
            (http::Request::put("/bucket/key"), "Action=x", ("s3", "PUT")),
            (http::Request::get("/bucket/key"), "", ("s3", "GET")),
        ] {
            let (service, operation) = read(request, body);
            assert_eq!((service, operation.as_str()), expected);
        }
    }

    #[test]
    fn dead_letters_are_recognised() {
        let (head, ()) = target_of_sqs().body(()).unwrap().into_parts();
        let of = |queue: &str| Call::read(&head, format!(r#"{{"QueueUrl":"{queue}"}}"#).as_bytes());
        assert!(of("http://host/1/nova-alerts-dlq").is_dead_letter());
        assert!(!of("http://host/1/nova-watchdog").is_dead_letter());
    }

    fn target_of_sqs() -> http::request::Builder {
        http::Request::post("/").header("x-amz-target", "AmazonSQS.SendMessage")
    }
}
