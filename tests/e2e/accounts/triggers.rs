//! The trigger functions of the user pool, called by the local cloud and as Cognito does.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use aws_sdk_cognitoidentityprovider::{Client as Cognito, types::AttributeType};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use serde_json::{Value, json};
use tests::system::System;
use uuid::Uuid;

use super::PASSWORD;

/// The trigger functions run in the cloud: the pool itself refuses an address, and a confirmation creates the record, once.
pub(super) async fn check(system: &System) -> anyhow::Result<()> {
    let refused = sign_up(system, "mina@mailinator.com", PASSWORD).await?;
    let error = format!("{:?}", refused.context("the pool accepts a disposable address")?);
    ensure!(error.contains("UserLambdaValidation") && error.contains("cannot be used to sign up"), "{error}");

    let sub = Uuid::new_v4().to_string();
    let event = |source: &str, attributes: Value| {
        json!({
            "version": "1",
            "triggerSource": source,
            "region": "us-east-1",
            "userPoolId": system.stack.outputs().user_pool_id,
            "userName": sub,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": system.stack.outputs().client_id },
            "request": { "userAttributes": attributes },
            "response": {},
        })
    };
    let attributes = json!({
        "sub": sub, "email": "mina@nova.example", "email_verified": "true", "name": "Mina Kim",
        "custom:learning_level": "A2", "custom:interests": "cooking,trains",
    });
    let forgotten = event("PostConfirmation_ConfirmForgotPassword", attributes.clone());
    ensure!(
        invoke(system, &forgotten).await? == (forgotten, false),
        "the function does not return the event"
    );
    ensure!(record(system, &sub).await?.is_none(), "a new password created a record");
    let confirmed = event("PostConfirmation_ConfirmSignUp", attributes);
    let mut records = Vec::new();
    for _ in 0..2 {
        ensure!(
            invoke(system, &confirmed).await? == (confirmed.clone(), false),
            "the function does not return the event"
        );
        records.push(record(system, &sub).await?.context("no record")?);
    }
    ensure!(records[0] == records[1], "a repetition changed the record: {records:?}");
    let record = &records[0];
    let text = |name: &str| record[name].as_s().map_or("", String::as_str).to_owned();
    ensure!((text("name"), text("level")) == ("Mina Kim".to_owned(), "A2".to_owned()), "{record:?}");
    ensure!(!format!("{record:?}").contains("mina@"), "the record contains the e-mail address: {record:?}");
    let (answer, failed) = invoke(system, &event("PreTokenGeneration_Authentication", json!({}))).await?;
    ensure!(failed && answer["errorType"] == "WrongEvent", "{answer}");
    Ok(())
}

/// Signs up at the pool itself, past the API. Returns the pool's error.
pub(super) async fn sign_up(
    system: &System,
    email: &str,
    password: &str,
) -> anyhow::Result<Option<aws_sdk_cognitoidentityprovider::Error>> {
    let attribute = |name: &str, value: &str| AttributeType::builder().name(name).value(value).build();
    let sign_up = Cognito::new(&system.stack.cloud().root()).sign_up();
    let sign_up = sign_up.client_id(&system.stack.outputs().client_id).username(email).password(password);
    let sign_up = sign_up.secret_hash(secret_hash(system, email).await?);
    let sign_up = sign_up.user_attributes(attribute("email", email)?);
    let signed_up = sign_up.user_attributes(attribute("name", "Stranger")?).send().await;
    Ok(signed_up.err().map(aws_sdk_cognitoidentityprovider::Error::from))
}

/// The record of the learner with this e-mail address.
pub(super) async fn user(
    system: &System,
    email: &str,
) -> anyhow::Result<Option<HashMap<String, AttributeValue>>> {
    record(system, &sub_of(system, email).await?).await
}

/// Removes the record of the learner with this e-mail address.
pub(super) async fn remove(system: &System, email: &str) -> anyhow::Result<()> {
    let delete = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root()).delete_item();
    let delete = delete.table_name(&system.stack.outputs().users_table);
    delete.key("userId", AttributeValue::S(sub_of(system, email).await?)).send().await?;
    Ok(())
}

async fn record(system: &System, sub: &str) -> anyhow::Result<Option<HashMap<String, AttributeValue>>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let get = dynamodb.get_item().table_name(&system.stack.outputs().users_table);
    Ok(get.key("userId", AttributeValue::S(sub.to_owned())).send().await?.item)
}

/// What proves to the pool that a call comes from its client.
async fn secret_hash(system: &System, email: &str) -> anyhow::Result<String> {
    let outputs = system.stack.outputs();
    let describe = Cognito::new(&system.stack.cloud().root()).describe_user_pool_client();
    let describe = describe.user_pool_id(&outputs.user_pool_id).client_id(&outputs.client_id);
    let client = describe.send().await?.user_pool_client.context("the pool has no client")?;
    let secret = client.client_secret.context("the client has no secret")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    Ok(BASE64_STANDARD.encode(hmac::sign(&key, format!("{email}{}", outputs.client_id).as_bytes())))
}

async fn sub_of(system: &System, email: &str) -> anyhow::Result<String> {
    let cognito = Cognito::new(&system.stack.cloud().root());
    let pool = &system.stack.outputs().user_pool_id;
    let user = cognito.admin_get_user().user_pool_id(pool).username(email).send().await?;
    let sub = user.user_attributes().iter().find(|one| one.name() == "sub").and_then(|one| one.value());
    sub.map(str::to_owned).context("a user without a sub")
}

/// Calls the deployed trigger function, as the pool does. Returns its response, and whether it failed.
async fn invoke(system: &System, event: &Value) -> anyhow::Result<(Value, bool)> {
    let url = format!(
        "{}/2015-03-31/functions/{}/invocations",
        system.stack.cloud().endpoint(),
        system.stack.outputs().sign_up_function,
    );
    // The root key of the local cloud, which does not verify the signature.
    let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let post = infra::local::http_client()?.post(url).header("authorization", authorization).json(event);
    let answer = post.send().await?.error_for_status()?;
    let failed = answer.headers().contains_key("x-amz-function-error");
    Ok((answer.json().await?, failed))
}
