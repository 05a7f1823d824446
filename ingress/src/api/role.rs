//! PURE. The roles that routes require.

/// Who may call a route. The last three roles each include [`Role::Learner`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Any caller.
    #[default]
    Public,
    Ticket,
    /// The owner of a valid access token, for the owner's data.
    Learner,
    /// A member of the user pool's group of analysts.
    Analyst,
    /// A member of the user pool's group of operators.
    Operator,
}

impl Role {
    /// The name in problem documents and in the OpenAPI document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Ticket => "ticket",
            Self::Learner => "learner",
            Self::Analyst => "analyst",
            Self::Operator => "operator",
        }
    }
}
