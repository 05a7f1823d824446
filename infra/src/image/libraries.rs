//! The shared libraries that programs load, found without running them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use lddtree::DependencyAnalyzer;

/// The libraries of all `programs` with their loader: where the loader looks for each, and the file that is there on this machine.
///
/// # Errors
/// A program cannot be read, or a library is not on this machine.
pub(super) fn closure(programs: &[&Path]) -> anyhow::Result<BTreeMap<PathBuf, PathBuf>> {
    let mut files = BTreeMap::new();
    for program in programs {
        let tree = DependencyAnalyzer::default().analyze(program);
        let tree = tree.with_context(|| format!("cannot read the libraries of {}", program.display()))?;
        for (name, library) in tree.libraries {
            let file = library.realpath;
            let file =
                file.with_context(|| format!("{} needs {name}, which is missing", program.display()))?;
            ensure!(library.path.is_absolute(), "{name} is at {}", library.path.display());
            files.insert(library.path, file);
        }
        if let Some(loader) = tree.interpreter {
            let file = Path::new(&loader).canonicalize();
            let file = file.with_context(|| format!("the loader {loader} is missing"))?;
            files.insert(PathBuf::from(loader), file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_with_libraries_has_its_loader_and_the_c_library() {
        let this = std::env::current_exe().unwrap();
        let files = closure(&[&this]).unwrap();
        let has = |part: &str| files.keys().any(|path| path.to_string_lossy().contains(part));
        assert!(has("libc.so.6") && has("ld-linux"), "{files:?}");
        assert!(files.values().all(|file| file.is_file()), "{files:?}");
    }
}
