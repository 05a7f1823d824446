//! What users change themselves: the second factor, and the attributes that a code verifies.

use serde_json::{Value, json};

use super::{
    super::{
        State,
        reply::{Answer, ServiceError},
    },
    TOTP_CODE, not_authorized, owner, text,
};

pub(super) fn answer(state: &mut State, operation: &str, input: &Value) -> Result<Answer, ServiceError> {
    let user = owner(text(&input["AccessToken"])).filter(|user| !state.cognito.deleted.contains(user));
    let user = user.ok_or_else(|| not_authorized("Invalid Access Token"))?;
    match operation {
        "AssociateSoftwareToken" => {
            Ok(Answer::json(&json!({ "SecretCode": "NEVERUSEDANYWHERE234567ABCDEFGHI" })))
        }
        "VerifySoftwareToken" if input["UserCode"] == TOTP_CODE => {
            Ok(Answer::json(&json!({ "Status": "SUCCESS" })))
        }
        "VerifySoftwareToken" => {
            Err(ServiceError::new(400, "EnableSoftwareTokenMFAException", "Code mismatch"))
        }
        "SetUserMFAPreference" => prefer(state, &user, input),
        "UpdateUserAttributes" => request_change(state, user, &input["UserAttributes"][0]),
        "VerifyUserAttribute" => verify_change(state, &user, input),
        other => Err(ServiceError::unsupported(format!("Cognito {other}"))),
    }
}

/// Sends a code to the new value of an attribute, which changes nothing yet.
fn request_change(state: &mut State, user: String, attribute: &Value) -> Result<Answer, ServiceError> {
    let (name, value) = (text(&attribute["Name"]).to_owned(), text(&attribute["Value"]).to_owned());
    if state.cognito.users.contains_key(&value) {
        let message = "An account with the email already exists.";
        return Err(ServiceError::new(400, "AliasExistsException", message));
    }
    let code = format!("{:06}", state.below(1_000_000));
    let sent = (value.clone(), code.clone());
    let medium = if name == "email" {
        state.cognito.mails.push(sent);
        "EMAIL"
    } else {
        state.cognito.text_messages.push(sent);
        "SMS"
    };
    state.cognito.changes.insert(user, (name.clone(), value, code));
    let details = json!({ "AttributeName": name, "DeliveryMedium": medium, "Destination": "masked" });
    Ok(Answer::json(&json!({ "CodeDeliveryDetailsList": [details] })))
}

fn verify_change(state: &mut State, user: &str, input: &Value) -> Result<Answer, ServiceError> {
    let wrong = || ServiceError::new(400, "CodeMismatchException", "Invalid verification code provided.");
    let change = state.cognito.changes.get(user).filter(|(name, _, _)| input["AttributeName"] == **name);
    let (name, value, code) = change.cloned().ok_or_else(wrong)?;
    if input["Code"] != *code {
        return Err(wrong());
    }
    state.cognito.changes.remove(user);
    if name == "email" {
        let users = &mut state.cognito.users;
        let former = users.iter().find(|(_, known)| known.user_id == user).map(|(email, _)| email.clone());
        if let Some(known) = former.as_ref().and_then(|former| users.remove(former)) {
            users.insert(value.clone(), known);
        }
        for email in
            state.cognito.refresh_tokens.values_mut().filter(|email| Some(&**email) == former.as_ref())
        {
            email.clone_from(&value);
        }
    } else {
        state.cognito.by_id(user)?.verified_phone = Some(value);
    }
    Ok(Answer::json(&json!({})))
}

pub(super) fn prefer(state: &mut State, user: &str, input: &Value) -> Result<Answer, ServiceError> {
    let is_on = |settings: &str| input[settings]["Enabled"] == true;
    let Ok(known) = state.cognito.by_id(user) else { return Ok(Answer::json(&json!({}))) };
    if is_on("SMSMfaSettings") && known.verified_phone.is_none() {
        let message = "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA";
        return Err(ServiceError::new(400, "InvalidParameterException", message));
    }
    known.totp = is_on("SoftwareTokenMfaSettings");
    known.phone = known.verified_phone.clone().filter(|_| is_on("SMSMfaSettings"));
    Ok(Answer::json(&json!({})))
}
