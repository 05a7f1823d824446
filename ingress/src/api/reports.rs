//! `POST /api/reports`: what a page measured, and what its browser blocked. Reports become metrics and properties of the metrics'
//! lines. They need no token, because a browser sends its own ones without.
//!
//! A report has numbers only. Of a violation of the content security policy the directive is counted; its URLs can have secrets
//! in them and are not kept.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    auth::rate_limit::{Client, REPORTS},
    extract::{decode, essence, incomplete},
    operation::OperationBuilder,
    problem::{
        ApiError, Code,
        rule::{Limit, Unit},
    },
    response::NoContent,
    route::{HandlerInput, Route, post},
};
use crate::{app::AppState, metrics::ClientReport};

const JSON: &str = "application/json";
const CSP_REPORT: &str = "application/csp-report";
const REPORTS_JSON: &str = "application/reports+json";

/// Values of one measurement in a report.
const VALUES_MAX: usize = 100;

/// The longest time that is reported, in milliseconds: ten minutes.
const MS_MAX: u32 = 600_000;

/// The largest count in a report.
const COUNT_MAX: u32 = 10_000;

/// Reports of a browser that are counted of one request; the rest is ignored.
const BROWSER_REPORTS_MAX: usize = 20;

/// Directives that are counted by name. Others are counted as [`OTHER`].
const DIRECTIVES: [&str; 18] = [
    "base-uri",
    "connect-src",
    "default-src",
    "font-src",
    "form-action",
    "frame-ancestors",
    "img-src",
    "manifest-src",
    "media-src",
    "require-trusted-types-for",
    "script-src",
    "script-src-attr",
    "script-src-elem",
    "style-src",
    "style-src-attr",
    "style-src-elem",
    "trusted-types",
    "worker-src",
];

const OTHER: &str = "other";

/// A violation of the content security policy (CSP Level 2, `report-uri`). Further properties are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
struct CspReport {
    #[serde(rename = "csp-report")]
    report: CspReportBody,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
struct CspReportBody {
    effective_directive: String,
    violated_directive: String,
}

/// A report of the Reporting API. Reports of other types than `csp-violation` are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
struct BrowserReport {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    body: BrowserReportBody,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct BrowserReportBody {
    effective_directive: String,
}

/// The reports of a request.
#[derive(Debug, PartialEq, Eq)]
enum Reports {
    Client(ClientReport),
    /// The violated directives.
    Policy(Vec<&'static str>),
}

pub fn routes() -> Vec<Route> {
    vec![
        post("/api/reports", "report", report)
            .summary(
                "Report measurements and blocked content",
                "A page reports its measurements as JSON; a browser reports violations of the content security policy by itself. \
                 No report has words. Unknown properties of a page's report are refused. At most 120 requests of one IP address \
                 are accepted in a minute.",
            )
            .returns(204, "The reports are counted."),
    ]
}

async fn report(
    State(app): State<Arc<AppState>>,
    client: Client,
    reports: Reports,
) -> Result<NoContent, ApiError> {
    client.count_for(REPORTS, &app).await?;
    match reports {
        Reports::Client(report) => app.metrics.client_report(&report),
        Reports::Policy(directives) => {
            directives.into_iter().for_each(|name| app.metrics.csp_violation(name));
        }
    }
    Ok(NoContent)
}

impl<S: Send + Sync> FromRequest<S> for Reports {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let media_type = essence(request.headers()).unwrap_or_default();
        if ![JSON, CSP_REPORT, REPORTS_JSON].contains(&media_type.as_str()) {
            let detail = format!("Content-Type must be {JSON}, {CSP_REPORT} or {REPORTS_JSON}");
            return Err(ApiError::refused(Code::ContentTypeUnsupported, detail));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| incomplete(&rejection))?;
        Self::decode(&media_type, &body)
    }
}

impl HandlerInput for Reports {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.body::<ClientReport>(JSON);
        operation.body::<CspReport>(CSP_REPORT);
        operation.body::<Vec<BrowserReport>>(REPORTS_JSON);
        [Code::BodyInvalid, Code::BodyTooLarge, Code::ContentTypeUnsupported, Code::FieldInvalid]
            .into_iter()
            .for_each(|code| operation.problem(code));
    }
}

impl Reports {
    fn decode(media_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        match media_type {
            CSP_REPORT => {
                let CspReport { report } = decode(body)?;
                let named = [report.effective_directive, report.violated_directive];
                let named = named.iter().find(|name| !name.is_empty()).map_or(OTHER, |name| directive(name));
                Ok(Self::Policy(vec![named]))
            }
            REPORTS_JSON => {
                let reports: Vec<BrowserReport> = decode(body)?;
                let reports = reports.iter().take(BROWSER_REPORTS_MAX);
                let violations = reports.filter(|report| report.kind == "csp-violation");
                let directives = violations.map(|report| directive(&report.body.effective_directive));
                Ok(Self::Policy(directives.collect()))
            }
            _ => {
                let report: ClientReport = decode(body)?;
                report.check()?;
                Ok(Self::Client(report))
            }
        }
    }
}

impl ClientReport {
    fn check(&self) -> Result<(), ApiError> {
        let counts = [("underruns", self.underruns), ("echoes", self.echoes), ("errors", self.errors)];
        for (field, count) in counts {
            if count > COUNT_MAX {
                return Err(ApiError::field(
                    field,
                    Limit::at_most(COUNT_MAX, Unit::Items),
                    format!("must be at most {COUNT_MAX}, not {count}"),
                ));
            }
        }
        for (field, values) in [("answerMs", &self.answer_ms), ("connectMs", &self.connect_ms)] {
            if values.len() > VALUES_MAX {
                let detail = format!("must have at most {VALUES_MAX} values, not {}", values.len());
                return Err(ApiError::field(field, Limit::at_most(VALUES_MAX, Unit::Items), detail));
            }
            if let Some((position, value)) = values.iter().enumerate().find(|(_, value)| **value > MS_MAX) {
                let field = format!("{field}[{position}]");
                return Err(ApiError::field(
                    field,
                    Limit::at_most(MS_MAX, Unit::Milliseconds),
                    format!("must be at most {MS_MAX}, not {value}"),
                ));
            }
        }
        Ok(())
    }
}

/// The known name of a directive. `violated-directive` of older browsers has the sources behind the name.
fn directive(text: &str) -> &'static str {
    let name = text.split_ascii_whitespace().next().unwrap_or_default();
    DIRECTIVES.into_iter().find(|directive| *directive == name).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(media_type: &str, body: &serde_json::Value) -> Result<Reports, ApiError> {
        Reports::decode(media_type, body.to_string().as_bytes())
    }

