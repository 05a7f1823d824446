//! PURE. The closed list of problem codes with their status and meaning. Clients branch on the codes, so a published code keeps
//! its meaning.

use std::borrow::Cow;

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($status:ident { $($variant:ident $name:literal $meaning:literal)* })*) => {
        /// The code of a problem, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $meaning] $variant,)*)*
        }

        impl Code {
            /// All codes, by status.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The code in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$variant => $name,)*)*
                }
            }

            #[must_use]
            pub fn status(self) -> StatusCode {
                match self {
                    $($(Self::$variant)|* => StatusCode::$status,)*
                }
            }

            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$variant => $meaning,)*)*
                }
            }
        }
    };
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|code| code.name()).collect();
        json_schema!({
            "type": "string",
            "description": "The code of a problem, for programs. Later versions may add codes.",
            "enum": names
        })
    }
}

codes! {
    BAD_REQUEST {
        BodyInvalid "body_invalid" "The body is not valid JSON or is incomplete."
        CookieAmbiguous "cookie_ambiguous" "The request has several session cookies. Delete the cookies of this site and sign in again."
        InvalidRequest "invalid_request" "The request does not conform to the API."
        QueryInvalid "query_invalid" "The query parameter `field` is invalid."
    }
    UNAUTHORIZED {
        ChallengeEnded "challenge_ended" "The sign-in has taken too long. Start again with the password."
        CredentialsWrong "credentials_wrong" "The e-mail or the password is wrong, or the e-mail address was never confirmed."
        SessionEnded "session_ended" "The session was signed out or has expired. Sign in again."
        SessionMissing "session_missing" "The session cookie is missing. Sign in."
        TicketInvalid "ticket_invalid" "The ticket is for another conversation, or has expired."
        TicketUsed "ticket_used" "The ticket was already used."
        TokenExpired "token_expired" "The access token has expired."
        TokenInvalid "token_invalid" "The access token is not valid."
        TokenMissing "token_missing" "The access token is missing."
    }
    FORBIDDEN {
        CsrfHeaderMissing "csrf_header_missing" "A request with the session cookie requires the header `x-nova-csrf: 1`."
        PasswordResetRequired "password_reset_required" "The password must be reset first, with a code by e-mail."
        PasswordWrong "password_wrong" "The current password is wrong."
        AccountDeleted "account_deleted" "The deletion of the account was requested. It cannot be used any more."
        RoleMissing "role_missing" "The caller does not have the role `role`."
        StepUpRequired "step_up_required" "Password, and second factor where there is one, must be proved again with `/auth/step-up`."
    }
    NOT_FOUND {
        NotAssessed "not_assessed" "The conversation has no assessment and will not get one."
        NotFound "not_found" "The resource does not exist, or the caller has no access to it."
        NotReady "not_ready" "The resource does not exist yet. The stream of results announces it."
    }
    METHOD_NOT_ALLOWED {
        MethodNotAllowed "method_not_allowed" "The endpoint does not support the method. `Allow` lists those it supports."
    }
    REQUEST_TIMEOUT {
        UploadTooSlow "upload_too_slow" "The upload of the file took too long."
    }
    CONFLICT {
        ConversationInProgress "conversation_in_progress" "The learner is in another conversation, `conversationId`."
        ConversationInPipeline "conversation_in_pipeline" "The conversation is still being processed."
        ConversationLive "conversation_live" "The conversation has not ended yet."
        ConversationNotLive "conversation_not_live" "The conversation is not live on this task."
        TurnInProgress "turn_in_progress" "Another turn is being uploaded or spoken."
    }
    GONE {
        ConversationEnded "conversation_ended" "The conversation has ended. See its results."
    }
    PRECONDITION_FAILED {
        ProfileChanged "profile_changed" "The profile has changed since the version in `If-Match`."
    }
    PAYLOAD_TOO_LARGE {
        BodyTooLarge "body_too_large" "The body is too large."
        FileTooLarge "file_too_large" "The file is too large."
    }
    UNSUPPORTED_MEDIA_TYPE {
        ContentTypeUnsupported "content_type_unsupported" "The Content-Type is not supported."
        ContentUnsupported "content_unsupported" "The format of the content is not supported."
    }
    RANGE_NOT_SATISFIABLE {
        RangeInvalid "range_invalid" "No byte of the content is in the range."
    }
    UNPROCESSABLE_ENTITY {
        AudioBroken "audio_broken" "The file is damaged or incomplete, or its header contradicts itself."
        AudioEmpty "audio_empty" "The file has no audio."
        CodeWrong "code_wrong" "The code is wrong or has expired."
        ChannelsUnsupported "channels_unsupported" "The number of channels is not supported."
        EmailRefused "email_refused" "E-mail addresses of this domain cannot sign up."
        EncodingUnsupported "encoding_unsupported" "The encoding of the WAV file is not supported."
        FieldInvalid "field_invalid" "The field `field` of the body is invalid."
        PasswordWeak "password_weak" "The new password breaks the rules in `detail`."
        SampleRateUnsupported "sample_rate_unsupported" "The sample rate is not supported."
        TurnTooLong "turn_too_long" "The turn is too long."
    }
    PRECONDITION_REQUIRED {
        IfMatchMissing "if_match_missing" "`If-Match` is required: the version that the change is based on."
    }
    TOO_MANY_REQUESTS {
        ConversationQuotaReached "conversation_quota_reached" "The learner has talked as long as one day allows. `Retry-After` says when to come back."
        TooManyRequests "too_many_requests" "A rate limit is exceeded. `Retry-After` says when to try again."
    }
    INTERNAL_SERVER_ERROR {
        InternalError "internal_error" "An internal error occurred."
    }
    SERVICE_UNAVAILABLE {
        AccountsUnavailable "accounts_unavailable" "The user pool is unavailable at the moment."
        Busy "busy" "The capacity is exhausted. `Retry-After` says when to try again."
        SpendingLimitReached "spending_limit_reached" "The service has used what operators allow it to spend."
        Stopping "stopping" "The task is stopping. Try again at once: another task takes over."
    }
    GATEWAY_TIMEOUT {
        Timeout "timeout" "The response took too long."
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_plain_and_in_the_order_of_their_status() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
            assert!(code.meaning().ends_with('.'), "{code:?}");
        }
    }
}
