//! The API: one file for each resource, in which its handlers and its routes stand; [`route`] says how they are declared.
//! The router, the OpenAPI document and the table of roles come from [`resources`].

pub mod answer;
pub mod conversations;
pub mod extract;
pub mod health;
pub mod live;
pub mod me;
pub mod openapi;
pub mod route;
pub mod turns;

use route::Route;

/// All routes, by the resource that they are documented under.
#[must_use]
pub fn resources() -> Vec<(&'static str, Vec<Route>)> {
    vec![
        ("Account", me::routes()),
        ("Conversations", conversations::routes()),
        ("Live conversations", [live::routes(), turns::routes()].concat()),
        ("Documentation", openapi::routes()),
        ("Operation", health::routes()),
    ]
}

#[cfg(test)]
mod tests;
