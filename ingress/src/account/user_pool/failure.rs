//! PURE. What an error of the user pool means to us. Where the pool would tell whether an address is known, several of its
//! errors are one of ours.

/// Why the user pool does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The e-mail, the password or the token is wrong, the address is not known or not confirmed, or the account is
    /// disabled. Which of them, nobody is told.
    #[error("the user pool refuses")]
    Refused,
    /// The address has signed up before.
    #[error("the address is known")]
    Exists,
    /// The code is wrong or has expired.
    #[error("the code is wrong")]
    CodeWrong,
    /// The password breaks the pool's policy.
    #[error("the password is weak")]
    PasswordWeak,
    /// The trigger before the sign-up does not take the address.
    #[error("the address is not taken")]
    EmailRefused,
    /// An administrator demands a new password by e-mail.
    #[error("the password has to be reset")]
    ResetRequired,
    /// The pool takes no more attempts at this account for a while. It says so of known accounts only.
    #[error("the user pool takes no more attempts at the account for a while")]
    Exhausted,
    /// The pool takes no more calls for the moment.
    #[error("the user pool takes no more calls for the moment")]
    TooMany,
    /// The request is nothing that the pool can do.
    #[error("the user pool does not take the request")]
    Invalid,
    /// The pool failed or cannot be reached.
    #[error("the user pool failed")]
    Unavailable(#[source] anyhow::Error),
}

/// What the error `code` of the user pool means; nothing for one that is no answer to the request.
pub(super) fn of_code(code: &str) -> Option<PoolError> {
    Some(match code {
        "NotAuthorizedException" | "UserNotFoundException" | "UserNotConfirmedException" => {
            PoolError::Refused
        }
        "UsernameExistsException" => PoolError::Exists,
        // The last one says that somebody else has confirmed the address.
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
