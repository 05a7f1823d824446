//! Changes of an account under attack: with a stolen access token, with guesses, and by the reader of one of two mailboxes.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

mod factors;

use std::{collections::BTreeSet, time::Duration};

use ingress::{account::sessions::CHECK_INTERVAL, api};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    deployment::SESSIONS,
    live::{Live, LiveOptions, block_on},
    model::{Outage, PoolUser, TOTP_CODE},
};

const EMAIL: &str = "learner-1@nova.example";
const NEW_EMAIL: &str = "mina@school.example";
const LEARNER: &str = "learner-1";
const PASSWORD: &str = "Speak-English-1";
const WRONG_PASSWORD: &str = "Speak-English-0";
const PHONE: &str = "+821012341234";

/// The routes that change, export or delete an account.
const GUARDED: [(&str, &str); 11] = [
    ("DELETE", "/api/me"),
    ("GET", "/api/me/export"),
    ("POST", "/auth/email"),
    ("POST", "/auth/email/verify"),
    ("POST", "/auth/mfa/off"),
    ("POST", "/auth/password"),
    ("POST", "/auth/phone"),
    ("POST", "/auth/phone/verify"),
    ("POST", "/auth/recovery-codes"),
    ("POST", "/auth/totp"),
    ("POST", "/auth/totp/verify"),
];

async fn start() -> Live {
    let options = LiveOptions::default().with("refused-email-domains", "-example");
    let live = Live::start(options).await.unwrap();
    let user = PoolUser { user_id: LEARNER.to_owned(), password: PASSWORD.to_owned(), ..PoolUser::default() };
    live.cloud.state().cognito.users.insert(EMAIL.to_owned(), user);
    live
}

fn change(live: &Live, change: impl FnOnce(&mut PoolUser)) {
    change(live.cloud.state().cognito.users.get_mut(EMAIL).unwrap());
}

/// Status, problem code and body.
type Answer = (u16, String, Value);

async fn call(live: &Live, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = live.http().request(method, format!("{}{path}", live.url())).bearer_auth(token);
    if !body.is_null() {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned(), body)
}

async fn post(live: &Live, token: &str, path: &str, body: &Value) -> Answer {
    call(live, token, "POST", path, body).await
}

async fn sign_in_as(live: &Live, email: &str, more: Value) -> Answer {
    let mut body = json!({ "email": email, "password": PASSWORD });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    post(live, "none", "/auth/sign-in", &body).await
}

