//! `nova --bedrock aws` up to its check of the access. The account is a simulator that verifies signatures with keys of its own. The
//! real SDK resolves each kind of profile; what AWS serves for it comes from an endpoint on loopback.
//!
//! Sonic is denied to every caller, with a valid signature: so the command ends after the check, and starts nothing.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
    routing::{get, post},
};
use serde_json::json;
use tokio::process::Command;

use crate::Setup;

/// No run takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kinds of profiles, each with a key of its own: `AKID` and its name in capitals.
const KINDS: [&str; 5] = ["keys", "process", "sso", "login", "role"];

const LOGIN_SESSION: &str = "arn:aws:iam::123456789012:user/dev";

/// SHA-256 of [`LOGIN_SESSION`], the name of its cached token.
const LOGIN_FILE: &str = "893f13863f68a08133e541260597f1d60f5bf9b326625782990032cbad201e26.json";

/// SHA-1 of `work`, the name of the cached token of the SSO session.
const SSO_FILE: &str = "e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";

/// A key of this test, which signs nothing else.
const DPOP_KEY: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEINbiqbPzB8VZCFsp2GYRx96CD5Dwxj/4U0Ho7GoVPp96oAoGCCqGSM49
AwEHoUQDQgAE4VRU/oD6TJacv4Z4zra5V/AE0Cp3qQISHkLY5pBmGHs0yn272f5r
O2X9TtKbfIr3GTVqUAhzEfkoXpb7f06trg==
-----END EC PRIVATE KEY-----
";

const FAR: &str = "2999-01-01T00:00:00Z";

fn key(kind: &str) -> String {
    format!("AKID{}", kind.to_uppercase())
}

fn secret(kind: &str) -> String {
    format!("secret/of+{kind}")
}

/// An account with a home folder of its user.
struct Account {
    simulator: Setup,
    home: PathBuf,
    services: String,
}

/// How a run of `nova` ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    error: String,
}

impl Account {
    async fn start() -> Self {
        let simulator = Setup::start(|options, folder| {
            let keys = KINDS.map(|kind| format!("{}={}\n", key(kind), secret(kind)));
            fs::write(folder.join("keys"), keys.concat()).unwrap();
            options.verify_signatures = Some(folder.join("keys"));
            options.faults = vec!["access-denied@0**".parse().unwrap()];
        })
        .await;
        let home = simulator.folder.path().join("home");
        write(&home.join("config"), &config(&home, &simulator.simulator.endpoint()));
        write(&home.join("credentials"), &credentials());
        let script = home.join("process.sh");
        let process = json!({
            "Version": 1,
            "AccessKeyId": key("process"),
            "SecretAccessKey": secret("process"),
            "SessionToken": "session",
            "Expiration": FAR,
        });
        write(&script, &format!("#!/bin/sh\necho '{process}'\n"));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let sso = json!({ "startUrl": "https://work.example/start", "region": "us-east-1", "accessToken": "of sso", "expiresAt": FAR });
        write(&home.join(".aws/sso/cache").join(SSO_FILE), &sso.to_string());
        // The token of the sign-in has expired, so the SDK renews it.
        let login = json!({
            "accessToken": {
                "accessKeyId": "AKIDOLD", "secretAccessKey": "old", "sessionToken": "old",
                "accountId": "123456789012", "expiresAt": "2026-01-01T00:00:00Z",
            },
            "tokenType": "aws_sigv4",
            "refreshToken": "first",
            "clientId": "arn:aws:signin:::devtools/same-device",
            "dpopKey": DPOP_KEY,
        });
        write(&home.join(".aws/login/cache").join(LOGIN_FILE), &login.to_string());
        Self { simulator, home, services: services().await }
    }

