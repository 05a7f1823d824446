//! The user pool: the calls with which a learner signs up, in and out. Passwords, codes and tokens pass through here and stay
//! nowhere. The calls carry what the learner has proved and need no permission of the task, but for the one that ends the
//! sessions after a reset.

mod failure;
pub mod password;

use std::{collections::HashMap, fmt};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, SmsMfaSettingsType,
        SoftwareTokenMfaSettingsType,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::runtime::failure::describe;

use crate::{email::Email, profile::Profile};
pub use failure::AccountError;

/// The user pool and our client of it.
#[derive(Clone, Debug)]
pub struct Accounts {
    cognito: Client,
    pool_id: String,
    client_id: String,
}

/// A text that is not shown: a password, a code, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

/// What follows a correct password, or a step after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// All that was needed.
    Tokens(Tokens),
    /// One more proof is needed.
    Challenge {
        /// Which one.
        kind: Challenge,
        /// What the answer carries back.
        session: Session,
        /// Where a code was sent, as the pool masks it.
        destination: Option<String>,
    },
}

/// A sign-in that waits for one more proof: the pool's own session, and the user name in the pool, to which the pool has
/// bound it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    username: Hidden,
    session: Hidden,
}

/// The tokens of somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// For the API.
    pub access: Hidden,
    /// For new ones; none when it was itself used to get these.
    pub refresh: Option<Hidden>,
    /// How long the access token is good, in seconds.
    pub expires_in: u32,
}

/// A proof that the pool asks for beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A code of an authenticator app.
    Totp,
    /// A code that was sent by SMS.
    Sms,
    /// A new password in place of the one that an administrator set.
    NewPassword,
}

impl Hidden {
    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl Session {
    /// As it is given to the learner.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(self.username.reveal()), self.session.reveal())
    }

    /// Reads what [`Self::to_text`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (username, session) = text.split_once('.')?;
        let username = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(username).ok()?).ok()?;
        let is_one = !username.is_empty() && !session.is_empty();
        is_one.then(|| Self { username: Hidden(username), session: Hidden(session.to_owned()) })
    }

    /// Who signs in, for counting attempts.
    #[must_use]
    pub fn username(&self) -> &str {
        self.username.reveal()
    }
}

impl Challenge {
    fn name(self) -> ChallengeNameType {
        match self {
            Self::Totp => ChallengeNameType::SoftwareTokenMfa,
            Self::Sms => ChallengeNameType::SmsMfa,
            Self::NewPassword => ChallengeNameType::NewPasswordRequired,
        }
    }

    fn answer(self) -> &'static str {
        match self {
            Self::Totp => "SOFTWARE_TOKEN_MFA_CODE",
            Self::Sms => "SMS_MFA_CODE",
            Self::NewPassword => "NEW_PASSWORD",
        }
    }
}

