//! The configuration that the service shows to a page before the sign-in.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::live::{Live, LiveOptions, block_on};

#[test]
fn page_reads_the_configuration_without_a_token() {
    block_on(async {
        let options = LiveOptions::default().with("conversation-seconds-max", 600).with("stage", "test");
        let live = Live::start(options).await.unwrap();
        let get = || live.http().get(format!("{}/api/config", live.url()));
        let response = get().send().await.unwrap();
        let tag = response.headers()["etag"].clone();
        let config: Value = response.json().await.unwrap();
        assert_eq!((&config["stage"], &config["modelsSimulated"]), (&json!("test"), &json!(false)));
        assert_eq!(config["voices"][0], json!({ "id": "tiffany", "accent": "American" }));
        assert_eq!(config["levels"], json!(["A1", "A2", "B1", "B2", "C1", "C2"]));
        assert_eq!(config["categories"].as_array().unwrap().len(), 5);
        assert_eq!(config["limits"]["conversationSecondsMax"], 600);
        assert_eq!(config["limits"]["typedCharsMax"], 2000);
        assert!(config.get("confirmationCode").is_none(), "{config}");
        let again = get().header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        live.stop().await.unwrap();
    });
}
