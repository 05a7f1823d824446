//! Security events: what an operator must see because it may be an attack. Each is one log line with the target `security` and
//! is counted in the metrics of the ingress, on which alarms of `infra/templates/monitoring.yaml` depend. The module decides
//! nothing: the caller has refused or ended what it reports.

use events::{contract::UserId, runtime::SECURITY_LOG};

use crate::metrics::Metrics;

/// The kind of a security event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A limit of attempts or a quota refused a request.
    LimitReached,
    /// The models have cost as much as operators allow for a day: a conversation was refused or ended.
    SpendingLimitReached,
    /// A caller without the required role was refused.
    RoleMissing,
    /// The renewed proof of password or code before a change of the account was wrong.
    StepUpFailed,
    /// A session id came that another one had replaced: somebody has a copy of it.
    SessionReused,
    /// A session was ended before its time, by its owner or by the service.
    SessionRevoked,
}

impl SecurityEvent {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::LimitReached,
        Self::SpendingLimitReached,
        Self::RoleMissing,
        Self::StepUpFailed,
        Self::SessionReused,
        Self::SessionRevoked,
    ];

    /// The name in log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LimitReached => "limit_reached",
            Self::SpendingLimitReached => "spending_limit_reached",
            Self::RoleMissing => "role_missing",
            Self::StepUpFailed => "step_up_failed",
            Self::SessionReused => "session_reused",
            Self::SessionRevoked => "session_revoked",
        }
    }

    /// The metric that counts it.
    #[must_use]
    pub const fn metric(self) -> &'static str {
        match self {
            Self::LimitReached => "SecurityLimits",
            Self::SpendingLimitReached => "SecuritySpendingLimits",
            Self::RoleMissing => "SecurityRolesMissing",
            Self::StepUpFailed => "SecurityStepUpFailures",
            Self::SessionReused => "SecuritySessionReuses",
            Self::SessionRevoked => "SecuritySessionRevocations",
        }
    }
}

/// Logs and counts a security event. `user_id` is the account that it is about, if it is known. `detail` is a fixed name, as of a
/// limit or a route; it has nothing that a client wrote.
pub fn security_event(metrics: &Metrics, kind: SecurityEvent, user_id: Option<&UserId>, detail: &str) {
    let (event, user_id) = (kind.name(), user_id.map(UserId::as_str));
    tracing::warn!(target: SECURITY_LOG, event, user.id = user_id, detail, "security event");
    metrics.security(kind);
}
