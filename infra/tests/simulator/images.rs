//! Images from the simulator, as plain HTTP: the shapes that models answer in, and that each answer says it is simulated.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use infra::pictures::png_size;
use reqwest::Response;
use serde_json::{Value, json};

use super::Setup;

const CANVAS: &str = "amazon.nova-canvas-v1:0";
const STABILITY: &str = "stability.stable-image-core-v1:1";

async fn invoke(setup: &Setup, model: &str, body: &Value) -> Response {
    let url = format!("{}/model/{model}/invoke", setup.simulator.endpoint());
    setup.http().post(url).json(body).send().await.unwrap()
}

fn canvas(text: &str) -> Value {
    json!({
        "taskType": "TEXT_IMAGE", "textToImageParams": { "text": text },
        "imageGenerationConfig": { "numberOfImages": 2, "width": 1024, "height": 1024 },
    })
}

#[tokio::test]
async fn images_come_in_the_shape_of_their_model_and_say_that_they_are_simulated() {
    let setup = Setup::start(|options, _| options.allow_retired = true).await;
    let prompt = json!({ "prompt": "children build a snowman in a snowy park", "seed": 7 });
    let mut seen = Vec::new();
    for (model, body) in [(CANVAS, canvas("children build a snowman in a snowy park")), (STABILITY, prompt)] {
        let response = invoke(&setup, model, &body).await;
        assert_eq!(response.headers()["x-nova-simulated"], "true", "{model}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["simulated"], true, "{model}");
        let png = STANDARD.decode(answer["images"][0].as_str().unwrap()).unwrap();
        assert_eq!(png_size(&png), Some((1024, 1024)), "{model}");
        seen.push((png, answer));
    }
    let [(first, canvas), (second, stability)] = seen.try_into().unwrap();
    assert_eq!(first, second, "the same words, the same picture");
    assert_eq!((canvas["images"].as_array().unwrap().len(), &canvas["error"]), (2, &Value::Null));
    assert_eq!((&stability["seeds"], &stability["finish_reasons"]), (&json!([7]), &json!([null])));
}

#[tokio::test]
async fn a_request_that_a_model_would_refuse_is_refused() {
    let setup = Setup::start(|_, _| ()).await;
    let refused = async |model: &str, body: &Value| {
        let response = invoke(&setup, model, body).await;
        let exception = response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
        (response.status().as_u16(), exception)
    };
    let validation = (400, "ValidationException".to_owned());
    assert_eq!(refused(CANVAS, &canvas("a park")).await, (404, "ResourceNotFoundException".to_owned()));
    assert_eq!(refused(STABILITY, &canvas("a park")).await, validation);
    assert_eq!(refused(STABILITY, &json!({ "prompt": "a".repeat(10_001) })).await, validation);
    assert_eq!(refused("amazon.nova-2-lite-v1:0", &canvas("a park")).await, validation);
}
