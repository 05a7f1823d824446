//! Cognito: says of the owner of an access token what the token says, and takes what is written. It keeps no users but
//! those that were deleted, and verifies no token: tests of sign-up and sign-in run against the local cloud.

use std::collections::BTreeSet;

use base64::Engine as _;
use serde_json::{Value, json};

use super::reply::{Answer, Refusal};

/// The user pool.
#[derive(Debug, Default)]
pub struct Cognito {
    /// Users that were deleted. All others are there.
    pub deleted: BTreeSet<String>,
}

pub(super) fn answer(pool: &mut Cognito, operation: &str, input: &Value) -> Result<Answer, Refusal> {
    match operation {
        "DescribeUserPool" => return Ok(Answer::json(&json!({ "UserPool": { "Id": input["UserPoolId"] } }))),
        "AdminDeleteUser" => {
            let user = input["Username"].as_str().unwrap_or_default().to_owned();
            let deleted = pool.deleted.insert(user);
            let missing = || Refusal::new(400, "UserNotFoundException", "User does not exist.");
            return if deleted { Ok(Answer::json(&json!({}))) } else { Err(missing()) };
        }
        _ => {}
    }
    let user = owner(input["AccessToken"].as_str().unwrap_or_default());
    let user = user.ok_or_else(|| Refusal::new(400, "NotAuthorizedException", "Invalid Access Token"))?;
    match operation {
        "GetUser" => {
            let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
            let attributes = [
                attribute("sub", &user),
                attribute("name", "Somebody"),
                attribute("email", &format!("{user}@nova.example")),
            ];
            Ok(Answer::json(&json!({ "Username": user, "UserAttributes": attributes })))
        }
        "UpdateUserAttributes" | "GlobalSignOut" => Ok(Answer::json(&json!({}))),
        "AssociateSoftwareToken" => {
            Ok(Answer::json(&json!({ "SecretCode": "NEVERUSEDANYWHERE234567ABCDEFGHI" })))
        }
        other => Err(Refusal::unsupported(format!("Cognito {other}"))),
    }
}

/// The subject of a token.
fn owner(token: &str) -> Option<String> {
    let claims = token.split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}
