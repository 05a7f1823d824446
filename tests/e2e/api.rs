//! The API against its OpenAPI document: a property-based tester sends valid and invalid requests as a learner and as an
//! analyst, and compares each response with the document.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use infra::{
    client::Accounts,
    local::{Progress, api_tester},
};
use tests::system::{Delivery, System};

use super::beside_others;

/// The longest time of one run of the tester. The number of cases bounds a run; this limit is for a service that hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);

/// Cases of each operation and phase.
const CASES: &str = "12";

/// The seed of the tester: each run has the same cases.
const SEED: &str = "20261126";

/// Checks: no 5xx; status, media type, headers and content fit the document; invalid requests and requests without a token
/// are refused. Valid requests may be refused, too: the document cannot list the existing pictures.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,\
    allow_header_conformance,ignored_auth";

/// Operations that the tester cannot call: a WebSocket and event streams, which do not end, and the ends of the caller's
/// account or session, after which every response is 401. It cannot generate recordings, which have their own property tests. The
/// local user pool verifies no changed address or number.
const EXCLUDED: &str = "openLiveConversation|uploadTurn|watch.*|.*Events|.*Feed|deleteAccount|signOut.*|endSession|\
    changePhone|enableSms|verifyEmail";

/// A body that violates its schema may be too large as well.
const CONFIGURATION: &str = r#"
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_the_api_break_its_own_document() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("api", Delivery::Once).await?;
    let learner = Accounts::new(system.stack.url())?.sign_up("api-learner@nova.example").await?;
    let analyst = system.sign_up_to_group("api-analyst@nova.example", "analysts").await?;
    // The tester writes files into its working directory.
    let notes = tempfile::tempdir()?;
    std::fs::write(notes.path().join("schemathesis.toml"), CONFIGURATION)?;
    for (name, caller) in [("a learner", learner), ("an analyst", analyst)] {
        let token = caller.access_token().await?;
        let report = run(system.stack.url(), &token, notes.path()).await?;
        ensure!(!report.contains(&token), "the report shows the token");
        println!("as {name}:\n{report}");
    }
    system.stop().await
}

/// The report of the tester; an error if it found a violation.
async fn run(url: &str, token: &str, folder: &Path) -> anyhow::Result<String> {
    let mut tester = api_tester().command(&Progress::silent()).await?;
    tester
        .args(["run", &format!("{url}/api/openapi.json"), "--no-color", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", CASES, "--seed", SEED])
        .args(["--checks", CHECKS, "--exclude-operation-id-regex", EXCLUDED])
        .args(["--generation-database", "none", "--request-timeout", "10"])
        // Threads that parse Python concurrently block one another in Python 3.11 (python/cpython#106905).
        .args(["--workers", "1"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .args(["--header", &format!("Authorization: Bearer {token}")]);
    let output = tester.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(RUN_TIMEOUT, output).await.context("the tester does not finish")??;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{report}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(report)
}
