//! Stored documents at their size limits: the reader of the API returns each document that the writer accepts.

use std::path::Path;

use events::{
    contract::Transcript,
    document::{self, CONTENT_BYTES_MAX, DocumentError},
    pipeline::names::{readable_transcript_key, transcript_key},
};
use ingress::store::documents::Documents;
use tests::model::Cloud;

use tests::deployment::LOGS;

#[tokio::test(start_paused = true)]
async fn document_of_any_size_that_is_stored_is_read_by_the_api() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/example/transcript.json");
    let mut transcript: Transcript =
        serde_json::from_slice(&std::fs::read(path).expect("an example")).expect("a transcript");
    let (user_id, id) = (transcript.user_id.clone(), transcript.conversation_id);
    let cloud = Cloud::new(1);
    cloud.state().create_bucket(LOGS);
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk_config("documents"));
    let put = async |key: String, content: &[u8]| {
        let body = document::write(content).expect("it is within the limits").into();
        s3.put_object().bucket(LOGS).key(key).body(body).send().await.expect("the network is calm");
    };
    let documents = Documents::new(s3.clone(), LOGS.to_owned());

    // Between half the limit and the limit.
    transcript.turns[0].turn.text = "I see a market. ".repeat(12 * 1024 * 1024 / 16);
    let json = serde_json::to_vec(&transcript).expect("JSON");
    assert!(json.len() > CONTENT_BYTES_MAX / 2 && json.len() < CONTENT_BYTES_MAX);
    put(transcript_key(&user_id, id), &json).await;
    let read = documents.transcript(&user_id, id).await.expect("it is readable");
    assert!(read == Some(transcript));

    let largest = "a".repeat(CONTENT_BYTES_MAX);
    put(readable_transcript_key(&user_id, id), largest.as_bytes()).await;
    let read = documents.readable(&user_id, id).await.expect("it is readable");
    assert!(read == Some(largest));
    let larger = vec![b'a'; CONTENT_BYTES_MAX + 1];
    assert_eq!(document::write(&larger), Err(DocumentError::ContentTooLarge));
}