async fn sign_in(live: &Live) -> String {
    let (status, _, answer) = sign_in_as(live, EMAIL, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    answer["accessToken"].as_str().unwrap().to_owned()
}

async fn me(live: &Live, token: &str) -> Value {
    call(live, token, "GET", "/api/me", &Value::Null).await.2
}

/// Lets the last proofs of all sessions be so old, and waits until no task remembers the former ones.
async fn age_proofs(live: &Live, by: Duration) {
    tokio::time::sleep(CHECK_INTERVAL).await;
    let mut state = live.cloud.state();
    let items = &mut state.dynamodb.tables.get_mut(SESSIONS).unwrap().items;
    for item in items.values_mut() {
        let at: i64 = item["steppedUpAt"]["N"].as_str().unwrap().parse().unwrap();
        let at = at - i64::try_from(by.as_millis()).unwrap();
        item.insert("steppedUpAt".to_owned(), json!({ "N": at.to_string() }));
    }
}

/// The code in the last mail of the pool to this address.
fn mailed(live: &Live, email: &str) -> Option<String> {
    let state = live.cloud.state();
    let mails = state.cognito.mails.iter().rev();
    mails.clone().find(|(to, _)| to == email).map(|(_, code)| code.clone())
}

/// The code in the last text message.
fn texted(live: &Live) -> String {
    live.cloud.state().cognito.text_messages.last().unwrap().1.clone()
}

/// How many notices with this text were mailed to this address.
fn notices(live: &Live, to: &str, text: &str) -> usize {
    let state = live.cloud.state();
    state.ses.mails.iter().filter(|mail| mail.to == to && mail.text.contains(text)).count()
}

fn counted(live: &Live, metric: &str) -> Value {
    live.app.metrics.document(0, 0, 0).encode(jiff::Timestamp::now()).unwrap()[metric].clone()
}

#[test]
fn stolen_access_token_changes_nothing_five_minutes_after_the_last_proof() {
    block_on(async {
        let live = start().await;
        let (stolen, other) = (sign_in(&live).await, sign_in(&live).await);
        age_proofs(&live, Duration::from_secs(301)).await;
        for (method, path) in GUARDED {
            let (status, code, _) = call(&live, &stolen, method, path, &Value::Null).await;
            assert_eq!((status, code.as_str()), (403, "step_up_required"), "{method} {path}");
        }
        let wrong = json!({ "password": WRONG_PASSWORD });
        let (status, code, _) = post(&live, &stolen, "/auth/step-up", &wrong).await;
        assert_eq!((status, code.as_str()), (403, "password_wrong"));
        assert_eq!(counted(&live, "SecurityStepUpFailures"), 1, "operators see it");

        let (status, _, answer) =
            post(&live, &other, "/auth/step-up", &json!({ "password": PASSWORD })).await;
        assert_eq!(
            (status, &answer["status"], &answer["expiresIn"]),
            (200, &json!("steppedUp"), &json!(300))
        );
        assert_eq!(live.cloud.state().cognito.sessions(), 2, "the tokens of the check are valid");
        let new = json!({ "newPassword": "Speak-English-2" });
        assert_eq!(
            post(&live, &stolen, "/auth/password", &new).await.0,
            403,
            "the proof is of another session"
        );
        assert_eq!(post(&live, &other, "/auth/password", &new).await.0, 204);
        assert_eq!(notices(&live, EMAIL, "password of your account was changed"), 1);
        age_proofs(&live, Duration::from_secs(290)).await;
        assert_eq!(post(&live, &other, "/auth/password", &new).await.0, 204);
        age_proofs(&live, Duration::from_secs(11)).await;
        assert_eq!(post(&live, &other, "/auth/password", &new).await.0, 403);
        live.stop().await.unwrap();
    });
}

#[test]
fn every_route_that_changes_an_account_is_guarded() {
    let documented = api::openapi::document(&api::resources());
    let mut guarded = BTreeSet::new();
    for (path, operations) in documented["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation.to_string().contains("step_up_required") {
                guarded.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    let expected = GUARDED.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(guarded, BTreeSet::from(expected));
}

#[test]
fn step_up_needs_the_second_factor_where_there_is_one() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        let new = json!({ "newPassword": PASSWORD });
        age_proofs(&live, Duration::from_secs(301)).await;
        change(&live, |user| user.phone = Some(PHONE.to_owned()));
        let password = json!({ "password": PASSWORD });
        let (status, _, asked) = post(&live, &token, "/auth/step-up", &password).await;
        assert_eq!(
            (status, &asked["status"], &asked["challenge"]),
            (200, &json!("challenge"), &json!("sms"))
        );
        assert_eq!(post(&live, &token, "/auth/password", &new).await.0, 403, "the password alone is enough");
        let code = texted(&live);
        let wrong = if code == "000000" { "000001" } else { "000000" };
        for (body, status, problem) in [
            (json!({ "session": asked["session"], "code": wrong }), 422, "code_wrong"),
            (json!({ "session": "rubbish", "code": code }), 401, "challenge_ended"),
            (json!({ "session": asked["session"] }), 422, "field_invalid"),
            (json!({ "code": code }), 422, "field_invalid"),
        ] {
            let (found, code, _) = post(&live, &token, "/auth/step-up", &body).await;
            assert_eq!((found, code.as_str()), (status, problem), "{body}");
        }
        // The challenge of another account proves nothing.
        let stranger = PoolUser {
            user_id: "learner-2".to_owned(),
            password: PASSWORD.to_owned(),
            phone: Some("+821099999999".to_owned()),
            ..PoolUser::default()
        };
        live.cloud.state().cognito.users.insert("learner-2@nova.example".to_owned(), stranger);
        let foreign = sign_in_as(&live, "learner-2@nova.example", Value::Null).await.2;
        let body = json!({ "session": foreign["session"], "code": texted(&live) });
        assert_eq!(post(&live, &token, "/auth/step-up", &body).await.1, "challenge_ended");

        let right = json!({ "session": asked["session"], "code": code });
        assert_eq!(post(&live, &token, "/auth/step-up", &right).await.2["status"], "steppedUp");
        assert_eq!(post(&live, &token, "/auth/password", &new).await.0, 204);

        age_proofs(&live, Duration::from_secs(301)).await;
        change(&live, |user| user.totp = true);
        let with = |code: &str| json!({ "password": PASSWORD, "code": code });
        assert_eq!(post(&live, &token, "/auth/step-up", &with("000000")).await.1, "code_wrong");
        assert_eq!(post(&live, &token, "/auth/step-up", &with(TOTP_CODE)).await.2["status"], "steppedUp");
        assert_eq!(live.cloud.state().cognito.sessions(), 1, "the tokens of a check are valid");
        live.stop().await.unwrap();
    });
}

