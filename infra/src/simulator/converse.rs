//! PURE. Converse of the simulated text model. It does one task: it assesses a conversation by calling a tool whose input
//! is an [`events::contract::Assessment`]. Any other request returns a sentence that says so.
//!
//! The transcript is read from the user's messages: a JSON object with `turns` between `<transcript>` and
//! `</transcript>`, with the picture between `<picture>` tags where there is one, and the earlier assessments between
//! `<earlier>` tags.

mod assessment;
pub(super) mod mistakes;
mod objectives;
mod reliability;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::assessment::{Earlier, Picture, Transcript};

/// Bytes of text in a token, about.
const BYTES_PER_TOKEN: usize = 4;
/// Output tokens when the request names none.
const MAX_TOKENS_DEFAULT: usize = 4_096;
/// The latency that the response reports, in milliseconds: plausible and constant.
const LATENCY_MS: u64 = 420;
const ABOUT: &str =
    "This is a simulated model. It can assess a conversation by calling a tool, and nothing else.";

/// The language of an assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    English,
    Korean,
}

impl Language {
    fn choose<T>(self, english: T, korean: T) -> T {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }
}

/// Why a request is rejected, with the service's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConverseError {
    #[error("The request body does not follow the schema of Converse.")]
    Shape,
    #[error(
        "A conversation must start with a user message. Try again with a conversation that starts with a user message."
    )]
    FirstNotUser,
    #[error("The provided tool choice names a tool that is not in the list of tools.")]
    UnknownTool,
    #[error("The model returned the following errors: `{0}` is deprecated for this model.")]
    Deprecated(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    messages: Vec<Message>,
    #[serde(default)]
    system: Vec<Content>,
    #[serde(default)]
    inference_config: InferenceConfig,
    tool_config: Option<ToolConfig>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Vec<Content>,
}

/// A block of content; only text matters here.
#[derive(Deserialize)]
struct Content {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
}

