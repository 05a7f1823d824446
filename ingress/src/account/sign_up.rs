//! PURE. The decisions of the user pool's Lambda triggers: before a sign-up the e-mail address is checked, after its
//! confirmation the learner's record is created (Amazon Cognito developer guide, "Customizing user pool workflows with Lambda
//! triggers"). The function that carries them out is `bin/sign_up.rs`.

use events::contract::UserId;
use serde::Deserialize;

use super::{
    email::{EmailError, RefusedDomains},
    profile::Profile,
};

/// The parts of a trigger event that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerEvent {
    trigger_source: String,
    request: TriggerRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TriggerRequest {
    #[serde(default)]
    user_attributes: UserAttributes,
}

/// The attributes of the new user. They are personal data, so there is no `Debug`.
#[derive(Default, Deserialize)]
struct UserAttributes {
    sub: Option<UserId>,
    email: Option<String>,
    name: Option<String>,
    #[serde(rename = "custom:learning_level")]
    level: Option<String>,
    #[serde(rename = "custom:interests")]
    interests: Option<String>,
}

/// The decision for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerAction {
    /// The pool continues.
    Continue,
    /// Create the learner's record if it does not exist; then the pool continues.
    CreateRecord(UserId, Profile),
}

/// Why the pool must not continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The e-mail address is rejected. The learner reads the text.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// The pool is configured to call this function for another trigger.
    #[error("the trigger {0} is not supported: supported are PreSignUp and PostConfirmation")]
    UnknownTrigger(String),
    #[error("the event has no sub")]
    NoSubject,
}

/// Decides what to do for `event`.
pub fn decide(event: TriggerEvent, refused: &RefusedDomains) -> Result<TriggerAction, TriggerError> {
    let attributes = event.request.user_attributes;
    match event.trigger_source.as_str() {
        "PreSignUp_SignUp" | "PreSignUp_AdminCreateUser" | "PreSignUp_ExternalProvider" => {
            refused.check(attributes.email.as_deref().unwrap_or_default())?;
            Ok(TriggerAction::Continue)
        }
        "PostConfirmation_ConfirmSignUp" => {
            let profile = Profile::of_attributes(
                attributes.name.as_deref(),
                attributes.level.as_deref(),
                attributes.interests.as_deref(),
            );
            Ok(TriggerAction::CreateRecord(attributes.sub.ok_or(TriggerError::NoSubject)?, profile))
        }
        // A password reset creates no learner.
        "PostConfirmation_ConfirmForgotPassword" => Ok(TriggerAction::Continue),
        _ => Err(TriggerError::UnknownTrigger(event.trigger_source)),
    }
}

#[cfg(test)]
mod tests {
    use events::contract::Level;
    use serde_json::{Value, json};

    use super::*;

    const SUB: &str = "8f1d7c1e-0a5b-4a0e-9d38-1f5c72aae4b1";

    fn stepped(source: &str, attributes: &Value) -> Result<TriggerAction, TriggerError> {
        let event = json!({
            "version": "1",
            "triggerSource": source,
            "region": "us-east-1",
            "userPoolId": "us-east-1_nova",
            "userName": SUB,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown", "clientId": "web" },
            "request": { "userAttributes": attributes, "validationData": null },
            "response": {},
        });
        decide(serde_json::from_value(event).unwrap(), &RefusedDomains::built_in())
    }

    #[test]
    fn before_a_sign_up_the_address_is_checked_whoever_makes_it() {
        for source in ["PreSignUp_SignUp", "PreSignUp_AdminCreateUser", "PreSignUp_ExternalProvider"] {
            assert_eq!(stepped(source, &json!({"email": "mina@school.kr"})), Ok(TriggerAction::Continue));
            let refused = stepped(source, &json!({"email": "mina@mailinator.com"}));
            assert_eq!(refused, Err(TriggerError::Email(EmailError::Domain)));
            assert_eq!(stepped(source, &json!({})), Err(TriggerError::Email(EmailError::Malformed)));
        }
    }

    #[test]
    fn after_a_confirmation_the_learner_gets_a_record_of_what_was_told() {
        let attributes = json!({
            "sub": SUB,
            "email": "mina@school.kr",
            "email_verified": "true",
            "name": "Mina  Kim",
            "custom:learning_level": "A2",
            "custom:interests": "cooking,trains",
        });
        let Ok(TriggerAction::CreateRecord(user_id, profile)) =
            stepped("PostConfirmation_ConfirmSignUp", &attributes)
        else {
            panic!("no record");
        };
        assert_eq!(user_id.as_str(), SUB);
        assert_eq!((profile.name.as_str(), profile.level), ("Mina Kim", Level::A2));
        assert_eq!(profile.interests, ["cooking", "trains"]);
        let nobody = stepped("PostConfirmation_ConfirmSignUp", &json!({"name": "Mina"}));
        assert_eq!(nobody, Err(TriggerError::NoSubject));
    }

    #[test]
    fn a_new_password_makes_no_record_and_another_trigger_is_a_wrong_configuration() {
        let attributes = json!({"sub": SUB, "email": "mina@school.kr", "name": "Mina"});
        assert_eq!(
            stepped("PostConfirmation_ConfirmForgotPassword", &attributes),
            Ok(TriggerAction::Continue)
        );
        let wrong = stepped("PreTokenGeneration_Authentication", &attributes).unwrap_err();
        assert!(wrong.to_string().contains("PreTokenGeneration_Authentication"), "{wrong}");
    }

    #[test]
    fn what_stops_a_sign_up_does_not_quote_the_address() {
        for email in ["mina", "mina@mailinator.com", "미나@school.kr"] {
            let stop = stepped("PreSignUp_SignUp", &json!({ "email": email })).unwrap_err();
            assert!(!format!("{stop} {stop:?}").contains("mina"), "{stop:?}");
        }
    }
}
