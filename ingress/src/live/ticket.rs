//! Tickets for the live endpoint. A browser cannot send headers with a WebSocket, so the API issues a signed ticket that
//! is offered as a sub-protocol: short-lived, bound to one conversation, valid once, over all tasks that share a Redis. While Redis is down,
//! it is valid once on each task, and the journal ensures that a conversation starts only once.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use events::contract::{ConversationId, FeedbackLanguage, Level, UserId};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::coordination::{Claim, Coordination};

/// Lifetime of a ticket, in seconds.
pub const TICKET_SECONDS: i64 = 60;

const TICKET_TTL: Duration = Duration::from_secs(TICKET_SECONDS.unsigned_abs());

/// Shortest signing key, in bytes.
pub const KEY_BYTES_MIN: usize = 32;

/// Used tickets that are remembered. If more are used within a minute, tickets are rejected.
const USED_MAX: usize = 100_000;

/// Keys that are valid at one time: the one that signs, the next one, and the one before. So all tasks accept each other's
/// tickets while a replacement of the key restarts one after the other.
pub const KEYS_MAX: usize = 3;

const AUDIENCE: &str = "nova.live";

/// The keys of tickets, `NOVA_TICKET_KEY`: one or more, separated by commas. The first signs, all verify.
#[derive(Clone)]
pub struct TicketKeys(Vec<SecretString>);

/// Why keys are not accepted. No text quotes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketKeysError {
    #[error("there are {0} keys, the maximum is {KEYS_MAX}")]
    Count(usize),
    #[error("a key has {0} bytes, the minimum is {KEY_BYTES_MIN}")]
    Short(usize),
}

/// Issues and redeems tickets.
pub struct Tickets {
    signing: EncodingKey,
    checking: Vec<DecodingKey>,
    used: Mutex<Used>,
}

/// Used tickets.
#[derive(Default)]
struct Used {
    /// Their ids with their expiry, in seconds since the Unix epoch.
    ids: HashMap<String, i64>,
    /// The second in which expired ones were last removed: a full map is looked through once a second at most.
    purged_at: i64,
}

/// The claims of a ticket (JWT).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    aud: String,
    exp: i64,
    jti: String,
    /// The session of the learner who requested the ticket.
    pub session_id: Uuid,
    /// What the ticket admits to.
    pub admission: Admission,
}

/// What a ticket admits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// To start the conversation or to return to it.
    pub purpose: Purpose,
    pub image_id: String,
    /// The learner's level.
    pub level: Level,
    /// The id of the voice of the tutor.
    pub voice: String,
    /// The learner's IANA time zone.
    pub time_zone: String,
    pub feedback_language: FeedbackLanguage,
    /// W3C trace context of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    Start,
    Return,
}

#[derive(Clone, Debug)]
pub struct IssuedTicket {
    pub ticket: String,
    pub expires_at: Timestamp,
}

/// Why a ticket is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It is not a ticket of this service, has expired, or is for another conversation.
    #[error("the ticket is invalid or has expired")]
    Invalid,
    #[error("the ticket was used before")]
    Used,
}

impl FromStr for TicketKeys {
    type Err = TicketKeysError;

