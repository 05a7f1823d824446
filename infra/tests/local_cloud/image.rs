//! The image of the service: what a container runtime would do with it, and its way to a registry.
//!
//! The programs run as the user of the image, in a root folder that is the unpacked image and nothing else, mounted read-only. That needs
//! root on Linux; elsewhere the test fails and says so.

#![expect(clippy::panic, reason = "these are tests, with their helpers")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::workers::Worker;
use infra::{
    deploy::GLIBC_OF_LAMBDA,
    image::{Compression, ContainerImage, ImageSource, RegistryAuth, USER, ecr_login, programs, push},
    local::{
        Cloud, CloudOptions, CredentialServer, Process, Progress, REGION, Service, build, container_image,
        free_port, sign_up_function,
    },
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, process::Command};
use tokio_rustls::{TlsAcceptor, rustls};

use super::{Local, local};

/// How long a program may take to start or to say what it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the rest of the arguments as the user `$1` in the root folder `$0`, which nothing can write to. A mount namespace of its own
/// ends with the program.
const IN_ROOT: &str = r#"
mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro,nosuid,nodev "$0" || exit 97
user=$1; shift
exec chroot --userspec="$user:$user" --groups= "$0" "$@"
"#;

const REGISTRY_USER: &str = "AWS";

const REGISTRY_PASSWORD: &str = "tangerine";

