//! The second factor and the recovery codes.

use serde_json::{Value, json};
use tests::{live::block_on, model::TOTP_CODE};

use super::{EMAIL, PHONE, WRONG_PASSWORD, change, me, notices, post, sign_in, sign_in_as, start, texted};

#[test]
fn text_messages_are_turned_on_by_the_code_to_the_phone_and_replace_the_app() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        let on = post(&live, &token, "/auth/totp/verify", &json!({ "code": TOTP_CODE })).await;
        assert_eq!(on.2["recoveryCodes"].as_array().unwrap().len(), 10);
        let state = me(&live, &token).await;
        assert_eq!((&state["secondFactor"], &state["recoveryCodes"]), (&json!("totp"), &json!(10)));

        let wrong = post(&live, &token, "/auth/phone", &json!({ "phone": "010-1234-1234" })).await;
        assert_eq!((wrong.0, &wrong.2["field"]), (422, &json!("phone")));
        assert_eq!(post(&live, &token, "/auth/phone", &json!({ "phone": PHONE })).await.0, 204);
        let code = texted(&live);
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let verify =
            async |code: &str| post(&live, &token, "/auth/phone/verify", &json!({ "code": code })).await;
        assert_eq!(verify(wrong).await.1, "code_wrong");
        assert_eq!(me(&live, &token).await["secondFactor"], "totp", "a number that was not verified counts");
        let sms = verify(&code).await;
        assert_eq!((sms.0, sms.2["recoveryCodes"].as_array().unwrap().len()), (200, 10));
        assert_eq!(me(&live, &token).await["secondFactor"], "sms");
        assert_eq!(sign_in_as(&live, EMAIL, Value::Null).await.2["challenge"], "sms");
        for text in ["authenticator app was turned on", "text message were turned on"] {
            assert_eq!(notices(&live, EMAIL, text), 1, "{text}");
        }
        // The codes from before are void.
        let void = json!({ "recoveryCode": on.2["recoveryCodes"][0] });
        assert_eq!(sign_in_as(&live, EMAIL, void).await.1, "code_wrong");

        assert_eq!(post(&live, &token, "/auth/mfa/off", &Value::Null).await.0, 204);
        let state = me(&live, &token).await;
        assert_eq!((&state["secondFactor"], &state["recoveryCodes"]), (&json!("none"), &json!(0)));
        assert_eq!(sign_in_as(&live, EMAIL, Value::Null).await.2["status"], "signedIn");
        live.stop().await.unwrap();
    });
}

#[test]
fn text_messages_to_a_phone_are_limited() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        for number in 0..5 {
            let phone = json!({ "phone": format!("+82101234123{number}") });
            assert_eq!(post(&live, &token, "/auth/phone", &phone).await.0, 204);
        }
        assert_eq!(post(&live, &token, "/auth/phone", &json!({ "phone": PHONE })).await.0, 429);
        assert_eq!(live.cloud.state().cognito.text_messages.len(), 5);
        live.stop().await.unwrap();
    });
}

#[test]
fn recovery_code_signs_in_once_with_the_password_and_turns_the_second_factor_off() {
    block_on(async {
        let live = start().await;
        let token = sign_in(&live).await;
        let on = post(&live, &token, "/auth/totp/verify", &json!({ "code": TOTP_CODE })).await.2;
        let code = on["recoveryCodes"][3].clone();
        let table = format!("{:?}", live.cloud.state().dynamodb.tables["nova-users"].items);
        assert!(!table.contains(code.as_str().unwrap()), "a code is stored readable");

        let wrong = json!({ "password": WRONG_PASSWORD, "recoveryCode": code });
        assert_eq!(sign_in_as(&live, EMAIL, wrong).await.1, "credentials_wrong");
        let other = json!({ "recoveryCode": "0000-0000-0000-0000-0000-0000" });
        assert_eq!(sign_in_as(&live, EMAIL, other).await.1, "code_wrong");
        let short = sign_in_as(&live, EMAIL, json!({ "recoveryCode": "123456" })).await;
        assert_eq!((short.0, &short.2["field"]), (422, &json!("recoveryCode")));
        assert_eq!(me(&live, &token).await["secondFactor"], "totp");

        // Two uses at one time: the code counts once, and then the password alone signs in.
        let body = json!({ "recoveryCode": code });
        let (one, two) = tokio::join!(sign_in_as(&live, EMAIL, body.clone()), sign_in_as(&live, EMAIL, body));
        assert!([&one, &two].iter().any(|answer| answer.2["status"] == "signedIn"), "{one:?} {two:?}");
        let state = me(&live, &token).await;
        assert_eq!((&state["secondFactor"], &state["recoveryCodes"]), (&json!("none"), &json!(9)));
        assert_eq!(notices(&live, EMAIL, "A recovery code was used"), 1);

        change(&live, |user| user.totp = true);
        let again = json!({ "recoveryCode": code });
        assert_eq!(sign_in_as(&live, EMAIL, again).await.1, "code_wrong", "a code is good twice");
        for _ in 0..10 {
            let guess = json!({ "recoveryCode": "0000-0000-0000-0000-0000-0001" });
            sign_in_as(&live, EMAIL, guess).await;
        }
        let guess = json!({ "recoveryCode": on["recoveryCodes"][4] });
        assert_eq!(sign_in_as(&live, EMAIL, guess).await.0, 429, "guesses are not limited");
        live.stop().await.unwrap();
    });
}
