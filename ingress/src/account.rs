//! Accounts of learners: the user pool and its tokens, the rules of sign-up, the profile, and the export of all data about a
//! learner. The routes are in [`crate::api`].

pub mod accounts;
pub mod auth;
pub mod aws_credentials;
pub mod browser;
pub mod device;
pub mod email;
pub mod export;
pub mod keyring;
pub mod notices;
pub mod profile;
pub mod recovery_codes;
pub mod sessions;
pub mod sign_up;
pub mod user_pool;
