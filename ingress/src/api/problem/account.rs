//! The problem documents of account and user pool errors.
//!
//! Errors that only a known e-mail address can cause look like those of an unknown one ([`mailed_code`], [`code_requested`]).

use std::time::Duration;

use super::{ApiError, Code};
use crate::account::{
    accounts::AccountError,
    aws_credentials::IdentityError,
    email::EmailError,
    sessions::SessionError,
    user_pool::{PoolError, password},
};

/// `Retry-After` when the user pool throttles, since it does not say.
const POOL_RETRY_AFTER: Duration = Duration::from_secs(30);

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Deleted => Self::refused(Code::AccountDeleted, error.to_string()),
            AccountError::Changed(_) => Self::refused(Code::ProfileChanged, error.to_string()),
            AccountError::Pool(error) => ended(error),
            AccountError::Failed(error) => Self::Internal(error),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Ended => ended(PoolError::Refused),
            SessionError::Pool(error) => problem(error),
            SessionError::Failed(error) => Self::Internal(error),
        }
    }
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Refused => ended(PoolError::Refused),
            IdentityError::TooMany => problem(PoolError::TooMany),
            IdentityError::Unavailable(error) => problem(PoolError::Unavailable(error)),
        }
    }
}

/// The problem of a pool error where the call gives it no more specific meaning.
pub(crate) fn problem(error: PoolError) -> ApiError {
    match error {
        PoolError::Refused => {
            let detail = "the e-mail or the password is wrong, or the e-mail address was never confirmed";
            ApiError::refused(Code::CredentialsWrong, detail)
        }
        PoolError::CodeWrong => wrong_code(),
        PoolError::PasswordWeak => ApiError::refused(Code::PasswordWeak, password::RULES),
        PoolError::EmailRefused => ApiError::refused(Code::EmailRefused, EmailError::Domain.to_string()),
        PoolError::ResetRequired => {
            let detail = "the password must be replaced: request a code with /auth/forgot";
            ApiError::refused(Code::PasswordResetRequired, detail)
        }
        PoolError::Exhausted | PoolError::TooMany => ApiError::TooManyRequests { after: POOL_RETRY_AFTER },
        PoolError::Exists | PoolError::Invalid => {
            ApiError::Invalid("the user pool does not accept the request".to_owned())
        }
        PoolError::Unavailable(error) => {
            tracing::error!(error = format!("{error:#}"), "the user pool failed");
            ApiError::refused(Code::AccountsUnavailable, "accounts are unavailable at the moment")
        }
    }
}

/// The problem of a call on behalf of a caller whose session had not ended when it was checked.
pub(crate) fn ended(error: PoolError) -> ApiError {
    if matches!(error, PoolError::Refused) {
        ApiError::refused(Code::SessionEnded, "the session was signed out; please sign in")
    } else {
        problem(error)
    }
}

/// The problem of a call with a code from an e-mail. What only a known address can cause is a wrong code.
pub(crate) fn mailed_code(error: PoolError) -> ApiError {
    match error {
        PoolError::Refused
        | PoolError::CodeWrong
        | PoolError::Exhausted
        | PoolError::Exists
        | PoolError::EmailRefused
        | PoolError::ResetRequired
        | PoolError::Invalid => wrong_code(),
        other @ (PoolError::PasswordWeak | PoolError::TooMany | PoolError::Unavailable(_)) => problem(other),
    }
}

/// The result of a request for a code by e-mail. What only a known address can cause counts as success.
pub(crate) fn code_requested(result: Result<(), PoolError>) -> Result<(), ApiError> {
    match result {
        Err(error @ (PoolError::TooMany | PoolError::Unavailable(_))) => Err(problem(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn wrong_code() -> ApiError {
    ApiError::refused(Code::CodeWrong, "the code is wrong or has expired; check it, or request another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(error: &ApiError) -> &'static str {
        error.code().name()
    }

    #[test]
    fn what_only_a_known_address_could_meet_is_a_wrong_code() {
        for error in [
            PoolError::Refused,
            PoolError::CodeWrong,
            PoolError::Exhausted,
            PoolError::Exists,
            PoolError::EmailRefused,
            PoolError::ResetRequired,
            PoolError::Invalid,
        ] {
            assert_eq!(code_of(&mailed_code(error)), "code_wrong");
        }
        let down = || PoolError::Unavailable(anyhow::anyhow!("no route"));
        assert_eq!(code_of(&mailed_code(down())), "accounts_unavailable");
        assert_eq!(code_of(&mailed_code(PoolError::TooMany)), "too_many_requests");
        for error in [PoolError::Refused, PoolError::Exhausted, PoolError::Invalid, PoolError::ResetRequired]
        {
            assert!(code_requested(Err(error)).is_ok());
        }
        assert_eq!(code_of(&code_requested(Err(down())).unwrap_err()), "accounts_unavailable");
    }

    #[test]
    fn each_error_of_the_pool_has_its_code() {
        for (error, code) in [
            (PoolError::Refused, "credentials_wrong"),
            (PoolError::CodeWrong, "code_wrong"),
            (PoolError::PasswordWeak, "password_weak"),
            (PoolError::EmailRefused, "email_refused"),
            (PoolError::ResetRequired, "password_reset_required"),
            (PoolError::Exhausted, "too_many_requests"),
            (PoolError::TooMany, "too_many_requests"),
            (PoolError::Invalid, "invalid_request"),
        ] {
            assert_eq!(code_of(&problem(error)), code);
        }
        assert_eq!(code_of(&ended(PoolError::Refused)), "session_ended");
        assert_eq!(code_of(&ended(PoolError::CodeWrong)), "code_wrong");
    }
}