    /// Runs `nova --bedrock aws` with `arguments` and the environment of the user, without a terminal.
    async fn nova(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = self.command(arguments, environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), out: text(output.stdout), error: text(output.stderr) }
    }

    /// Runs it at a terminal where a person types `answer`. Returns the exit code and what the terminal shows.
    async fn nova_at_a_terminal(&self, answer: &str) -> (Option<i32>, String) {
        let pty = nix::pty::openpty(None, None).unwrap();
        let nothing = [("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://127.0.0.1:9"), ("TERM", "dumb")];
        let mut command = self.command(&["--profile", "keys"], &nothing);
        let terminal = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut child = command.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
        // The last descriptors of the terminal are those of the child, so that reading ends with it.
        drop((command, pty.slave));
        let mut master = fs::File::from(pty.master);
        writeln!(master, "{answer}").unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut shown = Vec::new();
            // Linux reports the end of a terminal as an error.
            let _ = master.read_to_end(&mut shown);
            String::from_utf8_lossy(&shown).into_owned()
        });
        let code = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code();
        (code, tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap())
    }

    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nova"));
        command.env_clear().kill_on_drop(true);
        command
            .args(["--port", "0", "--bedrock", "aws"])
            .args(arguments)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("AWS_CONFIG_FILE", self.home.join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.home.join("credentials"))
            .env("AWS_CA_BUNDLE", self.simulator.simulator.ca_file())
            .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", self.simulator.simulator.endpoint())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(["SSO", "SIGNIN", "STS"].map(|name| (format!("AWS_ENDPOINT_URL_{name}"), &self.services)))
            .envs(environment.iter().copied());
        command
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn config(home: &Path, endpoint: &str) -> String {
    let process = home.join("process.sh");
    format!(
        "[profile keys]\nregion = us-west-2\n\
         [profile process]\nregion = us-east-1\ncredential_process = {}\n\
         [profile sso]\nregion = us-east-1\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = Developer\n\
         [sso-session work]\nsso_start_url = https://work.example/start\nsso_region = us-east-1\n\
         [profile login]\nregion = us-east-1\nlogin_session = {LOGIN_SESSION}\n\
         [profile role]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/Developer\nsource_profile = keys\n\
         [profile nowhere]\noutput = json\n\
         [profile elsewhere]\nregion = us-east-1\nservices = ours\ncredential_process = {}\n\
         [services ours]\nbedrock_runtime =\n  endpoint_url = {endpoint}\n",
        process.display(),
        process.display()
    )
}

fn credentials() -> String {
    let profile = |name: &str, id: &str, secret: &str| {
        format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    };
    // `local` has the key of the local cloud.
    [
        profile("keys", &key("keys"), &secret("keys")),
        profile("misspelt", &key("keys"), "another"),
        profile("local", "test", "test"),
    ]
    .concat()
}

