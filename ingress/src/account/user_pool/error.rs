//! PURE. The errors of the user pool. Error codes that would reveal whether an e-mail address is known map to one error.

/// Why a call of the user pool fails.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The e-mail, the password or the token is wrong, the e-mail address is unknown or not confirmed, or the account is
    /// disabled. Callers cannot distinguish these.
    #[error("the user pool rejected the credentials")]
    Refused,
    #[error("the e-mail address has signed up before")]
    Exists,
    #[error("the code is wrong or has expired")]
    CodeWrong,
    #[error("the password is weak")]
    PasswordWeak,
    /// The pre-sign-up trigger rejects the e-mail address.
    #[error("the e-mail address is not accepted")]
    EmailRefused,
    #[error("the password must be reset")]
    ResetRequired,
    /// The pool throttles attempts at this account, which it does for known accounts only.
    #[error("the user pool throttles attempts at the account")]
    Exhausted,
    #[error("the user pool throttles calls")]
    TooMany,
    #[error("the user pool does not accept the request")]
    Invalid,
    #[error("the user pool failed")]
    Unavailable(#[source] anyhow::Error),
}

/// The error for an error code of the user pool; `None` for a failure of the pool itself.
pub(super) fn of_code(code: &str) -> Option<PoolError> {
    Some(match code {
        "NotAuthorizedException" | "UserNotFoundException" | "UserNotConfirmedException" => {
            PoolError::Refused
        }
        "UsernameExistsException" => PoolError::Exists,
        // The last one means that another account has confirmed the e-mail address.
        "CodeMismatchException"
        | "ExpiredCodeException"
        | "EnableSoftwareTokenMFAException"
        | "AliasExistsException" => PoolError::CodeWrong,
        "InvalidPasswordException" | "PasswordHistoryPolicyViolationException" => PoolError::PasswordWeak,
        "UserLambdaValidationException" => PoolError::EmailRefused,
        "PasswordResetRequiredException" => PoolError::ResetRequired,
        "LimitExceededException" | "TooManyFailedAttemptsException" => PoolError::Exhausted,
        "TooManyRequestsException" => PoolError::TooMany,
        "InvalidParameterException" | "SoftwareTokenMFANotFoundException" | "MFAMethodNotFoundException" => {
            PoolError::Invalid
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_would_tell_who_is_known_are_one() {
        for code in ["NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException"] {
            assert!(matches!(of_code(code), Some(PoolError::Refused)), "{code}");
        }
        for code in ["CodeMismatchException", "ExpiredCodeException", "AliasExistsException"] {
            assert!(matches!(of_code(code), Some(PoolError::CodeWrong)), "{code}");
        }
    }

    #[test]
    fn an_error_that_is_no_answer_is_a_failure_of_the_pool() {
        for code in ["InternalErrorException", "ResourceNotFoundException", "UnexpectedLambdaException"] {
            assert!(of_code(code).is_none(), "{code}");
        }
    }
}
