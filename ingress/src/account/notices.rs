//! The mails about changes of an account, so that the owner learns of a change by another person. A mail that fails never
//! fails the change: the failure is logged and counted. The mails have no link, because a mail with a link is what phishing imitates.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sesv2::{
    Client,
    types::{Body, Content, Destination, EmailContent, Message},
};
use events::{
    contract::UserId,
    runtime::{env, failure::describe},
};
use jiff::Timestamp;

use super::{email::Email, profile::PageLanguage, user_pool::UserPool};
use crate::{metrics::Metrics, store::users::Users};

/// Longest time that a change waits for its mails.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(3);

/// A change of which the owner of the account learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Password,
    Email,
    TotpOn,
    SmsOn,
    SecondFactorOff,
    RecoveryCodeUsed,
    RecoveryCodesReplaced,
    Export,
    Deletion,
}

/// Sends the mails.
#[derive(Debug)]
pub struct Notices {
    ses: Client,
    /// The sender; without one no mail is sent.
    from: Option<String>,
    pool: UserPool,
    users: Users,
    metrics: Arc<Metrics>,
}

impl Notices {
    /// Mails from the address `from` through SES.
    #[must_use]
    pub fn new(
        sdk: &SdkConfig,
        from: Option<String>,
        pool: UserPool,
        users: Users,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { ses: Client::new(sdk), from, pool, users, metrics }
    }

    /// Sends the mail about a change of the account of `user_id` to its e-mail address, and to `former`, the one before the change.
    pub async fn send(&self, user_id: &UserId, change: Change, former: Option<&Email>) {
        let Some(from) = &self.from else { return };
        let sent = tokio::time::timeout(NOTICE_TIMEOUT, self.try_send(from, user_id, change, former)).await;
        if let Err(error) = sent.context("it takes too long").flatten() {
            self.metrics.failed_notices.increment();
            tracing::warn!(error = format!("{error:#}"), "failed to mail a notice about a changed account");
        }
    }

    async fn try_send(
        &self,
        from: &str,
        user_id: &UserId,
        change: Change,
        former: Option<&Email>,
    ) -> anyhow::Result<()> {
        let (user, owner) = tokio::join!(self.users.get(user_id), self.pool.user(user_id.as_str()));
        let language = user?.map(|user| user.profile.page_language).unwrap_or_default();
        let (subject, text) = texts(change, language, env::now());
        let mail = || -> anyhow::Result<EmailContent> {
            let body = Body::builder().text(content(&text)?).build();
            let message = Message::builder().subject(content(subject)?).body(body).build();
            Ok(EmailContent::builder().simple(message).build())
        };
        let email = owner?.email;
        // Each receives a mail of its own, so that neither learns the address of the other.
        for to in [Some(&email), former.filter(|former| **former != email)].into_iter().flatten() {
            let to = Destination::builder().to_addresses(to.as_str()).build();
            let send = self.ses.send_email().from_email_address(from).destination(to).content(mail()?);
            send.send().await.map_err(|error| describe(&error))?;
        }
        Ok(())
    }
}

fn content(text: &str) -> anyhow::Result<Content> {
    Ok(Content::builder().data(text).charset("UTF-8").build()?)
}

/// The subject and the text of a mail about a change at `at`.
fn texts(change: Change, language: PageLanguage, at: Timestamp) -> (&'static str, String) {
    let at = at.strftime("%Y-%m-%d %H:%M UTC");
    match language {
        PageLanguage::English => {
            let what = match change {
                Change::Password => "The password of your account was changed",
                Change::Email => "The e-mail address of your account was changed",
                Change::TotpOn => "An authenticator app was turned on for your account",
                Change::SmsOn => "Codes by text message were turned on for your account",
                Change::SecondFactorOff => "Two-step sign-in was turned off for your account",
                Change::RecoveryCodeUsed => {
                    "A recovery code was used to sign in to your account, and two-step sign-in is now off"
                }
                Change::RecoveryCodesReplaced => "New recovery codes were created for your account",
                Change::Export => "All data of your account was exported",
                Change::Deletion => "The deletion of your account was requested",
            };
            let text = format!(
                "{what}: {at}.\n\nIf this was you, there is nothing to do. If not, open Nova English, reset your password with \
                 \"Forgot password\", and sign out everywhere.\n"
            );
            ("Nova English: a change of your account", text)
        }
        PageLanguage::Korean => {
            let what = match change {
                Change::Password => "계정의 비밀번호가 변경되었습니다",
                Change::Email => "계정의 이메일 주소가 변경되었습니다",
                Change::TotpOn => "계정에 인증 앱이 설정되었습니다",
                Change::SmsOn => "계정에 문자 메시지 인증이 설정되었습니다",
                Change::SecondFactorOff => "계정의 2단계 로그인이 해제되었습니다",
                Change::RecoveryCodeUsed => "복구 코드로 계정에 로그인했으며, 2단계 로그인이 해제되었습니다",
                Change::RecoveryCodesReplaced => "계정의 새 복구 코드가 만들어졌습니다",
                Change::Export => "계정의 모든 데이터를 내보냈습니다",
                Change::Deletion => "계정 삭제가 요청되었습니다",
            };
            let text = format!(
                "{what}: {at}.\n\n본인이 한 일이라면 아무것도 하지 않아도 됩니다. 그렇지 않다면 Nova English를 열고 \"비밀번호를 \
                 잊었나요?\"로 비밀번호를 재설정한 다음 모든 기기에서 로그아웃하세요.\n"
            );
            ("Nova English: 계정이 변경되었습니다", text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_change_has_its_own_text_in_both_languages() {
        let changes = [
            Change::Password,
            Change::Email,
            Change::TotpOn,
            Change::SmsOn,
            Change::SecondFactorOff,
            Change::RecoveryCodeUsed,
            Change::RecoveryCodesReplaced,
            Change::Export,
            Change::Deletion,
        ];
        let languages = [PageLanguage::English, PageLanguage::Korean];
        let all: BTreeSet<String> = languages
            .into_iter()
            .flat_map(|language| changes.map(|change| texts(change, language, Timestamp::UNIX_EPOCH).1))
            .collect();
        assert_eq!(all.len(), 2 * changes.len());
        for text in all {
            assert!(text.contains("1970-01-01 00:00 UTC") && !text.contains("http"), "{text}");
        }
    }
}
