//! PURE. What the triggers of the user pool are told and what follows from it: before a sign-up the address is checked,
//! after its confirmation the learner gets a record (Amazon Cognito developer guide, "Customizing user pool
//! workflows with Lambda triggers"). The function around it is `bin/sign_up.rs`.

use events::contract::UserId;
use serde::Deserialize;

use crate::{
    account::email::{EmailRefused, RefusedDomains},
    account::profile::Profile,
};

/// An event of the user pool, as far as it matters here.
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

/// The attributes of whoever signs up. They are personal and so are not shown.
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

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The pool goes on.
    GoOn,
    /// The record of this learner is made if there is none, then the pool goes on.
    Record(UserId, Profile),
}

/// Why the pool is not to go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The address is not taken. The text is what the learner reads.
    #[error(transparent)]
    Refused(#[from] EmailRefused),
    /// The pool calls this function for something that it does not do: the pool's configuration is wrong.
    #[error("the trigger {0} is none of this function's: PreSignUp and PostConfirmation are")]
    UnknownTrigger(String),
    /// The event of a confirmation names nobody.
    #[error("the event has no sub")]
    NoSubject,
}

/// What follows from `event`.
///
/// # Errors
/// See [`Stop`].
pub fn step(event: TriggerEvent, refused: &RefusedDomains) -> Result<Step, Stop> {
    let attributes = event.request.user_attributes;
    match event.trigger_source.as_str() {
        "PreSignUp_SignUp" | "PreSignUp_AdminCreateUser" | "PreSignUp_ExternalProvider" => {
            refused.check(attributes.email.as_deref().unwrap_or_default())?;
            Ok(Step::GoOn)
        }
        "PostConfirmation_ConfirmSignUp" => {
            let profile = Profile::of_attributes(
                attributes.name.as_deref(),
                attributes.level.as_deref(),
                attributes.interests.as_deref(),
            );
            Ok(Step::Record(attributes.sub.ok_or(Stop::NoSubject)?, profile))
        }
        // A new password makes no new learner.
        "PostConfirmation_ConfirmForgotPassword" => Ok(Step::GoOn),
        _ => Err(Stop::UnknownTrigger(event.trigger_source)),
    }
}

#[cfg(test)]
mod tests {
    use events::contract::Level;
    use serde_json::{Value, json};

    use super::*;

    const SUB: &str = "8f1d7c1e-0a5b-4a0e-9d38-1f5c72aae4b1";

    fn stepped(source: &str, attributes: &Value) -> Result<Step, Stop> {
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
        step(serde_json::from_value(event).unwrap(), &RefusedDomains::built_in())
    }

    #[test]
    fn before_a_sign_up_the_address_is_checked_whoever_makes_it() {
        for source in ["PreSignUp_SignUp", "PreSignUp_AdminCreateUser", "PreSignUp_ExternalProvider"] {
            assert_eq!(stepped(source, &json!({"email": "mina@school.kr"})), Ok(Step::GoOn));
            let refused = stepped(source, &json!({"email": "mina@mailinator.com"}));
            assert_eq!(refused, Err(Stop::Refused(EmailRefused::Domain)));
            assert_eq!(stepped(source, &json!({})), Err(Stop::Refused(EmailRefused::Malformed)));
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
        let Ok(Step::Record(user_id, profile)) = stepped("PostConfirmation_ConfirmSignUp", &attributes)
        else {
            panic!("no record");
        };
        assert_eq!(user_id.as_str(), SUB);
        assert_eq!((profile.name.as_str(), profile.level), ("Mina Kim", Level::A2));
        assert_eq!(profile.interests, ["cooking", "trains"]);
        let nobody = stepped("PostConfirmation_ConfirmSignUp", &json!({"name": "Mina"}));
        assert_eq!(nobody, Err(Stop::NoSubject));
    }

    #[test]
    fn a_new_password_makes_no_record_and_another_trigger_is_a_wrong_configuration() {
        let attributes = json!({"sub": SUB, "email": "mina@school.kr", "name": "Mina"});
        assert_eq!(stepped("PostConfirmation_ConfirmForgotPassword", &attributes), Ok(Step::GoOn));
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
