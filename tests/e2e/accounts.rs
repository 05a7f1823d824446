//! Sign-up, sign-in and sign-out through the real ingress, the user pool and its triggers.

mod triggers;

use std::{future::ready, pin::pin};

use anyhow::{Context as _, ensure};
use aws_sdk_cognitoidentityprovider::{
    Client as Cognito,
    types::{AttributeType, MessageActionType},
};
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use infra::local::{Instance, Service};
use serde_json::{Value, json};
use tests::system::{Delivery, System};

use crate::{
    beside_others,
    page::{Answer, Page, totp},
};

const PASSWORD: &str = "Speak-English-1";
const OTHER_PASSWORD: &str = "Speak-English-2";
const STRANGERS_PASSWORD: &str = "First-Pass-1";
const WRONG_PASSWORD: &str = "Speak-English-0";

/// Requests that one IP address may send within ten minutes.
const REQUESTS_MAX: usize = 3_000;

/// Requests of the flood at one time.
const REQUESTS_AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn learners_sign_up_in_and_out_and_nobody_learns_who_is_known() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let only_ingress = |options: &mut infra::local::StackOptions| options.services = vec![Service::Ingress];
    let system = System::start_with("accounts", Delivery::Once, only_ingress).await?;
    let mut page = Page::new(system.stack.url(), system.stack.cloud().endpoint())?;
    check_sign_up(&system, &page).await?;
    triggers::check(&system).await?;
    check_prepared_account(&system, &page).await?;
    check_sessions(&system, &mut page).await?;
    check_aws_credentials(&system, &mut page).await?;
    check_second_factor(&mut page).await?;
    check_passwords(&system, &mut page).await?;
    check_temporary_password(&system, &mut page).await?;
    check_limits(&page).await?;
    check_log(&system, &page).await?;
    system.stop().await
}