#[test]
fn guesses_at_a_step_up_are_those_of_a_sign_in() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        for _ in 0..10 {
            let wrong = json!({ "password": WRONG_PASSWORD });
            assert_eq!(post(&live, &token, "/auth/step-up", &wrong).await.1, "password_wrong");
        }
        let right = json!({ "password": PASSWORD });
        assert_eq!(post(&live, &token, "/auth/step-up", &right).await.1, "too_many_requests");
        assert_eq!(sign_in_as(&live, EMAIL, Value::Null).await.0, 429, "the sign-in has guesses of its own");
        live.stop().await.unwrap();
    });
}

#[test]
fn text_messages_of_proofs_that_are_not_completed_are_limited() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        change(&live, |user| user.phone = Some(PHONE.to_owned()));
        let password = json!({ "password": PASSWORD });
        for number in 0..10 {
            let status = if number % 2 == 0 {
                post(&live, &token, "/auth/step-up", &password).await.0
            } else {
                sign_in_as(&live, EMAIL, Value::Null).await.0
            };
            assert_eq!(status, 200);
        }
        assert_eq!(post(&live, &token, "/auth/step-up", &password).await.0, 429);
        assert_eq!(sign_in_as(&live, EMAIL, Value::Null).await.0, 429);
        assert_eq!(live.cloud.state().cognito.text_messages.len(), 10, "text messages cost money");
        live.stop().await.unwrap();
    });
}

#[test]
fn completed_proofs_with_text_messages_are_not_limited() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        change(&live, |user| user.phone = Some(PHONE.to_owned()));
        for _ in 0..12 {
            let asked = post(&live, &token, "/auth/step-up", &json!({ "password": PASSWORD })).await.2;
            let proof = json!({ "session": asked["session"], "code": texted(&live) });
            assert_eq!(
                post(&live, &token, "/auth/step-up", &proof).await.2["status"],
                "steppedUp",
                "{asked}"
            );
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn mail_that_cannot_be_sent_fails_no_change() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        {
            let mut state = live.cloud.state();
            let since = state.now();
            let until = since + Duration::from_secs(3600);
            let response = (400, "MessageRejected");
            state.outage = Some(Outage { service: "email", response, since, until });
        }
        let new = json!({ "newPassword": PASSWORD });
        assert_eq!(post(&live, &token, "/auth/password", &new).await.0, 204);
        assert_eq!(counted(&live, "FailedNotices"), 1);
        live.stop().await.unwrap();
    });
}

#[test]
fn e_mail_address_changes_with_the_code_that_was_sent_to_the_new_one() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        let request = json!({ "email": NEW_EMAIL });
        let asked = post(&live, &token, "/auth/email", &request).await;
        assert_eq!((asked.0, &asked.2["codeSent"]), (200, &json!(true)));
        assert_eq!(me(&live, &token).await["email"], EMAIL, "it changes before it is verified");
        assert_eq!(sign_in_as(&live, NEW_EMAIL, Value::Null).await.0, 401);
        let code = mailed(&live, NEW_EMAIL).unwrap();
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let verify =
            async |code: &str| post(&live, &token, "/auth/email/verify", &json!({ "code": code })).await;
        assert_eq!(verify(wrong).await.1, "code_wrong");
        assert_eq!(verify(&code).await.0, 204);
        assert_eq!(me(&live, &token).await["email"], NEW_EMAIL);
        assert_eq!(sign_in_as(&live, EMAIL, Value::Null).await.0, 401);
        assert_eq!(sign_in_as(&live, NEW_EMAIL, Value::Null).await.0, 200);
        for address in [EMAIL, NEW_EMAIL] {
            assert_eq!(notices(&live, address, "e-mail address of your account was changed"), 1, "{address}");
        }

        // The address of another account looks like a new one, and gets no code.
        let taken = PoolUser { user_id: "learner-2".to_owned(), ..PoolUser::default() };
        live.cloud.state().cognito.users.insert("taken@nova.example".to_owned(), taken);
        let refused = post(&live, &token, "/auth/email", &json!({ "email": "taken@nova.example" })).await;
        assert_eq!((refused.0, &refused.2), (asked.0, &asked.2));
        assert_eq!(mailed(&live, "taken@nova.example"), None);
        live.stop().await.unwrap();
    });
}
