//! A Redis of our own on loopback, for `cargo run` and for the tests of what the tasks of the ingress share. It keeps
//! nothing on disk. It speaks TLS beside plain text when asked, as the one in production does.
//!
//! The program is the one on the PATH. Where there is none, `cargo run` does without; for the tests Debian's package is
//! installed, if this process may: as root with `apt-get`. Otherwise the error says what to install.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::Instant,
};

use super::{
    Process, ProcessGroup, Progress,
    debian::{self, Package},
    free_port,
};

/// The program.
const SERVER: &str = "redis-server";

const PACKAGE: Package = Package { program: SERVER, packages: &[SERVER], requirement: "Redis 6 or later" };

/// The certificate of a Redis that speaks TLS, which is its own authority, and its key.
const CERTIFICATE: &str = "redis.crt";
const KEY: &str = "redis.key";

/// Timeout of its start, which may run beside a build.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Timeout of its end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between two checks of a condition outside of this process.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A Redis. Dropping it kills the process.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    tls_port: Option<u16>,
    folder: PathBuf,
    group: Arc<ProcessGroup>,
    process: Process,
}

impl RedisServer {
    /// Installs Redis if need be, starts it with its log in `folder` and waits until it answers.
    ///
    /// # Errors
    /// There is no Redis and none can be installed, or it does not start.
    pub async fn start(folder: PathBuf, progress: &Progress) -> anyhow::Result<Self> {
        debian::install(&PACKAGE, progress).await?;
        Self::start_installed(folder, None).await
    }

    /// The same, and it speaks TLS on a second port.
    ///
    /// # Errors
    /// There is no Redis and none can be installed, or it does not start, perhaps because it was built without TLS.
    pub async fn start_with_tls(folder: PathBuf, progress: &Progress) -> anyhow::Result<Self> {
        debian::install(&PACKAGE, progress).await?;
        certify(&folder).with_context(|| format!("cannot make a certificate in {}", folder.display()))?;
        Self::start_installed(folder, Some(free_port()?)).await
    }

    async fn start_installed(folder: PathBuf, tls_port: Option<u16>) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let group = Arc::new(ProcessGroup::new()?);
        let port = free_port()?;
        let process = spawn(port, tls_port, &folder, &group).await?;
        Ok(Self { port, tls_port, folder, group, process })
    }

    /// Its URL: `redis://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it speaks TLS, `rediss://127.0.0.1:<port>`, and the PEM file of the certificate to trust; nothing unless it
    /// was started with TLS.
    #[must_use]
    pub fn tls(&self) -> Option<(String, PathBuf)> {
        let port = self.tls_port?;
        Some((format!("rediss://127.0.0.1:{port}"), self.folder.join(CERTIFICATE)))
    }

    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it. Its data is lost.
    pub async fn stop(&self) {
        self.process.stop(STOP_TIMEOUT).await;
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await;
        self.process = spawn(self.port, self.tls_port, &self.folder, &self.group).await?;
        Ok(())
    }
}

/// Whether a Redis can be started without an installation.
pub(super) async fn is_installed() -> bool {
    debian::is_installed(SERVER).await
}

/// Starts a Redis that keeps nothing, with its log in `folder`, and waits until it responds.
///
/// # Errors
/// It does not start.
pub(super) async fn spawn(
    port: u16,
    tls_port: Option<u16>,
    folder: &Path,
    group: &Arc<ProcessGroup>,
) -> anyhow::Result<Process> {
    let mut command = Command::new(SERVER);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]).arg(folder);
    if let Some(tls_port) = tls_port {
        command.args(["--tls-port", &tls_port.to_string(), "--tls-auth-clients", "no"]);
        command.args(["--tls-cert-file", CERTIFICATE, "--tls-key-file", KEY]);
    }
    let process = Process::spawn("Redis", command, &folder.join("redis.log"), group)?;
    let deadline = Instant::now() + START_TIMEOUT;
    while !is_ready(port).await {
        if let Some(status) = process.status() {
            return Err(process.died(status).into());
        }
        if Instant::now() > deadline {
            bail!("Redis does not respond; its log is {}", process.log().display());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(process)
}

fn certify(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    fs::write(folder.join(CERTIFICATE), made.cert.pem())?;
    // It is for clients of this folder only and does not outlive the folder.
    fs::write(folder.join(KEY), made.signing_key.serialize_pem())?;
    Ok(())
}

async fn is_ready(port: u16) -> bool {
    let ping = async {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        connection.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer).await?;
        io::Result::Ok(&answer == b"+PONG")
    };
    tokio::time::timeout(POLL_INTERVAL * 10, ping).await.is_ok_and(|answer| answer.unwrap_or(false))
}