async fn check_sign_up(system: &System, page: &Page) -> anyhow::Result<()> {
    let mina = |email: &str| json!({ "email": email });
    for (email, code, field) in [
        ("mina@mailinator.com", "email_refused", Value::Null),
        ("mina@nova", "field_invalid", json!("email")),
    ] {
        let refused = page.post("/auth/sign-up", &mina(email)).await?.expect(422, code)?;
        ensure!(refused.body.get("field").cloned().unwrap_or_default() == field, "{refused:?}");
    }
    // The password is that of the request with the code, and of no other.
    let early = json!({ "email": "mina@nova.example", "password": OTHER_PASSWORD });
    page.post("/auth/sign-up", &early).await?.expect(422, "field_invalid")?;
    let taken = page.post("/auth/sign-up", &mina(" Mina@Nova.example ")).await?;
    ensure!(taken.status == 202, "{taken:?}");
    let known = page.post("/auth/sign-up", &mina("mina@nova.example")).await?;
    ensure!(known.looks_like(&taken), "a known e-mail address gets {known:?}, a new one {taken:?}");

    // An unconfirmed account, a wrong password and an unknown address look the same.
    let unconfirmed = sign_in(page, "mina@nova.example", PASSWORD).await?.expect(401, "credentials_wrong")?;
    let unknown = sign_in(page, "nobody@nova.example", PASSWORD).await?;
    ensure!(unknown.looks_like(&unconfirmed), "{unknown:?} is not {unconfirmed:?}");

    let (code, mails) = page.mailed_code("mina@nova.example").await?;
    ensure!(mails == 1, "{mails} mails for a sign-up and its repetition");
    let confirm = |email: &str, code: &str, password: &str, name: &str| {
        json!({
            "email": email, "code": code, "password": password, "name": name, "level": "A2",
            "interests": ["cooking", "trains"], "timeZone": "Asia/Seoul", "feedbackLanguage": "ko", "pageLanguage": "ko",
        })
    };
    for (password, name, code, field) in
        [("weak", "Mina", "password_weak", Value::Null), (PASSWORD, "", "field_invalid", json!("name"))]
    {
        let body = confirm("mina@nova.example", "000000", password, name);
        let refused = page.post("/auth/confirm", &body).await?.expect(422, code)?;
        ensure!(refused.body.get("field").cloned().unwrap_or_default() == field, "{refused:?}");
    }
    let confirm = |email: &str, code: &str| confirm(email, code, PASSWORD, "Mina Kim");
    let wrong = page
        .post("/auth/confirm", &confirm("mina@nova.example", "000000"))
        .await?
        .expect(422, "code_wrong")?;
    let unknown = page.post("/auth/confirm", &confirm("nobody@nova.example", "000000")).await?;
    ensure!(unknown.looks_like(&wrong), "{unknown:?} is not {wrong:?}");
    let again = page.post("/auth/resend", &mina("mina@nova.example")).await?;
    let unknown = page.post("/auth/resend", &mina("nobody@nova.example")).await?;
    ensure!(again.status == 202 && unknown.looks_like(&again), "{unknown:?} is not {again:?}");
    ensure!(page.mailed_code("mina@nova.example").await?.1 == 2, "no second mail");
    let confirmed = page.post("/auth/confirm", &confirm("MINA@nova.example", &code)).await?;
    ensure!(confirmed.status == 204, "{confirmed:?}");
    let twice = page.post("/auth/confirm", &confirm("mina@nova.example", &code)).await?;
    ensure!(twice.looks_like(&wrong), "a confirmed e-mail address gets {twice:?}");
    let confirmed = page.post("/auth/resend", &mina("mina@nova.example")).await?;
    ensure!(confirmed.looks_like(&again), "{confirmed:?} is not {again:?}");
    let record = triggers::user(system, "mina@nova.example").await?.context("no record")?;
    let text = |name: &str| record[name].as_s().map_or("", String::as_str).to_owned();
    let profile = ["name", "level", "timeZone", "feedbackLanguage", "pageLanguage"].map(text);
    ensure!(profile == ["Mina Kim", "A2", "Asia/Seoul", "ko", "ko"], "{record:?}");
    ensure!(!format!("{record:?}").contains("mina@"), "the record contains the e-mail address: {record:?}");
    Ok(())
}

/// An account that a stranger has prepared with a password of the stranger gets the owner's, and the stranger's is of no use.
async fn check_prepared_account(system: &System, page: &Page) -> anyhow::Result<()> {
    let taken = triggers::sign_up(system, "jun@nova.example", STRANGERS_PASSWORD).await?;
    ensure!(taken.is_none(), "{taken:?}");
    let (code, _) = page.mailed_code("jun@nova.example").await?;
    let confirm =
        json!({ "email": "jun@nova.example", "code": code, "password": PASSWORD, "name": "Jun Lee" });
    let confirmed = page.post("/auth/confirm", &confirm).await?;
    ensure!(confirmed.status == 204, "{confirmed:?}");
    sign_in(page, "jun@nova.example", STRANGERS_PASSWORD).await?.expect(401, "credentials_wrong")?;
    ensure!(sign_in(page, "jun@nova.example", PASSWORD).await?.body["user"]["name"] == "Jun Lee");

    // The owner of another one requests a reset. The code of the sign-up completes the account.
    let taken = triggers::sign_up(system, "suri@nova.example", STRANGERS_PASSWORD).await?;
    ensure!(taken.is_none(), "{taken:?}");
    let asked = page.post("/auth/forgot", &json!({ "email": "suri@nova.example" })).await?;
    let (code, mails) = page.mailed_code("suri@nova.example").await?;
    ensure!(asked.status == 202 && mails == 2, "{mails} mails: {asked:?}");
    let reset = |code: &str| json!({ "email": "suri@nova.example", "code": code, "password": PASSWORD });
    page.post("/auth/reset", &reset("000000")).await?.expect(422, "code_wrong")?;
    let completed = page.post("/auth/reset", &reset(&code)).await?;
    ensure!(completed.status == 204, "{completed:?}");
    sign_in(page, "suri@nova.example", STRANGERS_PASSWORD).await?.expect(401, "credentials_wrong")?;
    ensure!(sign_in(page, "suri@nova.example", PASSWORD).await?.status == 200, "the account is not complete");
    Ok(())
}