impl InferenceConfig {
    /// The first sampling parameter that is set, by the model's name for it.
    fn sampling(&self) -> Option<&'static str> {
        self.temperature.map(|_| "temperature").or(self.top_p.map(|_| "top_p"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig {
    tools: Vec<Value>,
    tool_choice: Option<Value>,
}

/// The response of a model to a request's body. A model that does not take sampling parameters refuses a request with one.
/// `is_recognised` says of a learner's turn whether a recogniser wrote it.
pub(crate) fn answer(
    body: &Value,
    takes_sampling: bool,
    is_recognised: impl Fn(&str) -> bool,
) -> Result<Value, ConverseError> {
    let request = Request::deserialize(body).map_err(|_| ConverseError::Shape)?;
    if let Some(parameter) = request.inference_config.sampling().filter(|_| !takes_sampling) {
        return Err(ConverseError::Deprecated(parameter));
    }
    if request.messages.first().is_none_or(|message| message.role != "user") {
        return Err(ConverseError::FirstNotUser);
    }
    let tool = request.tool_config.as_ref().map(chosen_tool).transpose()?.flatten();
    let text: Vec<&str> = texts(&request).collect();
    let input_tokens = text.iter().map(|text| text.len()).sum::<usize>() / BYTES_PER_TOKEN + 1;
    let max_tokens = request.inference_config.max_tokens.unwrap_or(MAX_TOKENS_DEFAULT);

    let transcript: Option<Transcript> = text.iter().find_map(|text| block(text, "transcript"));
    let (content, mut stop_reason) = match (tool, transcript) {
        (Some(tool), Some(transcript)) => {
            let picture: Picture = text.iter().find_map(|text| block(text, "picture")).unwrap_or_default();
            let korean = request
                .system
                .iter()
                .any(|content| content.text.as_deref().is_some_and(|text| text.contains("in Korean")));
            let language = if korean { Language::Korean } else { Language::English };
            let earlier: Vec<Earlier> =
                text.iter().find_map(|text| block(text, "earlier")).unwrap_or_default();
            let mut assessment = assessment::assess(&transcript, &picture, &earlier, language);
            assessment.recommendations.extend(transcript.reliability(is_recognised).note(language));
            let id = format!("tooluse_simulated{input_tokens}");
            let tool_use = json!({ "toolUseId": id, "name": tool, "input": assessment });
            (json!({ "toolUse": tool_use }), "tool_use")
        }
        _ => (json!({ "text": ABOUT }), "end_turn"),
    };
    let mut content = content;
    let mut output_tokens = content.to_string().len() / BYTES_PER_TOKEN + 1;
    if output_tokens > max_tokens {
        // The model stops in the middle of its answer: a partial tool input is unusable.
        output_tokens = max_tokens;
        stop_reason = "max_tokens";
        content = json!({ "text": "" });
    }
    Ok(json!({
        "output": { "message": { "role": "assistant", "content": [content] } },
        "stopReason": stop_reason,
        "usage": {
            "inputTokens": input_tokens, "outputTokens": output_tokens, "totalTokens": input_tokens + output_tokens,
        },
        "metrics": { "latencyMs": LATENCY_MS },
        "additionalModelResponseFields": { "simulated": true },
    }))
}

/// The tool the model is to call: the one it must, or the only one there is.
fn chosen_tool(config: &ToolConfig) -> Result<Option<String>, ConverseError> {
    let names: Vec<&str> = config.tools.iter().filter_map(|tool| tool["toolSpec"]["name"].as_str()).collect();
    let forced = config.tool_choice.as_ref().and_then(|choice| choice["tool"]["name"].as_str());
    match forced {
        Some(forced) if names.contains(&forced) => Ok(Some(forced.to_owned())),
        Some(_) => Err(ConverseError::UnknownTool),
        None => Ok(names.first().map(|&name| name.to_owned())),
    }
}

fn texts(request: &Request) -> impl Iterator<Item = &str> {
    let messages = request.messages.iter().flat_map(|message| &message.content);
    messages.chain(&request.system).filter_map(|content| content.text.as_deref())
}

/// The JSON between `<name>` and `</name>`, when `text` has it.
fn block<T: DeserializeOwned>(text: &str, name: &str) -> Option<T> {
    let (_, rest) = text.split_once(&format!("<{name}>\n"))?;
    let (json, _) = rest.split_once(&format!("</{name}>"))?;
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::contract::{Assessment, ComparedValue, Flag, Level, ObjectiveVerdict};

    fn respond(body: &Value, takes_sampling: bool) -> Result<Value, ConverseError> {
        answer(body, takes_sampling, |text| text.contains("wrote"))
    }

    #[test]
    fn assessment_says_how_reliable_the_transcript_is_and_leaves_out_what_was_not_understood() {
        let turns = json!([
            learner("[2.0 seconds of speech that the simulator cannot read]"),
            learner("The recogniser wrote that a brown dog runs after a ball."),
        ]);
        let assessment = assessed(&turns, "Write in English.");
        let note = assessment.recommendations.last().unwrap();
        assert!(note.contains("wrote down 1 of your turns") && note.contains("not assessed: 1"), "{note}");
        assert!(assessment.skills.fluency.evidence[0].quote.starts_with("The recogniser"));
        let certain = assessed(&json!([learner("I see a brown dog.")]), "Write in English.");
        assert_eq!(certain.recommendations.len(), 1);
        let nothing =
            assessed(&json!([learner("[2.0 seconds of speech that the simulator cannot read]")]), "");
        assert!(nothing.skills.fluency.evidence[0].quote.starts_with("[2.0"));
    }

    fn request(turns: &Value, system: &str) -> Value {
        let earlier = json!([{ "conversationId": EARLIER, "overall": 41, "grammar": 30 }]);
        let data = format!(
            "<picture>\n{}\n</picture>\n\n<earlier>\n{earlier}\n</earlier>\n\n<transcript>\n{}\n</transcript>\n\nAssess.",
            json!({
                "title": "Park", "description": "A brown dog runs after a ball near a bench.",
                "objectives": ["Describe the dog", "Say what happens next", "Name colours"],
            }),
            json!({ "omittedTurns": 0, "turns": turns }),
        );
        json!({
            "system": [{ "text": system }],
            "messages": [{ "role": "user", "content": [{ "text": data }] }],
            "inferenceConfig": { "maxTokens": 4096 },
            "toolConfig": {
                "tools": [{ "toolSpec": { "name": "record_assessment", "inputSchema": { "json": {} } } }],
                "toolChoice": { "tool": { "name": "record_assessment" } },
            },
        })
    }

    fn assessed(turns: &Value, system: &str) -> Assessment {
        let answer = respond(&request(turns, system), true).unwrap();
        assert_eq!(answer["stopReason"], "tool_use");
        assert_eq!(answer["additionalModelResponseFields"]["simulated"], true);
        let tool_use = &answer["output"]["message"]["content"][0]["toolUse"];
        assert_eq!(tool_use["name"], "record_assessment");
        serde_json::from_value(tool_use["input"].clone()).unwrap()
    }

    const EARLIER: &str = "01a20ace-c800-7c7a-b47c-ea47bd68d012";

    #[test]
    fn objectives_are_met_by_long_turns_in_their_order() {
        let turns = json!([
            learner("Yes, the dog."),
            learner("The brown dog is running after a red ball in the park."),
            learner("It is happy."),
        ]);
        let judged = assessed(&turns, "Write in English.").objectives;
        let verdicts: Vec<_> =
            judged.iter().map(|result| (result.objective.as_str(), result.verdict)).collect();
        let expected = [
            ("Describe the dog", ObjectiveVerdict::Met),
            ("Say what happens next", ObjectiveVerdict::PartlyMet),
            ("Name colours", ObjectiveVerdict::NotMet),
        ];
        assert_eq!(verdicts, expected);
        assert_eq!(judged[0].quote.as_deref(), Some("The brown dog is running after a red"));
        assert_eq!(judged[1].quote.as_deref(), Some("It is happy."), "said after the first objective");
        assert!(judged[0].comment.contains("at least 6 words") && judged[2].quote.is_none());
        let verdicts = |turns| assessed(&turns, "").objectives.into_iter().map(|result| result.verdict);
        assert!(verdicts(json!([])).all(|verdict| verdict == ObjectiveVerdict::NotMet));
    }

    #[test]
    fn comparison_has_the_number_of_the_prompt_and_the_one_of_this_assessment() {
        let turns = json!([learner("The brown dog is running after a red ball in the park.")]);
        let assessment = assessed(&turns, "Write in English.");
        let [comparison] = &assessment.comparisons[..] else { panic!("{:?}", assessment.comparisons) };
        assert_eq!(
            (comparison.conversation_id.to_string().as_str(), comparison.value),
            (EARLIER, ComparedValue::Overall)
        );
        assert!((comparison.earlier - 41.0).abs() < f64::EPSILON);
        assert!((comparison.now - f64::from(assessment.overall)).abs() < f64::EPSILON);
    }

    fn learner(text: &str) -> Value {
        json!({ "index": 1, "speaker": "learner", "typed": false, "interrupted": false, "text": text })
    }

    #[test]
    fn an_assessment_follows_the_learners_words() {
        let turns = json!([
            { "speaker": "tutor", "text": "What is the dog doing?" },
            learner("The brown dog is running after a ball. He go to the bench."),
            learner("I think it is a apple on the bench, and the dog likes to play there with children."),
        ]);
        let assessment = assessed(&turns, "Write in English.");
        let quotes: Vec<&str> =
            assessment.corrections.iter().map(|correction| correction.quote.as_str()).collect();
        assert_eq!(quotes[0], "He go to the bench.");
        assert_eq!(assessment.corrections[0].better, "He goes to the bench.");
        assert!(assessment.corrections[1].better.contains("an apple"), "{quotes:?}");
        let said = "The brown dog is running after a ball. He go to the bench. I think it is a apple on the bench, and the dog likes to play there with children.";
        let evidence = [&assessment.skills.fluency, &assessment.skills.relevance];
        assert!(evidence.iter().all(|skill| said.contains(&skill.evidence[0].quote)));
        assert_eq!(assessment.flags, []);

        let off_topic = json!([
            learner("My favourite computer games have many levels and beautiful music every evening."),
            learner("Yesterday we talked about football in school for two hours without any break.")
        ]);
        let other = assessed(&off_topic, "Write in English.");
        assert!(other.skills.relevance.score < assessment.skills.relevance.score);
        assert!(other.skills.grammar.score > assessment.skills.grammar.score);
    }

    #[test]
    fn little_speech_is_flagged_and_still_valid() {
        let assessment = assessed(&json!([learner("Yes. Dog.")]), "Write in Korean.");
        assert_eq!(assessment.flags, [Flag::LittleSpeech]);
        assert_eq!(assessment.cefr, Level::A1);
        assert!(assessment.next_objective.chars().any(|letter| ('가'..='힣').contains(&letter)));
        assert_eq!(assessed(&json!([]), "").flags, [Flag::LittleSpeech]);
    }

    #[test]
    fn a_limit_on_tokens_cuts_the_answer() {
        let mut body = request(&json!([learner("I see a dog.")]), "");
        body["inferenceConfig"]["maxTokens"] = json!(50);
        let answer = respond(&body, true).unwrap();
        assert_eq!(
            (answer["stopReason"].as_str(), answer["usage"]["outputTokens"].as_u64()),
            (Some("max_tokens"), Some(50))
        );
    }

    #[test]
    fn model_without_sampling_refuses_its_parameters() {
        let mut body = request(&json!([learner("I see a dog.")]), "");
        respond(&body, false).unwrap();
        for (parameter, named) in [("temperature", "`temperature`"), ("topP", "`top_p`")] {
            body["inferenceConfig"] = json!({ parameter: 0.0 });
            let refused = respond(&body, false).unwrap_err().to_string();
            assert!(refused.contains(named) && refused.contains("deprecated"), "{refused}");
            respond(&body, true).unwrap();
        }
    }

    #[test]
    fn other_requests_get_an_honest_sentence_or_a_refusal() {
        let hello = json!({ "messages": [{ "role": "user", "content": [{ "text": "Hello" }] }] });
        assert_eq!(respond(&hello, true).unwrap()["output"]["message"]["content"][0]["text"], ABOUT);
        assert_eq!(respond(&json!({ "messages": 1 }), true).unwrap_err(), ConverseError::Shape);
        let assistant = json!({ "messages": [{ "role": "assistant", "content": [] }] });
        assert_eq!(respond(&assistant, true).unwrap_err(), ConverseError::FirstNotUser);
        let mut unknown = request(&json!([]), "");
        unknown["toolConfig"]["toolChoice"]["tool"]["name"] = json!("other");
        assert_eq!(respond(&unknown, true).unwrap_err(), ConverseError::UnknownTool);
    }
}
