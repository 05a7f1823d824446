//! The API against its own document: a property-based tester sends what the document allows and what it does not, as a
//! learner and as an analyst, and compares every answer with what the document says.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use infra::{
    learner::UserPool,
    local::{Progress, api_tester, root_sdk_config},
};
use tests::system::{Delivery, System};

use super::beside_others;

/// Longest time of one run of the tester. The runs are bounded by their number of cases; this is for a service that
/// hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);

/// Cases of each operation and phase.
const CASES: &str = "12";

/// The same cases each time.
const SEED: &str = "20261126";

/// What is compared: never 5xx; status, media type, headers and content are those of the document; what the document
/// does not allow is refused; without a token there is nothing. Not whether everything that the document allows is taken:
/// it cannot say which pictures there are.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,\
    allow_header_conformance,ignored_auth";

/// What the tester cannot try: a WebSocket and streams of events, which do not end, and what ends the caller's account or
/// session, after which every answer is 401. Recordings it cannot make: they have property tests of their own.
const EXCLUDED: &str = "openLiveConversation|uploadTurn|watch.*|.*Events|.*Feed|deleteAccount|signOut.*";

#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_the_api_break_its_own_document() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("api", Delivery::Once).await?;
    let outputs = system.stack.outputs();
    let pool = UserPool::new(system.stack.cloud().endpoint(), &outputs.client_id, system.stack.url())?;
    let learner = pool.sign_up("api-learner@nova.example").await?;
    pool.sign_up("api-analyst@nova.example").await?;
    let cognito =
        aws_sdk_cognitoidentityprovider::Client::new(&root_sdk_config(system.stack.cloud().endpoint()));
    let join = cognito.admin_add_user_to_group().user_pool_id(&outputs.user_pool_id);
    join.username("api-analyst@nova.example").group_name("analysts").send().await?;
    let analyst = pool.sign_in("api-analyst@nova.example").await?;
    // The tester keeps notes where it runs.
    let notes = tempfile::tempdir()?;
    for (name, token) in [("a learner", learner.access_token()), ("an analyst", analyst.access_token())] {
        let report = run(system.stack.url(), token, notes.path()).await?;
        ensure!(!report.contains(token), "the report shows the token");
        println!("as {name}:\n{report}");
    }
    system.stop().await
}

/// What the tester reports; an error when it found something.
async fn run(url: &str, token: &str, folder: &Path) -> anyhow::Result<String> {
    let mut tester = api_tester().command(&Progress::silent()).await?;
    tester
        .args(["run", &format!("{url}/api/openapi.json"), "--no-color", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", CASES, "--seed", SEED])
        .args(["--checks", CHECKS, "--exclude-operation-id-regex", EXCLUDED])
        .args(["--generation-database", "none", "--request-timeout", "10"])
        // Threads that parse Python at the same time stop one another in Python 3.11 (python/cpython#106905).
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