async fn check_sessions(system: &System, page: &mut Page) -> anyhow::Result<()> {
    let wrong = sign_in(page, "mina@nova.example", WRONG_PASSWORD).await?.expect(401, "credentials_wrong")?;
    let unknown = sign_in(page, "nobody@nova.example", WRONG_PASSWORD).await?;
    ensure!(unknown.looks_like(&wrong), "{unknown:?} is not {wrong:?}");
    page.by_cookie("/auth/refresh", true).await?.expect(401, "session_missing")?;

    // The sign-in creates a missing record.
    triggers::remove(system, "jun@nova.example").await?;
    let healed = sign_in(page, "jun@nova.example", PASSWORD).await?;
    ensure!(healed.body["user"]["name"] == "Jun Lee" && healed.body["user"]["level"] == "B1", "{healed:?}");
    ensure!(healed.body["expiresIn"] == 300, "{healed:?}");

    let answer = sign_in(page, "MINA@nova.example", PASSWORD).await?;
    ensure!(answer.body["user"]["interests"] == json!(["cooking", "trains"]), "{answer:?}");
    let token = page.keep(&answer)?;
    let started =
        page.post_as(&token, "/api/conversations", Some(&json!({ "imageId": "street-market" }))).await?;
    ensure!(started.status == 201, "the access token starts no conversation: {started:?}");

    page.by_cookie("/auth/refresh", false).await?.expect(403, "csrf_header_missing")?;
    let refreshed = page.by_cookie("/auth/refresh", true).await?;
    ensure!(refreshed.status == 200 && refreshed.body["user"]["name"] == "Mina Kim", "{refreshed:?}");
    let mut other = page.copy()?;
    other.sign_in("mina@nova.example", PASSWORD).await?;
    other.by_cookie("/auth/sign-out", false).await?.expect(403, "csrf_header_missing")?;
    let out = other.by_cookie("/auth/sign-out", true).await?;
    let ended = out
        .set_cookie
        .as_deref()
        .is_some_and(|cookie| cookie.contains("nova_session=; Path=/auth; Max-Age=0"));
    ensure!(out.status == 204 && ended, "{out:?}");
    let gone = other.by_cookie("/auth/refresh", true).await?.expect(401, "session_ended")?;
    ensure!(gone.set_cookie.is_some_and(|cookie| cookie.contains("Max-Age=0")), "the cookie stays");
    ensure!(other.by_cookie("/auth/sign-out", true).await?.status == 204, "signing out again fails");
    ensure!(page.by_cookie("/auth/refresh", true).await?.status == 200, "the other session ended as well");

    page.send_out_everywhere().await
}

/// The credentials are those of the authenticated role, which reads nothing that is a learner's. That it reads a picture only AWS
/// can prove: the local cloud has no condition key `dynamodb:Attributes`.
async fn check_aws_credentials(system: &System, page: &mut Page) -> anyhow::Result<()> {
    let token = page.sign_in("mina@nova.example", PASSWORD).await?;
    let given = page.post_as(&token, "/auth/aws-credentials", None).await?;
    ensure!(given.status == 200, "{given:?}");
    let fields = given.body.as_object().context("no object")?.keys().cloned().collect::<Vec<_>>();
    ensure!(fields == ["accessKeyId", "expiresAt", "secretAccessKey", "sessionToken"], "{fields:?}");
    let credentials = aws_credential_types::Credentials::new(
        given.text("accessKeyId")?,
        given.text("secretAccessKey")?,
        Some(given.text("sessionToken")?),
        None,
        "the page",
    );
    let credentials = aws_credential_types::provider::SharedCredentialsProvider::new(credentials);
    let sdk = system.stack.cloud().root().to_builder().credentials_provider(credentials).build();
    let identity = aws_sdk_sts::Client::new(&sdk).get_caller_identity().send().await?;
    let arn = identity.arn().unwrap_or_default();
    ensure!(arn.contains(":assumed-role/nova-identity-AuthenticatedRole-"), "{arn}");
    let get = aws_sdk_dynamodb::Client::new(&sdk).get_item();
    let get = get.table_name(&system.stack.outputs().users_table);
    let user = get.key("userId", AttributeValue::S("learner".to_owned())).send().await;
    let refused = user.err().context("it reads the records of learners")?;
    let code = refused.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default();
    ensure!(code.contains("AccessDenied"), "{refused:?}");
    Ok(())
}

