//! The file descriptors of the process: connections never use the last ones, which the calls of AWS and Redis need.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// File descriptors that are kept for everything but connections of clients.
const FILES_RESERVE: u64 = 256;

/// Raises the limit of open files to what the process may use, and returns how many connections of at most `configured` it
/// has files for.
pub(super) fn connections_within_files(configured: usize) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match files {
        Ok(files) => {
            let max = within(configured, files);
            if max < configured {
                tracing::warn!(configured, max, files, "the limit of open files bounds the connections");
            }
            max
        }
        Err(error) => {
            tracing::warn!(error = %error, "failed to raise the limit of open files");
            configured
        }
    }
}

fn within(configured: usize, files: u64) -> usize {
    // Where there are few, connections get half.
    let left = files.saturating_sub(FILES_RESERVE).max(files / 2).max(1);
    configured.min(usize::try_from(left).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(within(4_096, 65_535), 4_096);
        assert_eq!(within(4_096, 1_024), 768);
        assert_eq!(within(4_096, 256), 128);
        assert_eq!(within(100, 1_024), 100);
    }
}
