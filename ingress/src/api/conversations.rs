//! `POST /api/conversations` issues a ticket for the live endpoint, to start a conversation about a picture.
//! `POST /api/conversations/{id}/ticket` issues one to reconnect to it. Nothing is stored here: the conversation starts when its
//! WebSocket is accepted.

use std::sync::Arc;

use axum::extract::State;
use events::{
    contract::{ConversationId, FeedbackLanguage, Level, TraceParent},
    spending::ReachedLimit,
};
use http::HeaderMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    extract::{Body, Path},
    problem::{ApiError, Code, Rule},
    response::Created,
    route::{Route, post},
};
use crate::{
    account::{auth::Caller, profile::check_time_zone},
    app::AppState,
    coordination::RateLimitError,
    live::admission::AdmissionError,
    live::session::Returning,
    live::ticket::{Admission, Purpose},
    live::voice::{self, VOICES},
    quota::{CONVERSATION_LENGTH, TICKETS},
};

/// The header with the caller's trace (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// The request for a conversation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRequest {
    /// The id of the picture.
    image_id: String,
    /// The level of the conversation; by default that of the profile.
    level: Option<Level>,
    /// The voice of the tutor.
    voice: Option<String>,
    /// The learner's IANA time zone, e.g. `Asia/Seoul`; by default that of the profile.
    time_zone: Option<String>,
    /// The language of the assessment; by default that of the profile.
    feedback_language: Option<FeedbackLanguage>,
}

/// A ticket for a conversation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The id of the conversation.
    conversation_id: ConversationId,
    /// The ticket, which opens the live endpoint once.
    ticket: String,
    /// Expiry of the ticket.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ticket_expires_at: Timestamp,
    /// Path of the live endpoint.
    live: String,
}

/// Starting a conversation and reconnecting to it.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/conversations", "startConversation", start)
            .summary(
                "Start a conversation",
                "Returns a ticket for a conversation about a picture. The conversation starts when its live endpoint is \
                 opened.",
            )
            .problems(&[
                Code::AccountDeleted,
                Code::NotFound,
                Code::ConversationInProgress,
                Code::Busy,
                Code::ConversationQuotaReached,
                Code::SpendingLimitReached,
                Code::Stopping,
            ]),
        post("/api/conversations/{id}/ticket", "returnToConversation", ticket)
            .summary(
                "Reconnect to a conversation",
                "Returns a ticket for a conversation that has not ended. It may be live on another task.",
            )
            .problems(&[Code::AccountDeleted, Code::ConversationEnded]),
    ]
}

async fn start(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<StartRequest>,
) -> Result<Created<Started>, ApiError> {
    let voice = voice::choose(request.voice.as_deref());
    let voices = || Rule::one_of(VOICES.map(|voice| voice.id));
    let voice = voice.map_err(|message| ApiError::field("voice", voices(), message))?.to_owned();
    request.time_zone.as_deref().map(check_time_zone).transpose()?;
    let Caller { user_id, session_id, .. } = caller;
    TICKETS.spend(&app.coordination, &user_id, 1).await?;
    let profile = app.accounts.defaults(&user_id).await?;
    let picture = app.images.get(&request.image_id).await.map_err(ApiError::Internal)?;
    if picture.is_none() {
        return Err(ApiError::NotFound("picture"));
    }
    if let Some(elsewhere) = app.presence.elsewhere(&user_id).await {
        let why = AdmissionError::InConversation(elsewhere);
        app.metrics.refused(why.reason());
        return Err(why.into());
    }
    if let Err(RateLimitError::Exceeded { after }) =
        CONVERSATION_LENGTH.spend(&app.coordination, &user_id, 0).await
    {
        return Err(ApiError::DayUsedUp { after });
    }
    if let Some(limit) = app.budget.reached().await {
        let detail = match limit {
            ReachedLimit::Day => "the service has used what it may spend today; come back tomorrow (UTC)",
            ReachedLimit::Run => "the service has used what it may spend; its operator can raise the limit",
        };
        return Err(ApiError::refused(Code::SpendingLimitReached, detail));
    }
    if app.sessions.account_streams().is_full().await {
        app.metrics.refused(AdmissionError::Throttled.reason());
        return Err(AdmissionError::Throttled.into());
    }
    let now = Timestamp::now();
    let conversation_id = ConversationId::new(now, rand::random());
    app.admission_control
        .reserve(&user_id, conversation_id, now)
        .inspect_err(|why| app.metrics.refused(why.reason()))?;
    let admission = Admission {
        conversation_id,
        user_id,
        purpose: Purpose::Start,
        image_id: request.image_id,
        level: request.level.unwrap_or(profile.level),
        voice,
        time_zone: request.time_zone.unwrap_or(profile.time_zone),
        feedback_language: request.feedback_language.unwrap_or(profile.feedback_language),
        traceparent: Some(trace(&headers, conversation_id).to_string()),
    };
    Ok(Created(issue(&app, admission, session_id, now)))
}

async fn ticket(
    State(app): State<Arc<AppState>>,
    Caller { user_id, session_id, .. }: Caller,
    Path(conversation_id): Path<ConversationId>,
) -> Result<Created<Started>, ApiError> {
    app.accounts.require_usable(&user_id).await?;
    TICKETS.spend(&app.coordination, &user_id, 1).await?;
    let returning = app.sessions.returning(conversation_id).await;
    match returning.map_err(|error| ApiError::Internal(error.into()))? {
        Some(Returning::Open(admission)) if admission.user_id == user_id => {
            Ok(Created(issue(&app, admission, session_id, Timestamp::now())))
        }
        Some(Returning::Ended(learner)) if learner == user_id => {
            let detail = format!("the conversation {conversation_id} has ended");
            Err(ApiError::refused(Code::ConversationEnded, detail))
        }
        Some(Returning::Open(_) | Returning::Ended(_)) | None => Err(ApiError::NotFound("conversation")),
    }
}

fn issue(app: &AppState, admission: Admission, session_id: Uuid, now: Timestamp) -> Started {
    let conversation_id = admission.conversation_id;
    let issued = app.tickets.issue(admission, session_id, now);
    Started {
        conversation_id,
        ticket: issued.ticket,
        ticket_expires_at: issued.expires_at,
        live: format!("/api/conversations/{conversation_id}/live"),
    }
}

/// The span of the conversation: a child of the caller's span if the header is valid, otherwise the root of a new trace.
fn trace(headers: &HeaderMap, conversation_id: ConversationId) -> TraceParent {
    let caller = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse::<TraceParent>().ok());
    match caller {
        Some(caller) => caller.child(&conversation_id.to_string()),
        None => TraceParent::root(rand::random()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(check_time_zone("Asia/Seoul").is_ok());
        assert!(check_time_zone("Mars/Olympus").is_err());
        assert!(check_time_zone(&"x".repeat(crate::account::profile::TIME_ZONE_BYTES_MAX + 1)).is_err());
    }
}