    fn from_str(text: &str) -> Result<Self, TicketKeysError> {
        let keys: Vec<&str> = text.split(',').map(str::trim).collect();
        if keys.len() > KEYS_MAX {
            return Err(TicketKeysError::Count(keys.len()));
        }
        if let Some(short) = keys.iter().find(|key| key.len() < KEY_BYTES_MIN) {
            return Err(TicketKeysError::Short(short.len()));
        }
        Ok(Self(keys.into_iter().map(SecretString::from).collect()))
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TicketKeys").field(&self.0.len()).finish()
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

impl Tickets {
    /// Tickets signed with the first of `keys`.
    #[must_use]
    pub fn new(keys: &TicketKeys) -> Self {
        let bytes = |key: &'_ SecretString| key.expose_secret().as_bytes().to_vec();
        Self {
            signing: EncodingKey::from_secret(&bytes(&keys.0[0])),
            checking: keys.0.iter().map(|key| DecodingKey::from_secret(&bytes(key))).collect(),
            used: Mutex::default(),
        }
    }

    /// A ticket for `admission`, requested in the session `session_id`.
    #[must_use]
    pub fn issue(&self, admission: Admission, session_id: Uuid, now: Timestamp) -> IssuedTicket {
        let expires_at = now + SignedDuration::from_secs(TICKET_SECONDS);
        let jti = Uuid::new_v4().to_string();
        let exp = expires_at.as_second();
        let claims = Claims { aud: AUDIENCE.to_owned(), exp, jti, session_id, admission };
        let ticket = encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .expect("claims have string keys and HS256 takes a key of any length");
        IssuedTicket { ticket, expires_at }
    }

    /// Redeems a ticket for `conversation_id`, which cannot be used again on any task. Returns what it admits to and the session in
    /// which it was requested.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub async fn redeem(
        &self,
        coordination: &Coordination,
        ticket: &str,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<(Admission, Uuid), TicketError> {
        let claims = self.redeem_here(ticket, conversation_id, now)?;
        let owner = Uuid::new_v4().to_string();
        match coordination.claim(&format!("ticket/{}", claims.jti), &owner, TICKET_TTL).await {
            Ok(Claim::Held(_)) => Err(TicketError::Used),
            Ok(Claim::Mine) | Err(_) => Ok((claims.admission, claims.session_id)),
        }
    }

    /// Redeems a ticket on this task.
    fn redeem_here(
        &self,
        ticket: &str,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<Claims, TicketError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        // The caller gives the time, so the expiry is checked below.
        validation.validate_exp = false;
        let verified = self.checking.iter().find_map(|key| decode::<Claims>(ticket, key, &validation).ok());
        let claims = verified.ok_or(TicketError::Invalid)?.claims;
        let now = now.as_second();
        if claims.exp <= now || claims.admission.conversation_id != conversation_id {
            return Err(TicketError::Invalid);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.ids.len() >= USED_MAX && used.purged_at < now {
            used.ids.retain(|_, expires| *expires > now);
            used.purged_at = now;
        }
        if used.ids.len() >= USED_MAX || used.ids.insert(claims.jti.clone(), claims.exp).is_some() {
            return Err(TicketError::Used);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Admission {
        Admission {
            conversation_id: ConversationId::new(now(), [7; 10]),
            user_id: "user-1".parse().unwrap(),
            purpose: Purpose::Start,
            image_id: "market".to_owned(),
            level: Level::B1,
            voice: "tiffany".to_owned(),
            time_zone: "Asia/Seoul".to_owned(),
            feedback_language: FeedbackLanguage::Korean,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    /// Tickets of a task with these keys; `1` stands for the key of ones.
    fn tickets_of(keys: &str) -> Tickets {
        let keys: Vec<String> = keys.split(',').map(|key| key.repeat(KEY_BYTES_MIN)).collect();
        Tickets::new(&keys.join(",").parse().unwrap())
    }

    fn tickets() -> Tickets {
        tickets_of("1")
    }

    #[test]
    fn a_ticket_is_good_once() {
        let (tickets, admission) = (tickets(), admission());
        let id = admission.conversation_id;
        let issued = tickets.issue(admission.clone(), Uuid::from_u128(5), now());
        assert_eq!(
            tickets
                .redeem_here(&issued.ticket, id, now())
                .map(|claims| (claims.admission, claims.session_id)),
            Ok((admission, Uuid::from_u128(5)))
        );
        assert_eq!(tickets.redeem_here(&issued.ticket, id, now()), Err(TicketError::Used));
    }

    #[test]
    fn flood_of_tickets_is_refused_and_looked_through_once_a_second() {
        let (tickets, admission) = (tickets(), admission());
        let id = admission.conversation_id;
        let issued = tickets.issue(admission, Uuid::from_u128(5), now());
        let second = now().as_second();
        let fill = |expires: i64| {
            let ids = (0..USED_MAX).map(|n| (n.to_string(), expires)).collect();
            *tickets.used.lock().unwrap() = Used { ids, purged_at: second };
        };
        fill(second);
        assert_eq!(
            tickets.redeem_here(&issued.ticket, id, now()),
            Err(TicketError::Used),
            "looked through before"
        );
        let later = now() + SignedDuration::from_secs(1);
        assert!(tickets.redeem_here(&issued.ticket, id, later).is_ok());
        assert_eq!(tickets.used.lock().unwrap().ids.len(), 1);
    }

    #[test]
    fn a_ticket_expires() {
        let (tickets, admission) = (tickets(), admission());
        let issued = tickets.issue(admission.clone(), Uuid::from_u128(5), now());
        let late = now() + SignedDuration::from_secs(TICKET_SECONDS);
        assert_eq!(
            tickets.redeem_here(&issued.ticket, admission.conversation_id, late),
            Err(TicketError::Invalid)
        );
    }

    #[test]
    fn a_ticket_is_bound_to_its_conversation_and_its_key() {
        let (tickets, admission) = (tickets(), admission());
        let issued = tickets.issue(admission.clone(), Uuid::from_u128(5), now());
        let other = ConversationId::new(now(), [8; 10]);
        assert_eq!(tickets.redeem_here(&issued.ticket, other, now()), Err(TicketError::Invalid));
        let foreign = tickets_of("2").issue(admission.clone(), Uuid::from_u128(5), now());
        let redeemed = tickets.redeem_here(&foreign.ticket, admission.conversation_id, now());
        assert_eq!(redeemed, Err(TicketError::Invalid));
        assert_eq!(tickets.redeem_here("x", admission.conversation_id, now()), Err(TicketError::Invalid));
    }

    #[test]
    fn tasks_accept_each_others_tickets_while_the_key_is_replaced() {
        let (admission, id) = (admission(), admission().conversation_id);
        // What tasks have before a replacement and after it: the current key, the next one and the one before.
        for (before, after) in [("1", "1,2"), ("1,2", "2,3,1"), ("2,3,1", "3,4,2")] {
            for (from, to) in [(before, after), (after, before)] {
                let issued = tickets_of(from).issue(admission.clone(), Uuid::from_u128(5), now());
                let redeemed = tickets_of(to).redeem_here(&issued.ticket, id, now());
                assert!(redeemed.is_ok(), "{from} to {to}: {redeemed:?}");
            }
        }
        let old = tickets_of("1").issue(admission, Uuid::from_u128(5), now());
        assert_eq!(tickets_of("3,4,2").redeem_here(&old.ticket, id, now()), Err(TicketError::Invalid));
    }

    #[test]
    fn keys_are_long_few_and_not_shown() {
        let parse = |text: &str| text.parse::<TicketKeys>();
        let key = "tangerine".repeat(4);
        assert_eq!(format!("{:?}", parse(&key).unwrap()), "TicketKeys(1)");
        assert_eq!(parse("short").unwrap_err(), TicketKeysError::Short(5));
        assert_eq!(parse(&format!("{key},")).unwrap_err(), TicketKeysError::Short(0));
        assert_eq!(parse(&[key.as_str(); KEYS_MAX + 1].join(",")).unwrap_err(), TicketKeysError::Count(4));
    }

    #[tokio::test]
    async fn ticket_is_valid_once_over_all_tasks() {
        let (one, other, coordination) = (tickets(), tickets(), Coordination::in_process());
        let (admission, id) = (admission(), admission().conversation_id);
        let issued = one.issue(admission.clone(), Uuid::from_u128(5), now());
        let redeemed = one.redeem(&coordination, &issued.ticket, id, now()).await;
        assert_eq!(redeemed, Ok((admission, Uuid::from_u128(5))));
        let again = other.redeem(&coordination, &issued.ticket, id, now()).await;
        assert_eq!(again, Err(TicketError::Used));
    }
}
