//! The logs of the processes, read from where the last read ended.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{emf, samples::Sample};

/// The longest part of a log that one read takes. The rest follows with the next one.
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Logs(Vec<Log>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Where the next line begins.
    offset: u64,
}

impl Logs {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| Log { path, offset: 0 }).collect())
    }

    /// The metrics in all lines since the last call.
    pub(super) fn read(&mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for log in &mut self.0 {
            // A log that cannot be read, as before the start of its process, is read the next time.
            let Ok(text) = part(&log.path, log.offset) else { continue };
            // A line that is not finished is read the next time, unless it is longer than any of ours.
            let end = text.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1);
            let is_full = u64::try_from(text.len()).unwrap_or(u64::MAX) >= READ_BYTES_MAX;
            let end = end.unwrap_or(if is_full { text.len() } else { 0 });
            let lines = String::from_utf8_lossy(&text[..end]);
            samples.extend(lines.lines().flat_map(emf::samples));
            log.offset += u64::try_from(end).expect("a part of a file is a u64");
        }
        samples
    }
}

fn part(path: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut text = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _};

    use super::*;

    const LINE: &str = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["s"]],"Metrics":[{"Name":"m"}]}]},"s":"x","m":1}"#;

    #[test]
    fn each_line_is_read_once_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.log");
        let mut logs = Logs::new(vec![path.clone()]);
        assert_eq!(logs.read(), [], "there is no log yet");
        let append = |text: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append(&format!("started\n{LINE}\n{}", &LINE[..40]));
        assert_eq!(logs.read().len(), 1);
        assert_eq!(logs.read(), []);
        append(&format!("{}\n", &LINE[40..]));
        assert_eq!(logs.read().len(), 1);
    }
}
