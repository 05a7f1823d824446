//! Larger models for the recogniser, from the releases of their makers. They come from outside the Python Package Index, so
//! the user names the hash of the archive: what has another hash is not unpacked.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::{Progress, speech, tool};
use crate::cache_folder::{cache_folder, unusable_cache};

const RELEASES: &str = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models";
const SHA256_HEX_CHARS: usize = 64;

/// A larger model. Its program loads it by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SpeechModelName {
    /// Moonshine base, 111 MB
    MoonshineBaseEn,
    /// Whisper small, 636 MB
    WhisperSmallEn,
    /// NVIDIA Parakeet TDT 0.6b, 483 MB
    Parakeet,
}

/// Which model recognises, instead of the packaged one.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct SpeechModelOptions {
    /// A larger model for the recogniser, from the releases of sherpa-onnx
    #[arg(long, value_enum, value_name = "NAME", requires = "speech_model_sha256")]
    pub speech_model: Option<SpeechModelName>,
    /// The SHA-256 of the model's archive, in hexadecimal, from a source that you trust
    #[arg(long, value_name = "HEX", requires = "speech_model", value_parser = sha256)]
    pub speech_model_sha256: Option<String>,
    /// Another place of the same archive
    #[arg(long, value_name = "URL", requires = "speech_model")]
    pub speech_model_url: Option<String>,
}

impl SpeechModelOptions {
    /// The same options as arguments of another command.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let name = self.speech_model.map(|name| ("--speech-model", name.name().to_owned()));
        let sha256 = self.speech_model_sha256.clone().map(|hex| ("--speech-model-sha256", hex));
        let url = self.speech_model_url.clone().map(|url| ("--speech-model-url", url));
        let all = [name, sha256, url].into_iter().flatten();
        all.flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// The command of the speech program with this model. Installs both unless they are there.
    ///
    /// # Errors
    /// As for [`super::PythonTool::command`]; or the archive cannot be downloaded, or has another hash.
    pub async fn command(&self, progress: &Progress) -> anyhow::Result<Command> {
        let mut command = speech().command(progress).await?;
        let (Some(name), Some(sha256)) = (self.speech_model, &self.speech_model_sha256) else {
            return Ok(command);
        };
        let url = self.speech_model_url.clone().unwrap_or_else(|| name.url());
        let folder = install(&url, sha256, progress).await?;
        command.arg(name.kind()).arg(folder);
        Ok(command)
    }
}

impl SpeechModelName {
    fn name(self) -> &'static str {
        match self {
            Self::MoonshineBaseEn => "moonshine-base-en",
            Self::WhisperSmallEn => "whisper-small-en",
            Self::Parakeet => "parakeet",
        }
    }

    /// How the speech program loads it.
    fn kind(self) -> &'static str {
        match self {
            Self::MoonshineBaseEn => "moonshine",
            Self::WhisperSmallEn => "whisper",
            Self::Parakeet => "transducer",
        }
    }

    fn url(self) -> String {
        let archive = match self {
            Self::MoonshineBaseEn => "sherpa-onnx-moonshine-base-en-quantized-2026-02-27",
            Self::WhisperSmallEn => "sherpa-onnx-whisper-small.en",
            Self::Parakeet => "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
        };
        format!("{RELEASES}/{archive}.tar.bz2")
    }
}

/// The folder with the files of the archive.
async fn install(url: &str, sha256: &str, progress: &Progress) -> anyhow::Result<PathBuf> {
    let cache = cache_folder()?;
    fs::create_dir_all(&cache).with_context(|| unusable_cache(&cache))?;
    let folder = cache.join(format!("speech-model-{sha256}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    progress.detail(url);
    let environment = speech().environment(progress).await?;
    let mut download = Command::new(environment.join("bin").join("python"));
    download.args(["-I", "-c", include_str!("../../python/speech-model.py"), url, sha256]).arg(&folder);
    let downloaded = tool::run(download).await?;
    // Another process may have been faster.
    if !downloaded.status.success() && !folder.is_dir() {
        bail!("cannot install the speech model: {}", tool::last_line(&downloaded));
    }
    Ok(folder)
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() == SHA256_HEX_CHARS && text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("a SHA-256 has {SHA256_HEX_CHARS} hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _, ValueEnum as _};

    use super::*;

    fn parse(arguments: &[&str]) -> Result<SpeechModelOptions, clap::Error> {
        let command = SpeechModelOptions::augment_args(clap::Command::new("x").no_binary_name(true));
        command
            .try_get_matches_from(arguments)
            .and_then(|matches| SpeechModelOptions::from_arg_matches(&matches))
    }

    #[test]
    fn model_needs_a_hash_and_its_options_are_passed_on() {
        let hex = "AB".repeat(SHA256_HEX_CHARS / 2);
        for name in SpeechModelName::value_variants() {
            assert!(parse(&["--speech-model", name.name()]).is_err(), "without a hash");
            let options = parse(&["--speech-model", name.name(), "--speech-model-sha256", &hex]).unwrap();
            let again = options.arguments();
            assert_eq!(parse(&again.iter().map(String::as_str).collect::<Vec<_>>()).unwrap(), options);
        }
        for wrong in ["", "abc", &hex[1..], &"xy".repeat(SHA256_HEX_CHARS / 2)] {
            assert!(
                parse(&["--speech-model", "parakeet", "--speech-model-sha256", wrong]).is_err(),
                "{wrong}"
            );
        }
        assert_eq!(parse(&[]).unwrap().arguments(), [""; 0]);
    }
}
