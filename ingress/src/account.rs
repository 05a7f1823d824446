//! Accounts of learners: the user pool and its tokens, sign-up rules, the profile, the export of what is held about a
//! learner. The routes are in [`crate::api`].

pub mod accounts;
pub mod auth;
pub mod email;
pub mod export;
pub mod profile;
pub mod sign_up;
pub mod user_pool;
