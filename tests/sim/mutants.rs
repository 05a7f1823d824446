//! Mutants of the workers, each with a common mistake, which the simulation must find.

use std::sync::Arc;
use tests::deployment::{BUS, CONVERSATIONS, EFFECTS, LOGS, PROGRESS};

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    bus::{Bus, BusError},
    contract::{
        Assessment, ConversationAnalyzed, Envelope, Event, Measures, ObjectRef, ProgressUpdated, Scores,
        Speaker, StoredAnalysis,
    },
    journal::{Journal, JournalError},
    pipeline::names::erasure_effect,
    runtime::{
        consumer::{Delivery, EventHandler},
        env,
        failure::Failure,
    },
};
use serde_json::json;

/// Deletes the message before the effect.
pub(crate) struct DeleteFirst<H>(pub(crate) Arc<H>);

impl<H: EventHandler> EventHandler for DeleteFirst<H> {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let (handler, event, delivery) = (Arc::clone(&self.0), event.clone(), delivery.clone());
        tokio::spawn(async move { handler.handle(&event, &delivery).await });
        Ok(())
    }
}

/// Deletes its own mark together with the data of the learner.
pub(crate) struct Forgetful<H> {
    dynamodb: aws_sdk_dynamodb::Client,
    eraser: H,
}

impl<H> Forgetful<H> {
    pub(crate) fn new(sdk: &SdkConfig, eraser: H) -> Self {
        Self { dynamodb: aws_sdk_dynamodb::Client::new(sdk), eraser }
    }
}

impl<H: EventHandler> EventHandler for Forgetful<H> {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        self.eraser.handle(event, delivery).await?;
        let mark = AttributeValue::S(erasure_effect(event.event.user_id()));
        let delete = self.dynamodb.delete_item().table_name(EFFECTS).key("effectId", mark);
        delete.send().await.map(|_| ()).map_err(Failure::aws)
    }
}

/// Adds to the day and to the total without a marker, so that a repetition counts again.
pub(crate) struct Unmarked {
    dynamodb: aws_sdk_dynamodb::Client,
    bus: Bus,
}

impl Unmarked {
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        let bus = Bus::new(aws_sdk_eventbridge::Client::new(sdk), BUS, "nova.progress");
        Self { dynamodb: aws_sdk_dynamodb::Client::new(sdk), bus }
    }
}

impl EventHandler for Unmarked {
    async fn handle(&self, event: &Envelope, _: &Delivery) -> Result<(), Failure> {
        let (conversation_id, day, added) = if let Some(event) = event.event.as_completed() {
            let lasted = event.ended_at.as_millisecond() - event.started_at.as_millisecond();
            let added = vec![
                ("conversations", 1),
                ("turns", i64::from(event.turns)),
                ("learnerSpeechMs", i64::try_from(event.learner_speech_ms).unwrap_or(0)),
                ("durationMs", lasted),
            ];
            (event.conversation_id, event.started_at.in_tz(&event.time_zone), added)
        } else if let Some(event) = event.event.as_analyzed() {
            let Scores { overall, fluency, vocabulary, grammar, relevance } = event.scores;
            let sums = [
                ("overallSum", overall),
                ("fluencySum", fluency),
                ("vocabularySum", vocabulary),
                ("grammarSum", grammar),
                ("relevanceSum", relevance),
            ];
            let sums = sums.map(|(name, score)| (name, i64::from(score)));
            let added = [("scored", 1)].into_iter().chain(sums).collect();
            (event.conversation_id, event.started_at.in_tz(&event.time_zone), added)
        } else {
            return Err(Failure::reject("the event does not change the progress"));
        };
        let user_id = event.event.user_id();
        let day = day.map_err(Failure::retry)?.date().to_string();
        for date in [day.as_str(), "total"] {
            let terms: Vec<_> = added.iter().map(|(name, _)| format!("{name} :{name}")).collect();
            let mut update = self
                .dynamodb
                .update_item()
                .table_name(PROGRESS)
                .key("userId", AttributeValue::S(user_id.to_string()))
                .key("date", AttributeValue::S(date.to_owned()))
                .update_expression(format!("ADD {}", terms.join(", ")));
            for (name, value) in &added {
                let value = AttributeValue::N(value.to_string());
                update = update.expression_attribute_values(format!(":{name}"), value);
            }
            update.send().await.map_err(Failure::aws)?;
        }
        let updated = Event::ProgressUpdated(ProgressUpdated {
            conversation_id,
            user_id: user_id.clone(),
            date: day,
            milestones: Vec::new(),
            standing: None,
        });
        let envelope =
            Envelope::caused_by(event.event.schema(), updated, event.occurred_at, event.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}

/// Takes a lease without owner and epoch, and does not renew it: a process that lost the lease finishes the effect, too.
pub(crate) struct Unfenced {
    dynamodb: aws_sdk_dynamodb::Client,
    bedrock: aws_sdk_bedrockruntime::Client,
    s3: aws_sdk_s3::Client,
    bus: Bus,
}

const LEASE_MS: i64 = 45_000;

impl Unfenced {
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        let timeouts = aws_config::timeout::TimeoutConfig::builder()
            .operation_attempt_timeout(std::time::Duration::from_secs(120))
            .operation_timeout(std::time::Duration::from_secs(300))
            .build();
        let bedrock = aws_sdk_bedrockruntime::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(sdk),
            bedrock: aws_sdk_bedrockruntime::Client::from_conf(bedrock),
            s3: aws_sdk_s3::Client::new(sdk),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(sdk), BUS, "nova.analysis"),
        }
    }

    /// Whether the effect is to be run: by its item, it is neither finished nor running.
    async fn claim(&self, effect: &str) -> Result<bool, Failure> {
        let now = env::now().as_millisecond();
        let key = AttributeValue::S(effect.to_owned());
        let claimed = self
            .dynamodb
            .update_item()
            .table_name(EFFECTS)
            .key("effectId", key.clone())
            .update_expression("SET #state = :running, #until = :until")
            .condition_expression("attribute_not_exists(effectId) OR (#state = :running AND #until <= :now)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":running", AttributeValue::S("running".into()))
            .expression_attribute_values(":until", AttributeValue::N((now + LEASE_MS).to_string()))
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .send()
            .await;
        if claimed.is_ok() {
            return Ok(true);
        }
        let item = self.dynamodb.get_item().table_name(EFFECTS).key("effectId", key).send().await;
        let item = item.map_err(Failure::aws)?.item.unwrap_or_default();
        let finished = item.get("state") == Some(&AttributeValue::S("finished".into()));
        if finished { Ok(false) } else { Err(Failure::retry(anyhow!("another process runs it"))) }
    }

    async fn assess(&self, words: &str) -> Result<Assessment, Failure> {
        let transcript = json!({ "turns": [{ "speaker": "learner", "text": words }] });
        let text = ContentBlock::Text(format!("<transcript>{transcript}</transcript>"));
        let message = Message::builder().role(ConversationRole::User).content(text).build();
        let message = message.map_err(Failure::retry)?;
        let answer = self.bedrock.converse().model_id("model").messages(message).send().await;
        let answer = answer.map_err(Failure::aws)?;
        let call =
            answer.output().and_then(|output| output.as_message().ok()?.content()[0].as_tool_use().ok());
        let input = call.context("no call").map_err(Failure::retry)?.input();
        let overall = input.as_object().and_then(|input| input.get("overall")?.as_number());
        let overall = overall.map_or(50.0, |overall| overall.to_f64_lossy()).min(100.0);
        let skill = json!({ "score": 50, "evidence": [{ "quote": words, "comment": "Clear." }] });
        let assessment = json!({
            "overall": format!("{overall:.0}").parse::<u8>().unwrap_or(50),
            "skills": { "fluency": skill, "vocabulary": skill, "grammar": skill, "relevance": skill },
            "cefr": "B1", "strengths": ["Good."], "corrections": [], "recommendations": ["More."],
            "nextObjective": "A story.", "flags": [],
        });
        serde_json::from_value(assessment).map_err(Failure::retry)
    }
}

