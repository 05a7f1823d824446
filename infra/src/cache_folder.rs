//! The folder of this machine for what can be downloaded or computed again.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// `NOVA_CACHE_DIR`, or the platform's folder for caches.
pub(crate) fn cache_folder() -> anyhow::Result<PathBuf> {
    if let Some(chosen) = env::var_os("NOVA_CACHE_DIR") {
        return std::path::absolute(chosen).context("NOVA_CACHE_DIR is no path");
    }
    let home =
        || env::home_dir().context("there is no home folder; set NOVA_CACHE_DIR to a folder for caches");
    let platform = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => folder,
        _ if cfg!(target_os = "macos") => home()?.join("Library").join("Caches"),
        _ => home()?.join(".cache"),
    };
    Ok(platform.join("nova-english"))
}

pub(crate) fn unusable_cache(cache: &Path) -> String {
    format!(
        "cannot write the cache folder {}; set NOVA_CACHE_DIR to one that can be written",
        cache.display()
    )
}