/// What AWS serves to the providers of the SDK: the portal of SSO, the sign-in and STS; the URL.
async fn services() -> String {
    let portal = async |headers: HeaderMap| {
        if headers.get("x-amz-sso_bearer_token").is_none_or(|token| token != "of sso") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let expiration = 32_472_144_000_000_u64;
        let credentials = json!({ "accessKeyId": key("sso"), "secretAccessKey": secret("sso"), "sessionToken": "session", "expiration": expiration });
        Json(json!({ "roleCredentials": credentials })).into_response()
    };
    let sign_in = async |headers: HeaderMap, body: String| {
        if !headers.contains_key("dpop") || !body.contains("first") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let token = json!({ "accessKeyId": key("login"), "secretAccessKey": secret("login"), "sessionToken": "session" });
        let body = json!({ "accessToken": token, "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "second" });
        Json(body).into_response()
    };
    let sts = async |headers: HeaderMap| {
        let authorization = headers["authorization"].to_str().unwrap().to_owned();
        assert!(authorization.contains(&key("keys")), "the source profile signs: {authorization}");
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>session</SessionToken>\
             <Expiration>{FAR}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            key("role"),
            secret("role")
        )
    };
    let router = Router::new()
        .route("/federation/credentials", get(portal))
        .route("/v1/token", post(sign_in))
        .route("/", post(sts));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

const AGREED: [&str; 3] = ["--yes", "--limit-usd", "2.50"];

#[tokio::test]
async fn every_kind_of_profile_signs_calls_of_the_account() {
    let account = Account::start().await;
    let mut runs = BTreeMap::new();
    for kind in KINDS {
        runs.insert(kind, account.nova(&[&["--profile", kind], &AGREED[..]].concat(), &[]).await);
    }
    let (id, secret) = (key("keys"), secret("keys"));
    let environment =
        [("AWS_ACCESS_KEY_ID", &*id), ("AWS_SECRET_ACCESS_KEY", &*secret), ("AWS_REGION", "us-east-1")];
    runs.insert("environment", account.nova(&AGREED, &environment).await);
    // A profile that is named goes before keys in the environment.
    let others = [("AWS_ACCESS_KEY_ID", "AKIDOTHER"), ("AWS_SECRET_ACCESS_KEY", "other")];
    runs.insert("both", account.nova(&[&["--profile", "process"], &AGREED[..]].concat(), &others).await);
    // The endpoint is that of the profile.
    let unset = [("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "")];
    runs.insert("services", account.nova(&[&["--profile", "elsewhere"], &AGREED[..]].concat(), &unset).await);
    for (kind, ended) in runs {
        assert_eq!(ended.code, Some(1), "{kind}: {ended:?}");
        let denied = "Sonic (amazon.nova-2-sonic-v1:0) cannot be used in us-";
        assert!(
            ended.error.contains(denied) && ended.error.contains("AccessDeniedException"),
            "{kind}: {ended:?}"
        );
        assert!(ended.error.contains("bedrock:InvokeModelWithBidirectionalStream"), "{kind}: {ended:?}");
        assert!(!ended.error.contains("Claude"), "{kind}: Claude accepts the signature: {ended:?}");
    }
}

#[tokio::test]
async fn wrong_missing_and_local_keys_are_a_clear_error_at_the_start() {
    let account = Account::start().await;
    let run = async |profile: &str| {
        account.nova(&[&["--profile", profile, "--region", "eu-north-1"], &AGREED[..]].concat(), &[]).await
    };
    for (profile, exception) in
        [("misspelt", "InvalidSignatureException"), ("local", "UnrecognizedClientException")]
    {
        let ended = run(profile).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let refused = format!("Amazon Bedrock in eu-north-1 refuses the credentials ({exception}");
        assert!(ended.error.contains(&refused), "{ended:?}");
        assert_eq!(ended.error.matches("refuses the credentials").count(), 1, "{ended:?}");
    }
    let ended = run("nowhere").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.error.contains("\"nowhere\" has no usable AWS credentials"), "{ended:?}");
    let ended = run("unknown").await;
    assert!(
        ended.error.contains("there is no AWS profile \"unknown\"; there are elsewhere, keys, local"),
        "{ended:?}"
    );
    let ended = account.nova(&[&["--profile", "nowhere"], &AGREED[..]].concat(), &[]).await;
    assert!(ended.error.contains("--region: Sonic is in us-east-1, us-west-2"), "{ended:?}");
}

#[tokio::test]
async fn price_is_shown_and_without_a_terminal_and_agreement_nothing_is_called() {
    let account = Account::start().await;
    // Nothing listens there: a call would be another error.
    let nothing = [("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://127.0.0.1:9")];
    let without: [&[&str]; 2] = [&["--profile", "keys"], &["--profile", "keys", "--limit-usd", "3"]];
    for arguments in without {
        let ended = account.nova(arguments, &nothing).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.error.contains("no terminal") && ended.error.contains("`--yes --limit-usd USD`"),
            "{ended:?}"
        );
        for part in [
            "profile keys",
            "us-west-2",
            "about $0.0",
            "for a minute of conversation",
            "for an assessment",
            "at most $",
        ] {
            assert!(ended.out.contains(part), "{part}: {ended:?}");
        }
    }
    let ended = account.nova(&["--profile", "keys", "--yes"], &nothing).await;
    assert_eq!(ended.code, Some(2), "agreement without a limit: {ended:?}");
    assert!(ended.error.contains("--limit-usd"), "{ended:?}");
    let ended = account.nova(&[&["--profile", "keys"], &AGREED[..]].concat(), &nothing).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.error.contains("cannot be reached") && ended.error.contains("Check the connection"),
        "{ended:?}"
    );
    assert_eq!(ended.error.matches("cannot be reached").count(), 1, "{ended:?}");
}

#[tokio::test]
async fn price_is_agreed_to_at_a_terminal_before_anything_is_called() {
    let account = Account::start().await;
    let (code, shown) = account.nova_at_a_terminal("n").await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("at most $1.00") && shown.contains("Nothing was called."), "{shown}");
    let (code, shown) = account.nova_at_a_terminal("yes").await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("Check the connection"), "{shown}");
}
