//! PURE. The closed list of the codes of problems: what they mean and with which status they are answered. Pages branch
//! on them, so a code that was published keeps its meaning.

use http::StatusCode;

macro_rules! codes {
    ($($status:ident { $($variant:ident $name:literal $meaning:literal)* })*) => {
        /// What is wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $meaning] $variant,)*)*
        }

        impl Code {
            /// All codes, by status.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// How it is written.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$variant => $name,)*)*
                }
            }

            /// The status with which it is answered.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self {
                    $($(Self::$variant)|* => StatusCode::$status,)*
                }
            }

            /// What it means, for the documentation.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$variant => $meaning,)*)*
                }
            }
        }
    };
}

codes! {
    BAD_REQUEST {
        BodyInvalid "body_invalid" "The body is not JSON, or did not arrive whole."
        InvalidRequest "invalid_request" "The request is not one of the API."
        QueryInvalid "query_invalid" "The parameter of the query that `field` names is wrong."
    }
    UNAUTHORIZED {
        ChallengeEnded "challenge_ended" "The sign-in has taken too long: it begins again with the password."
        CredentialsWrong "credentials_wrong" "The e-mail or the password is wrong, or the address was never confirmed."
        SessionEnded "session_ended" "The session was signed out or has expired: a new sign-in is needed."
        SessionMissing "session_missing" "There is no cookie of a session: a sign-in is needed."
        TicketInvalid "ticket_invalid" "The ticket is of another conversation, or has expired."
        TicketUsed "ticket_used" "The ticket was used before."
        TokenExpired "token_expired" "The access token has expired."
        TokenInvalid "token_invalid" "The access token is not one that is taken here."
        TokenMissing "token_missing" "There is no access token."
    }
    FORBIDDEN {
        CsrfHeaderMissing "csrf_header_missing" "A request that the cookie proves needs the header `x-nova-csrf: 1`."
        PasswordResetRequired "password_reset_required" "The password has to be replaced first, with a code by e-mail."
        PasswordWrong "password_wrong" "The present password is another one."
        AccountDeleted "account_deleted" "The learner asked for the deletion of the account; nothing can be done with it any more."
        RoleMissing "role_missing" "The caller lacks the role that `role` names."
    }
    NOT_FOUND {
        NotAssessed "not_assessed" "There is no assessment of the conversation, and there will be none."
        NotFound "not_found" "There is nothing of that name, or not for the caller."
        NotReady "not_ready" "It is not there yet: the stream of results tells when it is."
    }
    METHOD_NOT_ALLOWED {
        MethodNotAllowed "method_not_allowed" "`Allow` says which methods the address has."
    }
    REQUEST_TIMEOUT {
        UploadTooSlow "upload_too_slow" "The file did not arrive in time."
    }
    CONFLICT {
        ConversationInProgress "conversation_in_progress" "The learner is in `conversationId`."
        ConversationInPipeline "conversation_in_pipeline" "The conversation is still being assessed."
        ConversationLive "conversation_live" "The conversation has not ended."
        ConversationNotLive "conversation_not_live" "The conversation is not live on this task."
        TurnInProgress "turn_in_progress" "Another turn is being uploaded or spoken."
    }
    GONE {
        ConversationEnded "conversation_ended" "The conversation has ended; what came of it is among its results."
    }
    PRECONDITION_FAILED {
        ProfileChanged "profile_changed" "The profile was changed since the version that `If-Match` names."
    }
    PAYLOAD_TOO_LARGE {
        BodyTooLarge "body_too_large" "The body is longer than is taken."
        FileTooLarge "file_too_large" "The file is longer than is taken."
    }
    UNSUPPORTED_MEDIA_TYPE {
        ContentTypeUnsupported "content_type_unsupported" "The Content-Type is not taken here."
        ContentTypeWrong "content_type_wrong" "The content is not what the Content-Type says."
        ContentUnsupported "content_unsupported" "The content is of no format that is taken."
    }
    UNPROCESSABLE_ENTITY {
        AudioBroken "audio_broken" "The file is damaged or incomplete."
        AudioEmpty "audio_empty" "There is no audio in the file."
        CodeWrong "code_wrong" "The code is wrong or has expired."
        ChannelsUnsupported "channels_unsupported" "The file has no channels or too many."
        EmailRefused "email_refused" "Addresses of this domain cannot sign up."
        EncodingUnsupported "encoding_unsupported" "The encoding of the WAV file is not taken."
        FieldInvalid "field_invalid" "The field of the body that `field` names is wrong."
        PasswordWeak "password_weak" "The new password breaks the rules that `detail` tells."
        SampleRateUnsupported "sample_rate_unsupported" "The sample rate is not taken."
        TurnTooLong "turn_too_long" "The turn is longer than is taken."
    }
    PRECONDITION_REQUIRED {
        IfMatchMissing "if_match_missing" "`If-Match` has to say on which version the change was made."
    }
    TOO_MANY_REQUESTS {
        TooManyRequests "too_many_requests" "`Retry-After` says when to try again."
    }
    INTERNAL_SERVER_ERROR {
        InternalError "internal_error" "Something went wrong on our side."
    }
    SERVICE_UNAVAILABLE {
        AccountsUnavailable "accounts_unavailable" "The user pool cannot be reached at the moment."
        Busy "busy" "Everything is in use; `Retry-After` says when to come back."
        KeysUnavailable "keys_unavailable" "Access tokens cannot be verified at the moment."
        Stopping "stopping" "The task is stopping; another one is there at once."
    }
    GATEWAY_TIMEOUT {
        Timeout "timeout" "The answer took too long."
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
