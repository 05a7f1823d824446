//! What a caller of the API is told of an error of the user pool.

use std::time::Duration;

use super::{PoolError, password};
use crate::{
    account::email::EmailRefused,
    api::problem::{ApiError, Code},
};

/// When a call that the user pool did not take may be made again, where the pool does not say.
const POOL_RETRY_AFTER: Duration = Duration::from_secs(30);

/// An error of the pool where nothing more particular is known.
pub(crate) fn problem(error: PoolError) -> ApiError {
    match error {
        PoolError::Refused => {
            let detail = "the e-mail or the password is wrong, or the address was never confirmed";
            ApiError::refused(Code::CredentialsWrong, detail)
        }
        PoolError::CodeWrong => wrong_code(),
        PoolError::PasswordWeak => ApiError::refused(Code::PasswordWeak, password::RULES),
        PoolError::EmailRefused => ApiError::refused(Code::EmailRefused, EmailRefused::Domain.to_string()),
        PoolError::ResetRequired => {
            let detail = "the password has to be replaced: ask for a code with /auth/forgot";
            ApiError::refused(Code::PasswordResetRequired, detail)
        }
        PoolError::Exhausted | PoolError::TooMany => ApiError::TooManyRequests { after: POOL_RETRY_AFTER },
        PoolError::Exists | PoolError::Invalid => {
            ApiError::Invalid("the user pool does not take the request".to_owned())
        }
        PoolError::Unavailable(error) => {
            tracing::error!(error = format!("{error:#}"), "the user pool failed");
            ApiError::refused(Code::AccountsUnavailable, "accounts cannot be reached at the moment")
        }
    }
}

/// An error of the pool at a call with an access token, which was good when it was verified.
pub(crate) fn ended(error: PoolError) -> ApiError {
    if matches!(error, PoolError::Refused) {
        ApiError::refused(Code::SessionEnded, "the session was signed out; please sign in")
    } else {
        problem(error)
    }
}

/// An error of the pool at a code that was sent by mail. What only a known address could meet is a wrong code.
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

/// Whether a mail was asked for: all that only a known address could meet is not told.
pub(crate) fn mail_asked(result: Result<(), PoolError>) -> Result<(), ApiError> {
    match result {
        Err(error @ (PoolError::TooMany | PoolError::Unavailable(_))) => Err(problem(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn wrong_code() -> ApiError {
    let detail = "the code is wrong or has expired; look again, or ask for another one";
    ApiError::refused(Code::CodeWrong, detail)
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
            assert!(mail_asked(Err(error)).is_ok());
        }
        assert_eq!(code_of(&mail_asked(Err(down())).unwrap_err()), "accounts_unavailable");
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