async fn check_second_factor(page: &mut Page) -> anyhow::Result<()> {
    let token = page.sign_in("mina@nova.example", PASSWORD).await?;
    let begun = page.post_as(&token, "/auth/totp", None).await?;
    let secret = begun.text("secret")?;
    ensure!(begun.text("uri")?.contains(&secret), "{begun:?}");
    let verify = |code: &str| json!({ "code": code });
    page.post_as(&token, "/auth/totp/verify", Some(&verify("000000"))).await?.expect(422, "code_wrong")?;
    let on = page.post_as(&token, "/auth/totp/verify", Some(&verify(&totp(&secret)?))).await?;
    let recovery_code = on.body["recoveryCodes"][0].as_str().context("no recovery code")?.to_owned();
    let me = page.me(&token).await?;
    ensure!(me["secondFactor"] == "totp" && me["recoveryCodes"] == 10, "{me}");
    ensure!(me["email"] == "mina@nova.example", "{me}");

    let asked = sign_in(page, "mina@nova.example", PASSWORD).await?;
    ensure!(asked.body["status"] == "challenge" && asked.body["challenge"] == "totp", "{asked:?}");
    ensure!(asked.set_cookie.is_none() && asked.body.get("accessToken").is_none(), "{asked:?}");
    let session = asked.text("session")?;
    let respond =
        |session: &str, answer: &str| json!({ "session": session, "challenge": "totp", "answer": answer });
    page.post("/auth/challenge", &respond(&session, "000000")).await?.expect(422, "code_wrong")?;
    page.post("/auth/challenge", &respond("rubbish", "000000")).await?.expect(401, "challenge_ended")?;
    let answer = page.post("/auth/challenge", &respond(&session, &totp(&secret)?)).await?;
    let token = page.keep(&answer)?;

    let step_up = |password: &str, code: &str| json!({ "password": password, "code": code });
    let wrong = step_up(WRONG_PASSWORD, "000000");
    page.post_as(&token, "/auth/step-up", Some(&wrong)).await?.expect(403, "password_wrong")?;
    let right = step_up(PASSWORD, &totp(&secret)?);
    let done = page.post_as(&token, "/auth/step-up", Some(&right)).await?;
    ensure!(done.body["status"] == "steppedUp" && done.body["expiresIn"] == 300, "{done:?}");
    let done = page.post_as(&token, "/auth/mfa/off", None).await?;
    ensure!(done.status == 204, "{done:?}");
    page.sign_in("mina@nova.example", PASSWORD).await?;

    check_recovery(page, &recovery_code).await
}

