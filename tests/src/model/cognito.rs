//! Cognito: signs in the users that a test has added to the pool, with a password and, for a user with a second factor, a code of an
//! app or by text message. E-mail address and phone number change with the code that is sent to the new one. It refuses a call without
//! the hash of its client's secret. It does not sign its access tokens: the service never gives them away. Tests of sign-up run against
//! the local cloud.

mod factors;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The longest time of a sign-in: the default `AuthSessionValidity` of a pool.
pub const SESSION_VALIDITY: Duration = Duration::from_secs(180);

/// The code of every authenticator app.
pub const TOTP_CODE: &str = "424242";

/// The only client of the pool.
pub const CLIENT_ID: &str = "live-test";

/// Its secret.
pub const CLIENT_SECRET: &str = "the secret of the client of tests";

/// The user pool.
#[derive(Debug, Default)]
pub struct Cognito {
    /// By e-mail address.
    pub users: BTreeMap<String, PoolUser>,
    /// Deleted users. All other users exist.
    pub deleted: BTreeSet<String>,
    /// Sent text messages: number and code.
    pub text_messages: Vec<(String, String)>,
    /// Sent mails: e-mail address and code.
    pub mails: Vec<(String, String)>,
    /// By `sub`: attribute, value and code of a change that waits for its code.
    changes: BTreeMap<String, (String, String, String)>,
    sessions: BTreeMap<String, Session>,
    /// Valid refresh tokens, with the e-mail address of their owner.
    refresh_tokens: BTreeMap<String, String>,
}

/// A user with a password.
#[derive(Clone, Debug, Default)]
pub struct PoolUser {
    /// The `sub`.
    pub user_id: String,
    /// The password.
    pub password: String,
    /// The phone to which a code is sent at each sign-in.
    pub phone: Option<String>,
    /// The phone number that was verified.
    pub verified_phone: Option<String>,
    /// Whether each sign-in requires a code of an authenticator app.
    pub totp: bool,
    /// The groups of which the user is a member.
    pub groups: Vec<String>,
    /// Whether the user was disabled.
    pub disabled: bool,
}

/// A sign-in that waits for its code.
#[derive(Debug)]
struct Session {
    email: String,
    code: String,
    began: Duration,
}

impl PoolUser {
    /// The name of the second factor.
    fn factor(&self) -> Option<&'static str> {
        if self.totp { Some("SOFTWARE_TOKEN_MFA") } else { self.phone.as_ref().map(|_| "SMS_MFA") }
    }
}

impl Cognito {
    fn by_id(&mut self, user_id: &str) -> Result<&mut PoolUser, ServiceError> {
        let user = self.users.values_mut().find(|user| user.user_id == user_id);
        user.ok_or_else(|| ServiceError::new(400, "UserNotFoundException", "User does not exist."))
    }

    /// The number of sessions that can be refreshed.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.refresh_tokens.len()
    }

    /// Begins a session of `user_id` with this refresh token, as a sign-in does.
    pub fn begin_session(&mut self, user_id: &str, refresh_token: String) {
        let email = format!("{user_id}@nova.example");
        self.users.entry(email.clone()).or_insert_with(|| PoolUser {
            user_id: user_id.to_owned(),
            password: refresh_token.clone(),
            ..PoolUser::default()
        });
        self.refresh_tokens.insert(refresh_token, email);
    }

    /// The refresh tokens that are good.
    pub fn refresh_tokens(&self) -> impl Iterator<Item = &str> {
        self.refresh_tokens.keys().map(String::as_str)
    }
}

pub(super) fn answer(state: &mut State, operation: &str, input: &Value) -> Result<Answer, ServiceError> {
    if operation.starts_with("Admin") {
        return administer(state, operation, input);
    }
    check_secret(state, operation, input)?;
    match (operation, input["AuthFlow"].as_str()) {
        ("InitiateAuth", Some("USER_PASSWORD_AUTH")) => begin(state, &input["AuthParameters"]),
        ("InitiateAuth", Some("REFRESH_TOKEN_AUTH")) => refresh(state, &input["AuthParameters"]),
        ("RespondToAuthChallenge", _) => respond(state, input),
        ("RevokeToken", _) => {
            state.cognito.refresh_tokens.remove(text(&input["Token"]));
            Ok(Answer::json(&json!({})))
        }
        ("ForgotPassword", _) => forgot(state, text(&input["Username"])),
        ("ConfirmForgotPassword", _) => reset(state, input),
        ("DescribeUserPool", _) => Ok(Answer::json(&json!({ "UserPool": { "Id": input["UserPoolId"] } }))),
        _ => factors::answer(state, operation, input),
    }
}

