//! Uploaded, typed and spoken turns in one conversation.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    ConversationId, EndReason, Speaker, Turn,
    live::{ClientMessage, ServerMessage},
};
use infra::{
    client::{Connection, Incoming, Learner, Script},
    simulator::audible,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::system::{Delivery, System, await_some};

use crate::{beside_others, conversations};

/// "I hear a market." as audible text, made for the tests of the ingress.
const MP3: &[u8] = include_bytes!("../../ingress/tests/fixtures/audible-market.mp3");

/// The longest time from the start of a turn to the end of its reply.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_and_typed_turns_are_heard_and_answered() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("upload", Delivery::Once).await?;
    let learners = conversations::learners(&system, 2).await?;
    let api = Api { url: system.stack.url().to_owned(), http: reqwest::Client::new() };
    let (learner, stranger) = (&learners[0], &learners[1]);
    let offer = learner.start(&Script::new("street-market", [""; 0])).await?;
    let id = offer.conversation_id;

    let (cd, own) = (wav("I see two dogs.", 44_100, 2), wav("They are brown.", 16_000, 1));
    let refused = api.upload(learner, id, "audio/wav", &cd).await?;
    ensure!(refused.is(StatusCode::CONFLICT, "conversation_not_live"), "before its socket: {refused:?}");

    let mut client = TypingClient(Connection::open(&offer, 0).await?);
    client.await_turn(Speaker::Tutor).await?;

    let taken = api.upload(learner, id, "audio/wav", &cd).await?;
    let ms = audible::encode("I see two dogs.", 16_000).len() / 16;
    ensure!(taken.status == StatusCode::ACCEPTED && taken.body == json!({ "durationMs": ms }), "{taken:?}");
    let refused = api.upload(learner, id, "audio/wav", &own).await?;
    ensure!(refused.is(StatusCode::CONFLICT, "turn_in_progress"), "two at once: {refused:?}");
    let refused = api.upload(stranger, id, "audio/wav", &own).await?;
    ensure!(refused.is(StatusCode::NOT_FOUND, "not_found"), "another learner: {refused:?}");
    client.0.send_audio(&audible::encode("This is discarded.", 16_000)).await?;
    client.await_answer("I see two dogs.").await?;

    check_refusals(&api, learner, id, &own).await?;
    let words = ["They are brown.", "They are small.", "They are old.", "They are here."];
    // The content decides and not the type; a length of 0 is that of a stream.
    for (content_type, text) in ["audio/x-wav", "audio/vnd.wave", "audio/ogg", ""].into_iter().zip(words) {
        let mut file = wav(text, 16_000, 1);
        file[40..44].fill(0);
        let taken = api.upload(learner, id, content_type, &file).await?;
        ensure!(taken.status == StatusCode::ACCEPTED, "{content_type}: {taken:?}");
        client.await_answer(text).await?;
    }
    let junk = [b"    ", MP3].concat();
    let taken = api.upload(learner, id, "audio/mp3", &junk).await?;
    ensure!(taken.status == StatusCode::ACCEPTED, "{taken:?}");
    client.await_answer("I hear a market.").await?;
    client.0.send(&ClientMessage::Text { text: "I like this picture.".to_owned() }).await?;
    client.await_answer("I like this picture.").await?;

    client.end().await?;
    let refused = api.upload(learner, id, "audio/wav", &own).await?;
    ensure!(refused.is(StatusCode::CONFLICT, "conversation_not_live"), "after the end: {refused:?}");
    check_transcript(&system, id).await?;
    system.stop().await
}