/// Who has lost the authenticator app signs in with a recovery code, once.
async fn check_recovery(page: &mut Page, void: &str) -> anyhow::Result<()> {
    let token = page.sign_in("mina@nova.example", PASSWORD).await?;
    let secret = page.post_as(&token, "/auth/totp", None).await?.text("secret")?;
    let verify = json!({ "code": totp(&secret)? });
    let on = page.post_as(&token, "/auth/totp/verify", Some(&verify)).await?;
    let code = on.body["recoveryCodes"][9].as_str().context("no recovery code")?.to_owned();
    let recover = |code: &str, password: &str| json!({ "email": "mina@nova.example", "password": password, "recoveryCode": code });
    page.post("/auth/sign-in", &recover(&code, WRONG_PASSWORD)).await?.expect(401, "credentials_wrong")?;
    page.post("/auth/sign-in", &recover(void, PASSWORD)).await?.expect(422, "code_wrong")?;
    let answer = page.post("/auth/sign-in", &recover(&code, PASSWORD)).await?;
    let token = page.keep(&answer)?;
    let me = page.me(&token).await?;
    ensure!(me["secondFactor"] == "none" && me["recoveryCodes"] == 9, "{me}");

    let mails = page.mails("mina@nova.example").await?;
    for text in ["인증 앱이 설정", "2단계 로그인이 해제", "복구 코드로 계정에 로그인"]
    {
        ensure!(mails.iter().any(|mail| mail.contains(text)), "no mail says {text}: {mails:?}");
    }
    Ok(())
}

async fn check_passwords(system: &System, page: &mut Page) -> anyhow::Result<()> {
    let token = page.sign_in("mina@nova.example", PASSWORD).await?;
    let change = |new: &str| json!({ "newPassword": new });
    page.post_as(&token, "/auth/password", Some(&change("weak"))).await?.expect(422, "password_weak")?;
    let changed = page.post_as(&token, "/auth/password", Some(&change(OTHER_PASSWORD))).await?;
    ensure!(changed.status == 204, "{changed:?}");
    let mails = page.mails("mina@nova.example").await?;
    ensure!(
        mails.iter().any(|mail| mail.contains("비밀번호가 변경")),
        "no mail about the password: {mails:?}"
    );
    sign_in(page, "mina@nova.example", PASSWORD).await?.expect(401, "credentials_wrong")?;
    page.sign_in("mina@nova.example", OTHER_PASSWORD).await?;

    let asked = page.post("/auth/forgot", &json!({ "email": "mina@nova.example" })).await?;
    let unknown = page.post("/auth/forgot", &json!({ "email": "nobody@nova.example" })).await?;
    ensure!(asked.status == 202 && unknown.looks_like(&asked), "{unknown:?} is not {asked:?}");
    let (code, _) = page.mailed_code("mina@nova.example").await?;
    let reset = |email: &str, code: &str, password: &str| json!({ "email": email, "code": code, "password": password });
    let wrong = page.post("/auth/reset", &reset("mina@nova.example", "000000", PASSWORD)).await?;
    let wrong = wrong.expect(422, "code_wrong")?;
    let unknown = page.post("/auth/reset", &reset("nobody@nova.example", "000000", PASSWORD)).await?;
    ensure!(unknown.looks_like(&wrong), "{unknown:?} is not {wrong:?}");
    page.post("/auth/reset", &reset("mina@nova.example", &code, "weak"))
        .await?
        .expect(422, "password_weak")?;
    let replaced = page.post("/auth/reset", &reset("mina@nova.example", &code, PASSWORD)).await?;
    ensure!(replaced.status == 204, "{replaced:?}");
    page.by_cookie("/auth/refresh", true).await?.expect(401, "session_ended")?;
    page.sign_in("mina@nova.example", PASSWORD).await?;

    let cognito = Cognito::new(&system.stack.cloud().root());
    let pool = &system.stack.outputs().user_pool_id;
    cognito.admin_reset_user_password().user_pool_id(pool).username("jun@nova.example").send().await?;
    sign_in(page, "jun@nova.example", PASSWORD).await?.expect(403, "password_reset_required")?;
    Ok(())
}

