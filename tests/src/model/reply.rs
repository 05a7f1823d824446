//! PURE. Responses and errors of the modelled services, encoded by the protocol of the service.

use serde_json::{Value, json};

/// A successful response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An error of a service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceError {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// Further members of the error: an object or null.
    pub(super) more: Value,
    /// The model does not support the call, so the run is invalid.
    pub(super) unsupported: bool,
}

impl Answer {
    pub(super) fn json(body: &Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    pub(super) fn xml(body: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into_bytes() }
    }

    pub(super) fn empty(headers: Vec<(String, String)>) -> Self {
        Self { status: 200, headers, body: Vec::new() }
    }
}

impl ServiceError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status, code, message, more: Value::Null, unsupported: false }
    }

    pub(super) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self { unsupported: true, ..Self::new(400, "ValidationException", format!("not modelled: {what}")) }
    }

    /// The error as the protocol of `service` encodes it.
    pub(crate) fn answer(&self, service: &str) -> Answer {
        let Self { status, code, message, more, .. } = self;
        let body = match service {
            "s3" => format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
            "sns" => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>1</RequestId></ErrorResponse>"
            ),
            _ => {
                let mut body = json!({ "__type": code, "message": message });
                for (name, value) in more.as_object().into_iter().flatten() {
                    body[name] = value.clone();
                }
                body.to_string()
            }
        };
        let headers = vec![("x-amzn-errortype".to_owned(), code.clone())];
        Answer { status: *status, headers, body: body.into_bytes() }
    }
}