/// Invalid files are refused with a reason, and the conversation continues.
async fn check_refusals(api: &Api, learner: &Learner, id: ConversationId, wav: &[u8]) -> anyhow::Result<()> {
    let long = file(&vec![0; 31 * 8_000], 8_000, 1);
    let odd = file(&[0; 100], 44_101, 1);
    let mut contradictory = wav.to_vec();
    contradictory[32] = 4;
    let cases = [
        ("audio/wav", &b"OggS"[..], StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_unsupported"),
        ("audio/wav", &wav[..20], StatusCode::UNPROCESSABLE_ENTITY, "audio_broken"),
        ("audio/wav", &contradictory, StatusCode::UNPROCESSABLE_ENTITY, "audio_broken"),
        ("audio/wav", &long, StatusCode::UNPROCESSABLE_ENTITY, "turn_too_long"),
        ("audio/wav", &odd, StatusCode::UNPROCESSABLE_ENTITY, "sample_rate_unsupported"),
    ];
    for (content_type, body, status, code) in cases {
        let refused = api.upload(learner, id, content_type, body).await?;
        ensure!(refused.is(status, code), "{refused:?} where {code} was expected");
    }
    Ok(())
}

/// The transcript has the words of each turn, and only the typed one is typed.
async fn check_transcript(system: &System, id: ConversationId) -> anyhow::Result<()> {
    let transcript = await_some("the transcript is there", ANSWER_WITHIN, async || {
        let mut transcripts = system.results.transcripts().await?;
        Ok(transcripts.remove(&id).ok_or_else(|| format!("{} others", transcripts.len())))
    })
    .await?;
    let turns = transcript.turns.iter().map(|turn| &turn.turn);
    let said: Vec<(&str, bool, bool)> = turns
        .clone()
        .filter(|turn| turn.speaker == Speaker::Learner)
        .map(|turn| (&*turn.text, turn.typed, turn.audio_key.is_some()))
        .collect();
    let expected = [
        ("I see two dogs.", false, true),
        ("They are brown.", false, true),
        ("They are small.", false, true),
        ("They are old.", false, true),
        ("They are here.", false, true),
        ("I hear a market.", false, true),
        ("I like this picture.", true, false),
    ];
    ensure!(said == expected, "the transcript has {said:?}");
    let answers = turns.filter(|turn| turn.speaker == Speaker::Tutor && !turn.text.is_empty()).count();
    ensure!(answers == expected.len() + 1, "{answers} turns of the tutor");
    Ok(())
}

/// `text` as audible text in a WAV file, the same on every channel.
fn wav(text: &str, rate: u32, channels: u16) -> Vec<u8> {
    file(&audible::encode(text, rate), rate, channels)
}

/// A WAV file of 16-bit PCM.
fn file(samples: &[i16], rate: u32, channels: u16) -> Vec<u8> {
    let frame = usize::from(channels) * 2;
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let pcm: Vec<u8> =
        samples.iter().flat_map(|sample| sample.to_le_bytes().repeat(channels.into())).collect();
    let header: [&[u8]; 12] = [
        b"RIFF",
        &length(36 + pcm.len()),
        b"WAVEfmt ",
        &length(16),
        &[1, 0],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &length(frame * rate as usize),
        &[u8::try_from(frame).unwrap_or(u8::MAX), 0, 16, 0],
        b"data",
        &length(pcm.len()),
        &pcm,
    ];
    header.concat()
}

/// The API of the ingress.
struct Api {
    url: String,
    http: reqwest::Client,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    /// Whether this is a problem document with the status and the code.
    fn is(&self, status: StatusCode, code: &str) -> bool {
        let explained = self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty());
        self.status == status && self.body["code"] == code && explained
    }
}

impl Api {
    /// Uploads a file; without a Content-Type if it is empty.
    async fn upload(
        &self,
        learner: &Learner,
        id: ConversationId,
        content_type: &str,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let post = self.http.post(format!("{}/api/conversations/{id}/turns", self.url));
        let mut post = post.bearer_auth(learner.access_token().await?);
        if !content_type.is_empty() {
            post = post.header("content-type", content_type);
        }
        let answer = post.body(body.to_vec()).send().await?;
        Ok(Answer { status: answer.status(), body: answer.json().await? })
    }
}

/// A client that uploads and types turns.
struct TypingClient(Connection);

impl TypingClient {
    /// Waits until the learner's turn is exactly `text` and the tutor has replied.
    async fn await_answer(&mut self, text: &str) -> anyhow::Result<()> {
        let said = self.await_turn(Speaker::Learner).await?.text;
        ensure!(said == text, "{said:?} was recognised where {text:?} was spoken");
        self.await_turn(Speaker::Tutor).await?;
        Ok(())
    }

    /// Waits for the next turn, which must be by `speaker`.
    async fn await_turn(&mut self, speaker: Speaker) -> anyhow::Result<Turn> {
        let turn =
            self.await_message(
                |message| {
                    if let ServerMessage::Turn { turn } = message { Some(turn) } else { None }
                },
            );
        let turn = turn.await.with_context(|| format!("no turn of the {speaker:?}"))?;
        ensure!(turn.speaker == speaker, "{turn:?} where the {speaker:?} was expected");
        Ok(turn)
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        self.0.send(&ClientMessage::End).await?;
        let reason = self.await_message(|message| {
            if let ServerMessage::Ended { reason, .. } = message { Some(reason) } else { None }
        });
        let reason = reason.await.context("no end")?;
        ensure!(reason == EndReason::Learner, "ended with {reason:?}");
        Ok(())
    }

    /// The next message that `wanted` takes. Other messages are skipped, except errors.
    async fn await_message<T>(&mut self, wanted: impl Fn(ServerMessage) -> Option<T>) -> anyhow::Result<T> {
        let next = async {
            loop {
                match self.0.next().await? {
                    Incoming::Audio { .. } => {}
                    Incoming::Message(ServerMessage::Error { code, message }) => {
                        bail!("the ingress reports {code:?}: {message}")
                    }
                    Incoming::Message(message) => {
                        if let Some(found) = wanted(message) {
                            return Ok(found);
                        }
                    }
                    Incoming::Closed => bail!("the socket closed"),
                }
            }
        };
        let message = tokio::time::timeout(ANSWER_WITHIN, next).await;
        message.with_context(|| format!("nothing within {} s", ANSWER_WITHIN.as_secs()))?
    }
}
