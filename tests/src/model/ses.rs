//! SES: keeps the mails that are sent.

use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The mail service.
#[derive(Debug, Default)]
pub struct Ses {
    /// Sent mails.
    pub mails: Vec<Mail>,
}

/// A sent mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The receiver.
    pub to: String,
    pub subject: String,
    pub text: String,
}

pub(super) fn answer(state: &mut State, operation: &str, body: &[u8]) -> Result<Answer, ServiceError> {
    if operation != "POST v2/email/outbound-emails" {
        return Err(ServiceError::unsupported(format!("SES {operation}")));
    }
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = &input["Content"]["Simple"];
    state.ses.mails.push(Mail {
        to: text(&input["Destination"]["ToAddresses"][0]),
        subject: text(&message["Subject"]["Data"]),
        text: text(&message["Body"]["Text"]["Data"]),
    });
    Ok(Answer::json(&json!({ "MessageId": "message" })))
}
