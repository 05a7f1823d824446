//! Cognito: signs in the users that a test has added to the pool, with a password and, for a user with a phone, a code by text
//! message. It refuses a call without the hash of its client's secret. It does not sign its access tokens: the service never
//! gives them away. Tests of sign-up run against the local cloud.

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
    sessions: BTreeMap<String, Session>,
    /// Valid refresh tokens, with the e-mail address of their owner.
    refresh_tokens: BTreeMap<String, String>,
}

/// A user with a password.
#[derive(Clone, Debug)]
pub struct PoolUser {
    /// The `sub`.
    pub user_id: String,
    /// The password.
    pub password: String,
    /// The phone to which a code is sent at each sign-in.
    pub phone: Option<String>,
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

impl Cognito {
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
            phone: None,
            groups: Vec::new(),
            disabled: false,
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
        return administer(state, operation, text(&input["Username"]));
    }
    check_secret(state, operation, input)?;
    match (operation, input["AuthFlow"].as_str()) {
        ("InitiateAuth", Some("USER_PASSWORD_AUTH")) => begin(state, &input["AuthParameters"]),
        ("InitiateAuth", Some("REFRESH_TOKEN_AUTH")) => refresh(state, &input["AuthParameters"]),
        ("RespondToAuthChallenge", _) if input["ChallengeName"] == "SMS_MFA" => respond(state, input),
        ("RevokeToken", _) => {
            state.cognito.refresh_tokens.remove(text(&input["Token"]));
            Ok(Answer::json(&json!({})))
        }
        ("DescribeUserPool", _) => Ok(Answer::json(&json!({ "UserPool": { "Id": input["UserPoolId"] } }))),
        _ => answer_owner(state, operation, text(&input["AccessToken"])),
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
fn administer(state: &mut State, operation: &str, name: &str) -> Result<Answer, ServiceError> {
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
            let attributes = [
                attribute("sub", &user),
                attribute("name", "Somebody"),
                attribute("email", &format!("{user}@nova.example")),
            ];
            Ok(Answer::json(&json!({ "Username": user, "UserAttributes": attributes })))
        }
        "AdminUserGlobalSignOut" => {
            let users = &state.cognito.users;
            let is_of = |email: &String| users.get(email).is_some_and(|owner| owner.user_id == user);
            state.cognito.refresh_tokens.retain(|_, email| !is_of(email));
            Ok(Answer::json(&json!({})))
        }
        "AdminUpdateUserAttributes" | "AdminSetUserMFAPreference" => Ok(Answer::json(&json!({}))),
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

fn answer_owner(state: &State, operation: &str, token: &str) -> Result<Answer, ServiceError> {
    let user = owner(token).filter(|user| !state.cognito.deleted.contains(user));
    user.ok_or_else(|| not_authorized("Invalid Access Token"))?;
    match operation {
        "AssociateSoftwareToken" => {
            Ok(Answer::json(&json!({ "SecretCode": "NEVERUSEDANYWHERE234567ABCDEFGHI" })))
        }
        other => Err(ServiceError::unsupported(format!("Cognito {other}"))),
    }
}

fn begin(state: &mut State, parameters: &Value) -> Result<Answer, ServiceError> {
    let email = text(&parameters["USERNAME"]);
    let user = state.cognito.users.get(email).filter(|user| user.password == text(&parameters["PASSWORD"]));
    let user = user.cloned().ok_or_else(|| not_authorized("Incorrect username or password."))?;
    if user.disabled {
        return Err(not_authorized("User is disabled."));
    }
    let Some(phone) = &user.phone else { return Ok(signed_in(state, email, &user)) };
    let code = format!("{:06}", state.below(1_000_000));
    let session = random(state);
    state.cognito.text_messages.push((phone.clone(), code.clone()));
    let waiting = Session { email: email.to_owned(), code, began: state.now() };
    state.cognito.sessions.insert(session.clone(), waiting);
    let last = &phone[phone.len().saturating_sub(4)..];
    Ok(Answer::json(&json!({
        "ChallengeName": "SMS_MFA",
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
    if session.code != text(&responses["SMS_MFA_CODE"]) {
        return Err(ServiceError::new(
            400,
            "CodeMismatchException",
            "Invalid code or auth state for the user.",
        ));
    }
    state.cognito.sessions.remove(name);
    Ok(signed_in(state, &email, &user))
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