    fn field(body: &serde_json::Value) -> String {
        match read(JSON, body) {
            Err(ApiError::Unprocessable { field, .. }) => field,
            other => panic!("{body} is {other:?}"),
        }
    }

    #[test]
    fn violation_is_its_directive_and_nothing_else() {
        let secret = "https://x.example/?token=secret";
        let csp = json!({ "csp-report": {
            "document-uri": secret, "blocked-uri": "inline", "violated-directive": "script-src-elem 'self'",
        }});
        assert_eq!(read(CSP_REPORT, &csp).unwrap(), Reports::Policy(vec!["script-src-elem"]));
        let report = |kind: &str, name: &str| json!({ "type": kind, "age": 1, "url": secret, "body": { "effectiveDirective": name, "blockedURL": secret } });
        let reports = json!([
            report("csp-violation", "img-src"),
            report("deprecation", "img-src"),
            report("csp-violation", secret)
        ]);
        assert_eq!(read(REPORTS_JSON, &reports).unwrap(), Reports::Policy(vec!["img-src", OTHER]));
        let many = vec![report("csp-violation", "img-src"); BROWSER_REPORTS_MAX + 1];
        let Reports::Policy(counted) = read(REPORTS_JSON, &json!(many)).unwrap() else {
            panic!("no violations")
        };
        assert_eq!(counted.len(), BROWSER_REPORTS_MAX);
    }

    #[test]
    fn report_of_a_page_is_bounded_and_has_no_words() {
        let right = json!({ "underruns": COUNT_MAX, "answerMs": vec![MS_MAX; VALUES_MAX] });
        assert!(read(JSON, &right).is_ok());
        for (body, wrong) in [
            (json!({ "underruns": COUNT_MAX + 1 }), "underruns"),
            (json!({ "echoes": -1 }), "echoes"),
            (json!({ "errors": COUNT_MAX + 1 }), "errors"),
            (json!({ "answerMs": vec![1; VALUES_MAX + 1] }), "answerMs"),
            (json!({ "connectMs": [1, MS_MAX + 1] }), "connectMs[1]"),
            (json!({ "answerMs": ["hello"] }), "answerMs[0]"),
            (json!({ "words": "hello" }), "words"),
        ] {
            assert_eq!(field(&body), wrong, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_counted_or_refused(
            media_type in prop::sample::select(vec![JSON, CSP_REPORT, REPORTS_JSON]),
            body in r#"([\[\]{}:,"]|csp-report|type|body|underruns|[a-z0-9 -]){0,60}"#,
        ) {
            let _ = Reports::decode(media_type, body.as_bytes());
        }
    }
}