/// The identity pool: gives credentials to the owner of a token.
pub(super) fn answer_identity(operation: &str, input: &Value) -> Result<Answer, ServiceError> {
    let token = input["Logins"].as_object().and_then(|logins| logins.values().next());
    if token.and_then(Value::as_str).and_then(owner).is_none() {
        return Err(not_authorized("Invalid login token."));
    }
    match operation {
        "GetId" => Ok(Answer::json(&json!({ "IdentityId": "us-east-1:identity" }))),
        "GetCredentialsForIdentity" => Ok(Answer::json(&json!({
            "IdentityId": "us-east-1:identity",
            "Credentials": {
                "AccessKeyId": "key", "SecretKey": "secret", "SessionToken": "session",
                "Expiration": 1_795_594_530,
            },
        }))),
        other => Err(ServiceError::unsupported(format!("the identity pool's {other}"))),
    }
}

/// Calls with which the service names a user.
fn administer(state: &mut State, operation: &str, input: &Value) -> Result<Answer, ServiceError> {
    let name = text(&input["Username"]);
    if operation == "AdminDeleteUser" {
        return delete(state, name);
    }
    let by_email = state.cognito.users.get(name).map(|user| user.user_id.clone());
    let user = by_email.unwrap_or_else(|| name.to_owned());
    if state.cognito.deleted.contains(&user) {
        return Err(ServiceError::new(400, "UserNotFoundException", "User does not exist."));
    }
    match operation {
        "AdminGetUser" => {
            let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
            let known = state.cognito.users.iter().find(|(_, known)| known.user_id == user);
            let email = known.map_or_else(|| format!("{user}@nova.example"), |(email, _)| email.clone());
            let attributes =
                [attribute("sub", &user), attribute("name", "Somebody"), attribute("email", &email)];
            let factor = known.and_then(|(_, known)| known.factor());
            Ok(Answer::json(&json!({
                "Username": user, "UserAttributes": attributes,
                "PreferredMfaSetting": factor, "UserMFASettingList": Vec::from_iter(factor),
            })))
        }
        "AdminUserGlobalSignOut" => {
            let users = &state.cognito.users;
            let is_of = |email: &String| users.get(email).is_some_and(|owner| owner.user_id == user);
            state.cognito.refresh_tokens.retain(|_, email| !is_of(email));
            Ok(Answer::json(&json!({})))
        }
        "AdminSetUserMFAPreference" => factors::prefer(state, &user, input),
        "AdminSetUserPassword" => {
            state.cognito.by_id(&user)?.password = text(&input["Password"]).to_owned();
            Ok(Answer::json(&json!({})))
        }
        "AdminUpdateUserAttributes" => Ok(Answer::json(&json!({}))),
        other => Err(ServiceError::unsupported(format!("Cognito {other}"))),
    }
}

/// Refuses a call that does not prove to come from the client.
fn check_secret(state: &State, operation: &str, input: &Value) -> Result<(), ServiceError> {
    let (parameters, hash) = match operation {
        "InitiateAuth" => (&input["AuthParameters"], "SECRET_HASH"),
        "RespondToAuthChallenge" => (&input["ChallengeResponses"], "SECRET_HASH"),
        "RevokeToken" if input["ClientSecret"] != CLIENT_SECRET => {
            return Err(not_authorized("Invalid client secret."));
        }
        _ => return Ok(()),
    };
    let username = match state.cognito.refresh_tokens.get(text(&parameters["REFRESH_TOKEN"])) {
        Some(email) => state.cognito.users.get(email).map(|user| user.user_id.as_str()),
        None => parameters["USERNAME"].as_str(),
    };
    // An unknown refresh token is refused as such.
    let Some(username) = username else { return Ok(()) };
    let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
    let expected = BASE64_STANDARD.encode(hmac::sign(&key, format!("{username}{CLIENT_ID}").as_bytes()));
    if parameters[hash] == expected && input["ClientId"] == CLIENT_ID {
        return Ok(());
    }
    Err(not_authorized("Unable to verify secret hash for client."))
}

fn begin(state: &mut State, parameters: &Value) -> Result<Answer, ServiceError> {
    let email = text(&parameters["USERNAME"]);
    let user = state.cognito.users.get(email).filter(|user| user.password == text(&parameters["PASSWORD"]));
    let user = user.cloned().ok_or_else(|| not_authorized("Incorrect username or password."))?;
    if user.disabled {
        return Err(not_authorized("User is disabled."));
    }
    let Some(factor) = user.factor() else { return Ok(signed_in(state, email, &user)) };
    let session = random(state);
    let phone = user.phone.as_ref().filter(|_| !user.totp);
    let code = if let Some(phone) = phone {
        let code = format!("{:06}", state.below(1_000_000));
        state.cognito.text_messages.push((phone.clone(), code.clone()));
        code
    } else {
        TOTP_CODE.to_owned()
    };
    let waiting = Session { email: email.to_owned(), code, began: state.now() };
    state.cognito.sessions.insert(session.clone(), waiting);
    let Some(phone) = phone else {
        return Ok(Answer::json(&json!({
            "ChallengeName": factor, "Session": session,
            "ChallengeParameters": { "USER_ID_FOR_SRP": user.user_id },
        })));
    };
    let last = &phone[phone.len().saturating_sub(4)..];
    Ok(Answer::json(&json!({
        "ChallengeName": factor,
        "Session": session,
        "ChallengeParameters": {
            "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS",
            "CODE_DELIVERY_DESTINATION": format!("+*******{last}"),
            "USER_ID_FOR_SRP": user.user_id,
        },
    })))
}

