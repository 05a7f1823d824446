//! Finds a Python that the locks were made for.

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use tokio::process::Command;

/// Minor versions of Python 3 that the locks resolve on.
const MINORS: std::ops::RangeInclusive<u32> = 10..=13;

/// How long an interpreter may take to say who it is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Prints the version and the interpreter's own path, which for a version manager's shim is not what was called.
const WHO_ARE_YOU: &str =
    "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable); import venv, ensurepip";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) executable: PathBuf,
    /// For example `3.11.7`.
    pub(super) version: String,
}

/// Finds a Python 3.10 to 3.13: `NOVA_PYTHON` if it is set, or else the usual names on the PATH.
pub(super) async fn find() -> anyhow::Result<Python> {
    if let Some(chosen) = std::env::var_os("NOVA_PYTHON") {
        let chosen = chosen.to_string_lossy().into_owned();
        return match ask(&chosen).await {
            Ok(python) => Ok(python),
            Err(why) => bail!("NOVA_PYTHON={chosen} is of no use: {why}"),
        };
    }
    let mut reasons = Vec::new();
    let versions = MINORS.rev().map(|minor| format!("python3.{minor}"));
    for name in std::iter::once("python3".to_owned()).chain(versions).chain(["python".to_owned()]) {
        match ask(&name).await {
            Ok(python) => return Ok(python),
            Err(why) => reasons.push(format!("{name}: {why}")),
        }
    }
    bail!(
        "no Python 3.10 to 3.13 was found ({}); install one, or set NOVA_PYTHON to its path",
        reasons.join("; ")
    );
}

async fn ask(name: &str) -> Result<Python, String> {
    let output = Command::new(name).args(["-c", WHO_ARE_YOU]).kill_on_drop(true).output();
    let output = match tokio::time::timeout(ANSWER_TIMEOUT, output).await {
        Err(_) => return Err("it does not answer".to_owned()),
        Ok(Err(_)) => return Err("not there".to_owned()),
        Ok(Ok(output)) => output,
    };
    let answer = parse(&String::from_utf8_lossy(&output.stdout))?;
    if output.status.success() {
        Ok(answer)
    } else {
        Err(format!(
            "{} has no venv module; on Debian and Ubuntu the package python3-venv brings it",
            answer.version
        ))
    }
}

fn parse(answer: &str) -> Result<Python, String> {
    let mut lines = answer.lines();
    let (Some(version), Some(executable)) = (lines.next(), lines.next()) else {
        return Err("not there".to_owned());
    };
    let mut parts = version.trim().split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(3)), Some(Ok(minor))) if MINORS.contains(&minor) => {
            Ok(Python { executable: PathBuf::from(executable.trim()), version: version.trim().to_owned() })
        }
        _ => Err(format!("it is version {}", version.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_the_locks_were_made_for_are_taken() {
        for version in ["3.10.13", "3.13.0"] {
            let python = parse(&format!("{version}\n/usr/bin/python3\n")).unwrap();
            assert_eq!(python, Python { executable: "/usr/bin/python3".into(), version: version.to_owned() });
        }
    }

    #[test]
    fn other_versions_are_refused_by_name() {
        for version in ["2.7.18", "3.9.18", "3.14.0", "4.11.0"] {
            let why = parse(&format!("{version}\n/usr/bin/python3\n")).unwrap_err();
            assert_eq!(why, format!("it is version {version}"));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for answer in ["", "pyenv: python3.10: command not found\n", "x\ny\n"] {
            assert!(parse(answer).is_err(), "{answer:?}");
        }
    }
}