/// The temporary password of an administrator only allows the learner to set a new one.
async fn check_temporary_password(system: &System, page: &mut Page) -> anyhow::Result<()> {
    let cognito = Cognito::new(&system.stack.cloud().root());
    let attribute = |name: &str, value: &str| AttributeType::builder().name(name).value(value).build();
    cognito
        .admin_create_user()
        .user_pool_id(&system.stack.outputs().user_pool_id)
        .username("analyst@nova.example")
        .temporary_password(OTHER_PASSWORD)
        .message_action(MessageActionType::Suppress)
        .user_attributes(attribute("email", "analyst@nova.example")?)
        .user_attributes(attribute("email_verified", "true")?)
        .user_attributes(attribute("name", "Ana Lyst")?)
        .send()
        .await?;
    let asked = sign_in(page, "analyst@nova.example", OTHER_PASSWORD).await?;
    ensure!(asked.body["challenge"] == "newPassword", "{asked:?}");
    let session = asked.text("session")?;
    let respond = |answer: &str| json!({ "session": session, "challenge": "newPassword", "answer": answer });
    page.post("/auth/challenge", &respond("weak")).await?.expect(422, "password_weak")?;
    let answer = page.post("/auth/challenge", &respond(PASSWORD)).await?;
    page.keep(&answer)?;
    ensure!(answer.body["user"]["name"] == "Ana Lyst", "{answer:?}");
    Ok(())
}

/// Each limit holds for known and unknown addresses, and its response has a `Retry-After`.
async fn check_limits(page: &Page) -> anyhow::Result<()> {
    let limited =
        |answer: &Answer| answer.status == 429 && answer.retry_after.is_some_and(|seconds| seconds > 0);
    for email in ["mina@nova.example", "limited@nova.example"] {
        for _ in 0..10 {
            sign_in(page, email, WRONG_PASSWORD).await?.expect(401, "credentials_wrong")?;
        }
        let eleventh = sign_in(page, email, PASSWORD).await?;
        ensure!(limited(&eleventh), "{eleventh:?}");
    }
    for path in ["/auth/confirm", "/auth/reset"] {
        let mut body = json!({ "email": "limited@nova.example", "code": "000000", "password": PASSWORD });
        if path == "/auth/confirm" {
            body["name"] = json!("Limited");
        }
        for _ in 0..10 {
            page.post(path, &body).await?.expect(422, "code_wrong")?;
        }
        let eleventh = page.post(path, &body).await?;
        ensure!(limited(&eleventh), "{path}: {eleventh:?}");
    }
    let email = json!({ "email": "limited@nova.example" });
    for path in ["/auth/resend", "/auth/forgot", "/auth/resend", "/auth/forgot", "/auth/resend"] {
        ensure!(page.post(path, &email).await?.status == 202, "{path} is limited too early");
    }
    let sixth = page.post("/auth/forgot", &email).await?;
    ensure!(limited(&sixth), "{sixth:?}");

    // Each request counts for the IP address of its client.
    let rubbish = json!({ "email": "rubbish" });
    let requests = stream::iter(0..REQUESTS_MAX).map(|_| page.post("/auth/forgot", &rubbish));
    let refused =
        requests.buffer_unordered(REQUESTS_AT_ONCE).try_filter(|answer| ready(answer.status == 429));
    let refused = pin!(refused).try_next().await?;
    ensure!(refused.is_some_and(|answer| limited(&answer)), "an IP address has no limit");
    let answer = page.by_cookie("/auth/refresh", true).await?;
    ensure!(limited(&answer), "{answer:?}");
    Ok(())
}

/// The log contains no input.
async fn check_log(system: &System, page: &Page) -> anyhow::Result<()> {
    let ingress = system.stack.process(Instance { service: Service::Ingress, copy: 0 }).await?;
    let log = std::fs::read_to_string(ingress.log())?;
    ensure!(log.contains("a learner signed up"), "the log has no sign-up");
    let cookie = page.cookie.as_deref().unwrap_or("no cookie");
    for secret in ["nova.example", "Speak-English", "mailinator", "Mina", "eyJ", cookie] {
        ensure!(!log.contains(secret), "{secret} is in {}", ingress.log().display());
    }
    Ok(())
}

async fn sign_in(page: &Page, email: &str, password: &str) -> anyhow::Result<Answer> {
    page.post("/auth/sign-in", &json!({ "email": email, "password": password })).await
}