impl Accounts {
    /// The pool `pool_id` and its client `client_id`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, pool_id: String, client_id: String) -> Self {
        Self { cognito: Client::new(sdk), pool_id, client_id }
    }

    /// Signs somebody up and has a code sent to the address.
    ///
    /// # Errors
    /// [`AccountError::Exists`], [`AccountError::PasswordWeak`], [`AccountError::EmailRefused`] and others.
    pub async fn sign_up(
        &self,
        email: &Email,
        password: &Hidden,
        profile: &Profile,
    ) -> Result<(), AccountError> {
        let attributes = [
            ("email", email.as_str().to_owned()),
            ("name", profile.name.clone()),
            ("custom:learning_level", profile.level_attribute()),
            ("custom:interests", profile.interests_attribute()),
        ];
        let attributes = attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| AttributeType::builder().name(name).value(value).build());
        let attributes = attributes.collect::<Result<Vec<_>, _>>().context("every attribute has a name");
        self.cognito
            .sign_up()
            .client_id(&self.client_id)
            .username(email.as_str())
            .password(password.reveal())
            .set_user_attributes(Some(attributes.map_err(AccountError::Unavailable)?))
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }

    /// Confirms a sign-up with the code that was sent.
    ///
    /// # Errors
    /// [`AccountError::CodeWrong`]; [`AccountError::Refused`] for an address that waits for no confirmation.
    pub async fn confirm(&self, email: &Email, code: &Hidden) -> Result<(), AccountError> {
        let confirm = self.cognito.confirm_sign_up().client_id(&self.client_id).username(email.as_str());
        let confirmed = confirm.confirmation_code(code.reveal()).send().await;
        confirmed.map(drop).map_err(|error| failed(&error))
    }

    /// Has another code sent to an address that is to be confirmed.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn resend(&self, email: &Email) -> Result<(), AccountError> {
        let resend =
            self.cognito.resend_confirmation_code().client_id(&self.client_id).username(email.as_str());
        resend.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Signs in with a password.
    ///
    /// # Errors
    /// [`AccountError::Refused`], [`AccountError::ResetRequired`] and others.
    pub async fn sign_in(&self, email: &Email, password: &Hidden) -> Result<SignedIn, AccountError> {
        let signed_in = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(&self.client_id)
            .auth_parameters("USERNAME", email.as_str())
            .auth_parameters("PASSWORD", password.reveal())
            .send()
            .await
            .map_err(|error| failed(&error))?;
        step(
            email.as_str(),
            signed_in.authentication_result,
            signed_in.challenge_name.as_ref(),
            signed_in.session,
            signed_in.challenge_parameters,
        )
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// [`AccountError::CodeWrong`]; [`AccountError::Refused`] for a session that has ended; others.
    pub async fn respond(
        &self,
        challenge: Challenge,
        session: &Session,
        answer: &Hidden,
    ) -> Result<SignedIn, AccountError> {
        let signed_in = self
            .cognito
            .respond_to_auth_challenge()
            .client_id(&self.client_id)
            .challenge_name(challenge.name())
            .session(session.session.reveal())
            .challenge_responses("USERNAME", session.username())
            .challenge_responses(challenge.answer(), answer.reveal())
            .send()
            .await
            .map_err(|error| failed(&error))?;
        step(
            session.username(),
            signed_in.authentication_result,
            signed_in.challenge_name.as_ref(),
            signed_in.session,
            signed_in.challenge_parameters,
        )
    }

    /// A new access token.
    ///
    /// # Errors
    /// [`AccountError::Refused`] for a refresh token that was revoked or has expired.
    pub async fn refresh(&self, refresh_token: &Hidden) -> Result<Tokens, AccountError> {
        let refreshed = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .client_id(&self.client_id)
            .auth_parameters("REFRESH_TOKEN", refresh_token.reveal())
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let tokens = refreshed.authentication_result.context("the pool gave no tokens");
        tokens.and_then(tokens_of).map_err(AccountError::Unavailable)
    }

    /// Ends the session of a refresh token. Ending it again changes nothing.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn revoke(&self, refresh_token: &Hidden) -> Result<(), AccountError> {
        let revoke = self.cognito.revoke_token().client_id(&self.client_id).token(refresh_token.reveal());
        revoke.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Ends all sessions of the owner of an access token.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn sign_out_everywhere(&self, access_token: &str) -> Result<(), AccountError> {
        let sign_out = self.cognito.global_sign_out().access_token(access_token);
        sign_out.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Has a code sent with which the password can be replaced.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn forgot(&self, email: &Email) -> Result<(), AccountError> {
        let forgot = self.cognito.forgot_password().client_id(&self.client_id).username(email.as_str());
        forgot.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Replaces a forgotten password.
    ///
    /// # Errors
    /// [`AccountError::CodeWrong`], [`AccountError::PasswordWeak`] and others.
    pub async fn reset(&self, email: &Email, code: &Hidden, password: &Hidden) -> Result<(), AccountError> {
        let reset = self.cognito.confirm_forgot_password().client_id(&self.client_id);
        let reset = reset.username(email.as_str()).confirmation_code(code.reveal());
        let reset = reset.password(password.reveal()).send().await;
        reset.map(drop).map_err(|error| failed(&error))
    }

    /// Ends all sessions of the owner of an address. Who may, the task's role says.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn end_sessions(&self, email: &Email) -> Result<(), AccountError> {
        let end = self.cognito.admin_user_global_sign_out().user_pool_id(&self.pool_id);
        end.username(email.as_str()).send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Replaces a known password.
    ///
    /// # Errors
    /// [`AccountError::Refused`] for a wrong one, [`AccountError::PasswordWeak`] and others.
    pub async fn change_password(
        &self,
        access_token: &str,
        old: &Hidden,
        new: &Hidden,
    ) -> Result<(), AccountError> {
        let change = self.cognito.change_password().access_token(access_token);
        let change = change.previous_password(old.reveal()).proposed_password(new.reveal());
        change.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// The secret of a new authenticator app, in base 32.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn new_totp_secret(&self, access_token: &str) -> Result<Hidden, AccountError> {
        let associated = self.cognito.associate_software_token().access_token(access_token).send().await;
        let secret = associated.map_err(|error| failed(&error))?.secret_code;
        secret.map(Hidden).context("the pool gave no secret").map_err(AccountError::Unavailable)
    }

    /// Makes the authenticator app that shows `code` the second proof of every sign-in.
    ///
    /// # Errors
    /// [`AccountError::CodeWrong`] and others.
    pub async fn enable_totp(&self, access_token: &str, code: &Hidden) -> Result<(), AccountError> {
        let verify = self.cognito.verify_software_token().access_token(access_token);
        verify.user_code(code.reveal()).send().await.map_err(|error| failed(&error))?;
        let totp = SoftwareTokenMfaSettingsType::builder().enabled(true).preferred_mfa(true).build();
        let prefer = self.cognito.set_user_mfa_preference().access_token(access_token);
        prefer.software_token_mfa_settings(totp).send().await.map(drop).map_err(|error| failed(&error))
    }

    /// From here on the password is enough.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn disable_mfa(&self, access_token: &str) -> Result<(), AccountError> {
        let totp = SoftwareTokenMfaSettingsType::builder().enabled(false).preferred_mfa(false).build();
        let sms = SmsMfaSettingsType::builder().enabled(false).preferred_mfa(false).build();
        let disable = self.cognito.set_user_mfa_preference().access_token(access_token);
        let disable = disable.software_token_mfa_settings(totp).sms_mfa_settings(sms);
        disable.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// The e-mail address of the owner of an access token, and what the pool knows of the owner's profile.
    ///
    /// # Errors
    /// [`AccountError::Refused`] for the token of somebody who was signed out or deleted.
    pub async fn owner(&self, access_token: &str) -> Result<(Email, Profile), AccountError> {
        let user = self.cognito.get_user().access_token(access_token).send().await;
        let user = user.map_err(|error| failed(&error))?;
        let attribute = |name: &str| {
            user.user_attributes.iter().find(|one| one.name == name).and_then(|one| one.value.as_deref())
        };
        let profile = Profile::of_attributes(
            attribute("name"),
            attribute("custom:learning_level"),
            attribute("custom:interests"),
        );
        let email = attribute("email").and_then(|email| email.parse().ok());
        let email = email.context("the pool's user has no e-mail address");
        Ok((email.map_err(AccountError::Unavailable)?, profile))
    }
}

/// What follows from an answer of the pool to a password or to a challenge of `username`. The pool names the user as the
/// answer to a challenge has to, which need not be the e-mail address.
fn step(
    username: &str,
    result: Option<AuthenticationResultType>,
    challenge: Option<&ChallengeNameType>,
    session: Option<String>,
    parameters: Option<HashMap<String, String>>,
) -> Result<SignedIn, AccountError> {
    if let Some(result) = result {
        return tokens_of(result).map(SignedIn::Tokens).map_err(AccountError::Unavailable);
    }
    let kind = [Challenge::Totp, Challenge::Sms, Challenge::NewPassword]
        .into_iter()
        .find(|known| challenge == Some(&known.name()))
        .with_context(|| format!("the pool asks for something unknown: {challenge:?}"))
        .map_err(AccountError::Unavailable)?;
    let session = session.context("the pool gave no session").map_err(AccountError::Unavailable)?;
    let mut parameters = parameters.unwrap_or_default();
    let username = parameters.remove("USER_ID_FOR_SRP").unwrap_or_else(|| username.to_owned());
    let session = Session { username: Hidden(username), session: Hidden(session) };
    let destination = parameters.remove("CODE_DELIVERY_DESTINATION");
    Ok(SignedIn::Challenge { kind, session, destination })
}

fn tokens_of(result: AuthenticationResultType) -> anyhow::Result<Tokens> {
    Ok(Tokens {
        access: Hidden(result.access_token.context("the pool gave no access token")?),
        refresh: result.refresh_token.map(Hidden),
        expires_in: u32::try_from(result.expires_in).context("the token's life is not one")?,
    })
}

/// The pool's own text is not repeated: it may quote what was sent.
fn failed<E>(error: &SdkError<E, HttpResponse>) -> AccountError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.code().map(|code| (code, failure::of_code(code))) {
        Some((_, Some(known))) => known,
        Some((code, None)) => AccountError::Unavailable(anyhow::anyhow!("the user pool answers {code}")),
        None => AccountError::Unavailable(describe(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_challenge_of_the_pool_is_known_and_another_is_a_failure() {
        let session = || Some("session".to_owned());
        let parameters = [("CODE_DELIVERY_DESTINATION", "+*******1234"), ("USER_ID_FOR_SRP", "8f1d")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sms = Some(&ChallengeNameType::SmsMfa);
        let found = step("mina@school.kr", None, sms, session(), Some(HashMap::from(parameters))).unwrap();
        let expected = SignedIn::Challenge {
            kind: Challenge::Sms,
            session: Session { username: Hidden("8f1d".to_owned()), session: Hidden("session".to_owned()) },
            destination: Some("+*******1234".to_owned()),
        };
        assert_eq!(found, expected);
        for (name, kind) in [
            (ChallengeNameType::SoftwareTokenMfa, Challenge::Totp),
            (ChallengeNameType::NewPasswordRequired, Challenge::NewPassword),
        ] {
            let found = step("mina@school.kr", None, Some(&name), session(), None).unwrap();
            let SignedIn::Challenge { kind: found, session, .. } = found else {
                panic!("{name} is a challenge");
            };
            assert_eq!((found, session.username()), (kind, "mina@school.kr"));
        }
        for name in [Some(&ChallengeNameType::CustomChallenge), None] {
            assert!(matches!(step("", None, name, session(), None), Err(AccountError::Unavailable(_))));
        }
        let without = step("", None, Some(&ChallengeNameType::SmsMfa), None, None);
        assert!(matches!(without, Err(AccountError::Unavailable(_))));
    }

    #[test]
    fn a_session_is_read_as_it_was_given_and_what_is_none_is_not() {
        let username = Hidden("mina@school.kr".to_owned());
        let session = Session { username, session: Hidden("AYABe.x+/=".to_owned()) };
        assert_eq!(Session::read(&session.to_text()), Some(session.clone()));
        assert!(!format!("{session:?}").contains("mina"));
        for text in ["", ".", "AYABe", "!!.AYABe", ".AYABe", "bWluYQ."] {
            assert_eq!(Session::read(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let result = AuthenticationResultType::builder()
            .access_token("tangerine")
            .refresh_token("tangerine")
            .expires_in(900)
            .build();
        let tokens = step("", Some(result), None, None, None).unwrap();
        assert!(matches!(&tokens, SignedIn::Tokens(tokens) if tokens.expires_in == 900));
        assert!(!format!("{tokens:?}").contains("tangerine"));
    }
}
