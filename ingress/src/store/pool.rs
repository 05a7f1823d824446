//! What the user pool says of the caller, and is told of them, with nothing but the caller's own access token. The
//! ingress has no right of its own in the pool here.

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::{Client, types::AttributeType};
use events::runtime::failure::describe;

use crate::{
    auth::AccessToken,
    profile::{NAME_CHARS_MAX, Profile},
};

/// The attributes of the pool in which a profile is mirrored.
const LEVEL: &str = "custom:learning_level";
const INTERESTS: &str = "custom:interests";

/// What a learner is called who never said.
const NAMELESS: &str = "Learner";

/// The user pool.
#[derive(Clone, Debug)]
pub struct Pool {
    cognito: Client,
}

impl Pool {
    /// The pool of whoever the token is of.
    #[must_use]
    pub fn new(sdk: &aws_config::SdkConfig) -> Self {
        Self { cognito: Client::new(sdk) }
    }

    /// The profile that a new record of the token's owner begins with; `None` when the pool knows no such user any more,
    /// or takes the token no more.
    ///
    /// # Errors
    /// The pool does not answer.
    pub async fn profile(&self, token: &AccessToken) -> anyhow::Result<Option<Profile>> {
        let got = self.cognito.get_user().access_token(token.reveal()).send().await;
        match got {
            Ok(user) => Ok(Some(profile(user.user_attributes()))),
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    error.is_user_not_found_exception() || error.is_not_authorized_exception()
                }) =>
            {
                Ok(None)
            }
            Err(error) => Err(describe(&error)).context("failed to ask the user pool for the caller"),
        }
    }

    /// Writes level and interests into the attributes of the token's owner.
    ///
    /// # Errors
    /// The pool does not take them.
    pub async fn mirror(&self, token: &AccessToken, profile: &Profile) -> anyhow::Result<()> {
        let mut update = self.cognito.update_user_attributes().access_token(token.reveal());
        for (name, value) in [(LEVEL, profile.level_attribute()), (INTERESTS, profile.interests_attribute())]
        {
            update = update.user_attributes(AttributeType::builder().name(name).value(value).build()?);
        }
        let updated = update.send().await;
        updated.map(|_| ()).map_err(|error| describe(&error)).context("failed to write the pool's attributes")
    }
}

/// The profile in the attributes of the pool, which can be written past the API: what breaks a rule is left out.
fn profile(attributes: &[AttributeType]) -> Profile {
    let value = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.name() == name);
        found.and_then(AttributeType::value).unwrap_or_default()
    };
    let name: String = value("name").chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let name = if name.trim().is_empty() { NAMELESS.to_owned() } else { name };
    let mut profile = Profile::new(name);
    profile.level = Profile::level_of_attribute(value(LEVEL)).unwrap_or(profile.level);
    profile.interests = Profile::interests_of_attribute(value(INTERESTS));
    profile
}

#[cfg(test)]
mod tests {
    use events::contract::Level;
    use proptest::prelude::*;

    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Vec<AttributeType> {
        let attribute = |(name, value): &(&str, &str)| {
            AttributeType::builder().name(*name).value(*value).build().unwrap()
        };
        pairs.iter().map(attribute).collect()
    }

    #[test]
    fn a_record_begins_with_what_the_pool_knows() {
        let known = profile(&attributes(&[("name", "Mina Kim"), (LEVEL, "C1"), (INTERESTS, "tea,trains")]));
        assert_eq!((known.name.as_str(), known.level), ("Mina Kim", Level::C1));
        assert_eq!(known.interests, ["tea", "trains"]);
        let unknown = profile(&[]);
        assert_eq!((unknown.name.as_str(), unknown.level), (NAMELESS, Level::default()));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_pool_makes_a_profile_that_keeps_the_rules(
            name in any::<String>(), level in any::<String>(), interests in any::<String>(),
        ) {
            let made = profile(&attributes(&[("name", &name), (LEVEL, &level), (INTERESTS, &interests)]));
            prop_assert!(made.clone().checked().is_ok(), "{made:?}");
        }
    }
}