impl EventHandler for Unfenced {
    async fn handle(&self, event: &Envelope, _: &Delivery) -> Result<(), Failure> {
        let Event::ConversationCompleted(completed) = &event.event else {
            return Err(Failure::reject("the analysis worker does not consume this event"));
        };
        let id = completed.conversation_id;
        let journal = Journal::reader(self.dynamodb.clone(), CONVERSATIONS);
        let conversation = journal.load(id).await.map_err(JournalError::into_failure)?;
        let turns = conversation.map(|conversation| conversation.turns).unwrap_or_default();
        let Some(words) = turns.iter().find(|turn| turn.speaker == Speaker::Learner) else { return Ok(()) };
        let effect = format!("analysis#{id}");
        if !self.claim(&effect).await? {
            return Ok(());
        }
        let assessment = self.assess(&words.text).await?;
        let key = format!("analyses/{}/{id}.json.gz", completed.user_id);
        let analysis = StoredAnalysis {
            version: "1.0".into(),
            conversation_id: id,
            user_id: completed.user_id.clone(),
            image_id: completed.image_id.clone(),
            feedback_language: completed.feedback_language,
            analyzed_at: event.occurred_at,
            model_id: "model".into(),
            simulated: true,
            input_tokens: 1,
            output_tokens: 1,
            cost: None,
            measures: Measures::default(),
            assessment: assessment.clone(),
        };
        let json = serde_json::to_vec(&analysis).map_err(Failure::retry)?;
        let body = events::document::write(&json).map_err(Failure::retry)?;
        let put = self.s3.put_object().bucket(LOGS).key(&key).body(body.into()).send().await;
        put.map_err(Failure::aws)?;
        let analyzed = Event::ConversationAnalyzed(ConversationAnalyzed {
            conversation_id: id,
            user_id: completed.user_id.clone(),
            image_id: completed.image_id.clone(),
            time_zone: completed.time_zone.clone(),
            started_at: completed.started_at,
            document: ObjectRef { bucket: LOGS.into(), key, sha256: "00".repeat(32) },
            level: Some(completed.level),
            measures: None,
            scores: Scores {
                overall: assessment.overall,
                fluency: 50,
                vocabulary: 50,
                grammar: 50,
                relevance: 50,
            },
            cefr: assessment.cefr,
            flags: Vec::new(),
            model_id: "model".into(),
            simulated: true,
        });
        let envelope = Envelope::new(analyzed, event.occurred_at, event.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)?;
        let finished = self
            .dynamodb
            .update_item()
            .table_name(EFFECTS)
            .key("effectId", AttributeValue::S(effect))
            .update_expression("SET #state = :finished")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":finished", AttributeValue::S("finished".into()));
        finished.send().await.map(|_| ()).map_err(Failure::aws)
    }
}
