//! `POST /api/conversations`: a learner asks for a conversation about a picture and gets a ticket for the live
//! endpoint. `POST /api/conversations/{id}/ticket`: its owner comes back to it after the socket dropped. Nothing
//! is written here: the conversation begins when its socket is accepted.

use std::sync::Arc;

use axum::extract::State;
use events::contract::{ConversationId, FeedbackLanguage, Level, TraceParent};
use http::HeaderMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::Created,
    extract::{Body, Path},
    route::{Route, post},
};
use crate::{
    account::auth::{Caller, Learner},
    account::profile::is_time_zone,
    api::problem::{ApiError, Code},
    app::AppState,
    live::admission::AdmissionError,
    live::session::Returning,
    live::ticket::{Admission, Purpose},
    live::voice,
};

/// The header in which a caller tells its trace (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// What a learner asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRequest {
    /// The picture.
    image_id: String,
    /// The learner's level; that of the profile without it.
    level: Option<Level>,
    /// Who the tutor sounds like.
    voice: Option<String>,
    /// The learner's IANA time zone, as Asia/Seoul; that of the profile without it.
    time_zone: Option<String>,
    /// The language of the assessment; that of the profile without it.
    feedback_language: Option<FeedbackLanguage>,
}

/// Where the conversation is held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The conversation.
    conversation_id: ConversationId,
    /// What opens the live endpoint, once.
    ticket: String,
    /// Until when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ticket_expires_at: Timestamp,
    /// The address of the live endpoint, to which `?ticket=` is added.
    live: String,
}

/// Starting a conversation and coming back to it.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/conversations", "startConversation", start)
            .says("Ask for a conversation about a picture", "It begins when its live endpoint is opened.")
            .problems(&[
                Code::AccountDeleted,
                Code::NotFound,
                Code::ConversationInProgress,
                Code::Busy,
                Code::Stopping,
            ]),
        post("/api/conversations/{id}/ticket", "returnToConversation", ticket)
            .says("Come back to a conversation", "It has not ended, and may be live on another task.")
            .problems(&[Code::ConversationEnded]),
    ]
}

/// Starts a conversation.
///
/// # Errors
/// 400, 401, 413, 415 and 422 as every route with a body, 404 for an unknown picture, 409 for a learner in another conversation, 503 without a free seat.
pub async fn start(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<StartRequest>,
) -> Result<Created<Started>, ApiError> {
    let voice = voice::choose(request.voice.as_deref());
    let voice = voice.map_err(|message| ApiError::field("voice", message))?.to_owned();
    let time_zone = request.time_zone.map(time_zone).transpose()?;
    let user_id = caller.user_id;
    let profile = app.accounts.defaults(&user_id).await?;
    let picture = app.images.get(&request.image_id).await.map_err(ApiError::Internal)?;
    if picture.is_none() {
        return Err(ApiError::NotFound("picture"));
    }
    if let Some(elsewhere) = app.presence.elsewhere(&user_id).await {
        let why = AdmissionError::InConversation(elsewhere);
        app.metrics.refused(why);
        return Err(why.into());
    }
    let now = Timestamp::now();
    let conversation_id = ConversationId::new(now, rand::random());
    app.admission_control
        .reserve(&user_id, conversation_id, now)
        .inspect_err(|why| app.metrics.refused(*why))?;
    let admission = Admission {
        conversation_id,
        user_id,
        purpose: Purpose::Start,
        image_id: request.image_id,
        level: request.level.unwrap_or(profile.level),
        voice,
        time_zone: time_zone.unwrap_or(profile.time_zone),
        feedback_language: request.feedback_language.unwrap_or(profile.feedback_language),
        traceparent: Some(trace(&headers, conversation_id).to_string()),
    };
    Ok(Created(issue(&app, admission, now)))
}

/// Issues a ticket to come back to a conversation that has not ended, live on this task or on another.
///
/// # Errors
/// 401, 404 for a conversation that is not the learner's, 410 for one that has ended.
pub async fn ticket(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(conversation_id): Path<ConversationId>,
) -> Result<Created<Started>, ApiError> {
    let returning = app.sessions.returning(conversation_id).await;
    match returning.map_err(|error| ApiError::Internal(error.into()))? {
        Some(Returning::Open(admission)) if admission.user_id == user_id => {
            Ok(Created(issue(&app, admission, Timestamp::now())))
        }
        Some(Returning::Ended(learner)) if learner == user_id => {
            let detail = format!("the conversation {conversation_id} has ended");
            Err(ApiError::refused(Code::ConversationEnded, detail))
        }
        Some(Returning::Open(_) | Returning::Ended(_)) | None => Err(ApiError::NotFound("conversation")),
    }
}

fn issue(app: &AppState, admission: Admission, now: Timestamp) -> Started {
    let conversation_id = admission.conversation_id;
    let issued = app.tickets.issue(admission, now);
    Started {
        conversation_id,
        ticket: issued.ticket,
        ticket_expires_at: issued.expires_at,
        live: format!("/api/conversations/{conversation_id}/live"),
    }
}

/// The span of the conversation: in the caller's trace where it tells a valid one, or else the first of a new trace.
fn trace(headers: &HeaderMap, conversation_id: ConversationId) -> TraceParent {
    let caller = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse::<TraceParent>().ok());
    match caller {
        Some(caller) => caller.child(&conversation_id.to_string()),
        None => TraceParent::root(rand::random()),
    }
}

fn time_zone(name: String) -> Result<String, ApiError> {
    if is_time_zone(&name) {
        Ok(name)
    } else {
        Err(ApiError::field("timeZone", "it is an IANA name, as Asia/Seoul"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::profile::TIME_ZONE_BYTES_MAX;

    #[test]
    fn only_the_picture_is_required() {
        let request: StartRequest = serde_json::from_str(r#"{"imageId":"market"}"#).unwrap();
        assert_eq!((request.level, request.feedback_language), (None, None));
        assert_eq!(request.voice, None);
        assert_eq!(request.time_zone, None);
        assert!(serde_json::from_str::<StartRequest>(r#"{"imageId":"market","levl":"B2"}"#).is_err());
    }

    #[test]
    fn trace_of_the_caller_is_continued_and_otherwise_a_new_one_begins() {
        let id = |n| ConversationId::new("2026-11-23T10:00:00Z".parse().unwrap(), [n; 10]);
        let told = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, told.parse().unwrap());
        let (one, other) = (trace(&headers, id(1)), trace(&headers, id(2)));
        assert_eq!(one.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(other.trace_id(), one.trace_id());
        assert!(one != other && one.to_string() != told);
        headers.insert(TRACEPARENT, "nonsense".parse().unwrap());
        assert_ne!(trace(&headers, id(1)).trace_id(), one.trace_id());
        assert_ne!(trace(&HeaderMap::new(), id(1)), trace(&HeaderMap::new(), id(1)));
    }

    #[test]
    fn time_zones_are_checked() {
        assert_eq!(time_zone("Asia/Seoul".to_owned()).unwrap(), "Asia/Seoul");
        assert!(time_zone("Mars/Olympus".to_owned()).is_err());
        assert!(time_zone("x".repeat(TIME_ZONE_BYTES_MAX + 1)).is_err());
    }
}
