//! The HTTP API: one file for each resource, with its handlers and routes; [`route`] explains the declaration. The router, the
//! OpenAPI document and the table of roles come from [`resources`].

pub mod accept;
pub mod access;
mod audit;
pub mod auth;
pub mod cache;
pub mod caller;
pub mod config;
pub mod conversations;
pub mod csv;
pub mod docs;
pub mod extract;
pub mod feed;
pub mod health;
pub mod history;
pub mod learners;
pub mod live;
pub mod me;
pub mod middleware;
pub mod next_step;
pub mod openapi;
pub mod operation;
pub mod ops;
pub mod overview;
pub mod paging;
pub mod pictures;
pub mod problem;
pub mod progress;
pub mod reports;
pub mod response;
pub mod results;
pub mod role;
pub mod route;
pub mod scores;
pub mod sessions;
pub mod turns;

use route::Route;

/// All routes, by the tag that documents them.
#[must_use]
pub fn resources() -> Vec<(&'static str, Vec<Route>)> {
    vec![
        ("Account", [me::routes(), sessions::routes()].concat()),
        ("Pictures", pictures::routes()),
        ("Conversations", [conversations::routes(), history::routes(), results::routes()].concat()),
        ("Progress", [progress::routes(), scores::own_routes(), next_step::routes()].concat()),
        ("Learners", [learners::routes(), scores::routes(), overview::routes(), feed::routes()].concat()),
        ("Live conversations", [live::routes(), turns::routes()].concat()),
        ("Signing in", auth::routes()),
        ("Documentation", [config::routes(), openapi::routes(), docs::routes()].concat()),
        ("Operation", [health::routes(), ops::routes(), reports::routes()].concat()),
    ]
}

#[cfg(test)]
mod tests;