fn json(layout: &Path, digest: &str) -> Value {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The image as a runtime unpacks it.
struct Root(tempfile::TempDir);

impl Root {
    fn unpack(image: &ContainerImage) -> Self {
        let root = tempfile::tempdir().unwrap();
        for layer in json(&image.layout, &image.digest)["layers"].as_array().unwrap() {
            let blob = layer["digest"].as_str().unwrap().replace(':', "/");
            let mut archive =
                tar::Archive::new(fs::File::open(image.layout.join("blobs").join(blob)).unwrap());
            archive.set_preserve_permissions(true);
            archive.unpack(root.path()).unwrap();
        }
        // A runtime mounts its own.
        fs::write(root.path().join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        // The temporary folder is its owner's alone.
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self(root)
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    /// A program of the image, which has no environment yet.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["--mount", "sh", "-c", IN_ROOT]).arg(self.0.path()).arg(USER.to_string());
        command.arg(format!("/{program}")).stdin(Stdio::null());
        command
    }

    async fn run(&self, program: &str, argument: &str) -> Output {
        let mut command = self.command(program);
        // No process listens there.
        command.arg(argument).env("NOVA_HEALTH_ADDR", "127.0.0.1:1").env("NOVA_LISTEN", "127.0.0.1:1");
        let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
        output.unwrap_or_else(|_| panic!("{program} {argument} does not end")).unwrap()
    }
}

/// # Panics
/// The machine does not let this process mount and change its root.
async fn require_root_rights() {
    let mut command = Command::new("unshare");
    let tried =
        command.args(["--mount", "sh", "-c", "mount --make-rprivate / && chroot / true"]).output().await;
    let allowed = tried.as_ref().is_ok_and(|output| output.status.success());
    assert!(
        allowed,
        "the test of the image has to run as root on Linux, with util-linux and the right to mount (CAP_SYS_ADMIN, in a \
         container --privileged): {tried:?}"
    );
}

/// The environment of a worker of `local`, with a health server on `port`.
fn environment(
    local: &Local,
    credentials: &CredentialServer,
    worker: Worker,
    port: u16,
) -> Vec<(&'static str, String)> {
    let service = Service::from(worker);
    let mut environment = service.environment(&local.outputs).unwrap();
    environment.extend(credentials.environment(service).unwrap());
    environment.extend([
        ("AWS_REGION", REGION.to_owned()),
        // Through /etc/hosts of the image, as names of AWS go through its resolver.
        ("AWS_ENDPOINT_URL", local.cloud.endpoint().replace("127.0.0.1", "localhost")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("NOVA_HEALTH_ADDR", format!("127.0.0.1:{port}")),
    ]);
    environment
}

async fn await_health(root: &Root, program: &str, port: u16, process: &Process) {
    let healthy = async {
        loop {
            let mut health = root.command(program);
            health.arg("health").env("NOVA_HEALTH_ADDR", format!("127.0.0.1:{port}"));
            if health.output().await.unwrap().status.success() {
                return;
            }
            if let Some(status) = process.status() {
                panic!("{}", process.died(status));
            }
        }
    };
    tokio::time::timeout(PATIENCE, healthy)
        .await
        .unwrap_or_else(|_| panic!("{program} does not become healthy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_binary_runs_in_the_image_without_rights_and_without_writing() {
    require_root_rights().await;
    let binaries = build(&Progress::silent()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let image = container_image(&binaries, folder.path().join("image")).await.unwrap();
    let config =
        json(&image.layout, json(&image.layout, &image.digest)["config"]["digest"].as_str().unwrap());
    assert_eq!(config["config"]["User"], USER.to_string());
    assert_eq!(config["config"]["Cmd"], serde_json::json!(["/ingress"]));
    let root = Root::unpack(&image);
    for program in programs() {
        let help = root.run(program, "--help").await;
        assert!(help.status.success(), "{program}: {}", String::from_utf8_lossy(&help.stderr));
        assert!(String::from_utf8_lossy(&help.stdout).contains("NOVA_"), "{program}");
        let health = root.run(program, "health").await;
        let said = String::from_utf8_lossy(&health.stderr).into_owned();
        assert!(health.status.code() == Some(1) && said.contains("127.0.0.1:1"), "{program}: {said}");
    }
    assert!(!root.path("bin/sh").exists(), "an image from nothing has no shell");

    let local = local().await;
    let credentials = CredentialServer::start(&local.cloud.root(), &local.outputs, None).await.unwrap();
    let port = free_port().unwrap();
    let mut command = root.command("progress");
    command.envs(environment(&local, &credentials, Worker::Progress, port));
    let log = folder.path().join("progress.log");
    let process = Process::spawn("progress", command, &log, local.cloud.group()).unwrap();
    await_health(&root, "progress", port, &process).await;
    let of_process = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap();
    let status = of_process("status");
    assert!(status.contains(&format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n")), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
    let is_root_mount = |line: &&str| line.split(' ').nth(4) == Some("/");
    let mounts = of_process("mountinfo");
    let mount = mounts.lines().find(is_root_mount).unwrap();
    assert!(mount.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{mount}");
    process.stop(PATIENCE).await;
    trusts_roots_of_the_image(&root, &local, &credentials, &folder.path().join("transcript.log")).await;
}

/// A worker that is sent to a TLS server finds the certificates to trust where the image has them.
async fn trusts_roots_of_the_image(root: &Root, local: &Local, credentials: &CredentialServer, log: &Path) {
    let bundle = root.path("etc/ssl/certs/ca-certificates.crt");
    let roots = fs::read_to_string(&bundle).unwrap();
    assert!(roots.matches("BEGIN CERTIFICATE").count() > 100);
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&bundle, roots + &own.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let mut command = root.command("transcript");
    command.envs(environment(local, credentials, Worker::Transcript, free_port().unwrap()));
    command.env("AWS_ENDPOINT_URL_SQS", url);
    let process = Process::spawn("transcript", command, log, local.cloud.group()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let shaken = async {
        let (socket, _) = listener.accept().await.unwrap();
        // Done only when the client has verified the certificate.
        acceptor.accept(socket).await
    };
    let shaken = tokio::time::timeout(PATIENCE, shaken).await;
    let shaken = shaken.unwrap_or_else(|_| panic!("no connection: {}", fs::read_to_string(log).unwrap()));
    assert!(shaken.is_ok(), "{:?}: {}", shaken.err(), fs::read_to_string(log).unwrap());
    drop(process);
}

#[tokio::test]
async fn login_of_ecr_is_a_user_with_a_password() {
    let state = tempfile::tempdir().unwrap();
    let options =
        CloudOptions { state_dir: state.path().to_owned(), port: None, progress: Progress::silent() };
    let cloud = Cloud::start(&options).await.unwrap();
    let login = ecr_login(&cloud.root()).await.unwrap();
    assert!(
        matches!(&login, RegistryAuth::Basic(user, password) if user == REGISTRY_USER && !password.is_empty()),
        "{login:?}"
    );
}

#[tokio::test]
async fn function_needs_no_newer_c_library_than_lambda_has() {
    let binaries = build(&Progress::silent()).await.unwrap();
    let needed = sign_up_function(&binaries).await.unwrap().needed_glibc().unwrap();
    assert!(
        needed <= Some(GLIBC_OF_LAMBDA),
        "the function needs {needed:?}, and Lambda has {GLIBC_OF_LAMBDA}: build on Amazon Linux 2023 or Debian 12"
    );
}

/// A registry in memory, which checks what it gets.
#[derive(Default)]
struct Registry {
    blobs: BTreeMap<String, Bytes>,
    manifests: BTreeMap<String, Bytes>,
    uploads: usize,
}

type Shared = Arc<Mutex<Registry>>;

async fn start_registry() -> (Shared, String) {
    let shared = Shared::default();
    let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (shared, host)
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let login = BASE64_STANDARD.encode(format!("{REGISTRY_USER}:{REGISTRY_PASSWORD}"));
    if !is_login(&parts.headers, &login) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")])
            .into_response();
    }
    let path = parts.uri.path();
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
    let mut registry = shared.lock().unwrap();
    match (parts.method.as_str(), path) {
        ("GET", "/v2/") => StatusCode::OK.into_response(),
        ("HEAD", _) if path.contains("/blobs/") => match registry.blobs.get(&last) {
            Some(_) => StatusCode::OK.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("POST", "/v2/nova-api/blobs/uploads/") => {
            registry.uploads += 1;
            let location = format!("/v2/nova-api/blobs/uploads/{}", registry.uploads);
            (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response()
        }
        ("PUT", _) if path.contains("/blobs/uploads/") => {
            let wanted = parts.uri.query().unwrap_or_default().replace("%3A", ":");
            if wanted != format!("digest={digest}") {
                return (StatusCode::BAD_REQUEST, wanted).into_response();
            }
            registry.blobs.insert(digest.clone(), body);
            let location = format!("/v2/nova-api/blobs/{digest}");
            (StatusCode::CREATED, [(header::LOCATION, location)]).into_response()
        }
        ("PUT", _) if path.contains("/manifests/") => {
            let manifest: Value = serde_json::from_slice(&body).unwrap();
            let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
            let complete =
                layers.clone().all(|blob| registry.blobs.contains_key(blob["digest"].as_str().unwrap()));
            if last != digest || !complete {
                return StatusCode::BAD_REQUEST.into_response();
            }
            registry.manifests.insert(digest.clone(), body);
            let location = format!("/v2/nova-api/manifests/{digest}");
            (StatusCode::CREATED, [(header::LOCATION, location)]).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn is_login(headers: &HeaderMap, login: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.is_some_and(|given| given.strip_prefix("Basic ") == Some(login))
}

#[tokio::test]
async fn image_is_reproducible_and_pushed_once() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("programs");
    fs::create_dir(&small).unwrap();
    for program in programs() {
        fs::copy("/bin/true", small.join(program)).unwrap();
    }
    let source = |bom: &[u8]| ImageSource {
        programs: small.clone(),
        bom: bom.to_vec(),
        compression: Compression::Gzip,
    };
    let make = |layout: &str| source(b"{}").write(&folder.path().join(layout)).unwrap();
    let (image, again) = (make("one"), make("two"));
    assert_eq!(image.digest, again.digest);
    let other = source(b"[]");
    assert!(other.write(&small).unwrap_err().to_string().contains("holds something else"));
    assert_ne!(other.write(&again.layout).unwrap().digest, image.digest);

    let (registry, host) = start_registry().await;
    let repository = format!("{host}/nova-api");
    let wrong = RegistryAuth::Basic(REGISTRY_USER.to_owned(), "wrong".to_owned());
    let push_as = |auth: RegistryAuth| {
        let (image, repository) = (image.clone(), repository.clone());
        async move { push(&image, &repository, &auth, &Progress::silent()).await }
    };
    assert!(push_as(wrong).await.is_err());
    let right = RegistryAuth::Basic(REGISTRY_USER.to_owned(), REGISTRY_PASSWORD.to_owned());
    let uri = push_as(right.clone()).await.unwrap();
    assert_eq!(uri, format!("{repository}@{}", image.digest));
    let stored = |of: &dyn Fn(&Registry) -> BTreeSet<String>| of(&registry.lock().unwrap());
    assert_eq!(
        stored(&|registry| registry.manifests.keys().cloned().collect()),
        [image.digest.clone()].into()
    );
    let manifest = json(&image.layout, &image.digest);
    let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
    let blobs: BTreeSet<String> = layers.map(|blob| blob["digest"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stored(&|registry| registry.blobs.keys().cloned().collect()), blobs);
    // What the registry has is not sent again.
    let uploads = registry.lock().unwrap().uploads;
    push_as(right).await.unwrap();
    assert_eq!(registry.lock().unwrap().uploads, uploads);
}