fn respond(state: &mut State, input: &Value) -> Result<Answer, ServiceError> {
    let (name, responses) = (text(&input["Session"]), &input["ChallengeResponses"]);
    let invalid = || not_authorized("Invalid session for the user.");
    let session = state.cognito.sessions.get(name).ok_or_else(invalid)?;
    if state.now().saturating_sub(session.began) > SESSION_VALIDITY {
        return Err(not_authorized("Invalid session for the user, session is expired."));
    }
    let email = session.email.clone();
    let user = state.cognito.users.get(&email).filter(|user| user.user_id == text(&responses["USERNAME"]));
    let user = user.cloned().ok_or_else(invalid)?;
    let given = ["SMS_MFA_CODE", "SOFTWARE_TOKEN_MFA_CODE"].map(|name| text(&responses[name]));
    if !given.contains(&session.code.as_str()) {
        return Err(ServiceError::new(
            400,
            "CodeMismatchException",
            "Invalid code or auth state for the user.",
        ));
    }
    state.cognito.sessions.remove(name);
    Ok(signed_in(state, &email, &user))
}

fn forgot(state: &mut State, email: &str) -> Result<Answer, ServiceError> {
    let user = state.cognito.users.get(email).map(|user| user.user_id.clone());
    if let Some(user) = user {
        let code = format!("{:06}", state.below(1_000_000));
        state.cognito.mails.push((email.to_owned(), code.clone()));
        state.cognito.changes.insert(user, ("password".to_owned(), String::new(), code));
    }
    Ok(Answer::json(&json!({ "CodeDeliveryDetails": { "DeliveryMedium": "EMAIL" } })))
}

fn reset(state: &mut State, input: &Value) -> Result<Answer, ServiceError> {
    let wrong = || ServiceError::new(400, "CodeMismatchException", "Invalid verification code provided.");
    let user = state.cognito.users.get_mut(text(&input["Username"])).ok_or_else(wrong)?;
    let change = state.cognito.changes.get(&user.user_id).filter(|(name, _, _)| name == "password");
    if change.is_none_or(|(_, _, code)| input["ConfirmationCode"] != **code) {
        return Err(wrong());
    }
    user.password = text(&input["Password"]).to_owned();
    state.cognito.changes.remove(&user.user_id);
    Ok(Answer::json(&json!({})))
}

fn refresh(state: &State, parameters: &Value) -> Result<Answer, ServiceError> {
    let email = state.cognito.refresh_tokens.get(text(&parameters["REFRESH_TOKEN"]));
    let user = email.and_then(|email| state.cognito.users.get(email));
    let user = user.filter(|user| !user.disabled);
    let user = user.ok_or_else(|| not_authorized("Refresh Token has been revoked"))?;
    Ok(Answer::json(&json!({ "AuthenticationResult": result(user) })))
}

fn delete(state: &mut State, user: &str) -> Result<Answer, ServiceError> {
    let deleted = state.cognito.deleted.insert(user.to_owned());
    let missing = || ServiceError::new(400, "UserNotFoundException", "User does not exist.");
    if deleted { Ok(Answer::json(&json!({}))) } else { Err(missing()) }
}

fn signed_in(state: &mut State, email: &str, user: &PoolUser) -> Answer {
    let token = random(state);
    state.cognito.refresh_tokens.insert(token.clone(), email.to_owned());
    let mut result = result(user);
    result["RefreshToken"] = json!(token);
    Answer::json(&json!({ "AuthenticationResult": result }))
}

fn result(user: &PoolUser) -> Value {
    let claims = json!({ "sub": user.user_id, "username": user.user_id, "cognito:groups": user.groups });
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let token = format!("e30.{claims}.e30");
    json!({ "AccessToken": token, "IdToken": token, "ExpiresIn": 300, "TokenType": "Bearer" })
}

/// A random text of 32 digits.
fn random(state: &mut State) -> String {
    (0..4).map(|_| format!("{:08x}", state.below(u32::MAX))).collect()
}

fn not_authorized(message: &str) -> ServiceError {
    ServiceError::new(400, "NotAuthorizedException", message)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The subject of a token.
fn owner(token: &str) -> Option<String> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}
