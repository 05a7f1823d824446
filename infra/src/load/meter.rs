//! Reads the processor time, memory and wake-ups of processes from Linux.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use sha2::{Digest as _, Sha256};

/// The processes of a load test.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) server: Meter,
    generator: Meter,
    simulator: Meter,
    /// The model of AWS and the local cloud.
    clouds: [Meter; 2],
}

/// Bytes of the reference work, which measures the speed of a processor: one signed frame of audio.
const REFERENCE_BYTES: usize = 2119;

/// Repetitions of the reference work for one measurement.
const REFERENCE_TIMES: usize = 50;

/// Processor time of the calling thread for the SHA-256 of [`REFERENCE_BYTES`], in nanoseconds. It distinguishes a slow
/// machine, or a slow hour of a shared one, from a slow server.
pub(super) fn reference_ns() -> anyhow::Result<u64> {
    let thread = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("a thread has a clock");
    let work = [7; REFERENCE_BYTES];
    let begun: Duration = thread()?.into();
    for _ in 0..REFERENCE_TIMES {
        std::hint::black_box(Sha256::digest(std::hint::black_box(&work)));
    }
    let took = Duration::from(thread()?) - begun;
    Ok(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / REFERENCE_TIMES as u64)
}

/// One process.
#[derive(Debug)]
pub(super) struct Meter {
    id: Pid,
    folder: PathBuf,
}

/// The use up to a time, or between two times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) server: Duration,
    pub(super) generator: Duration,
    pub(super) simulator: Duration,
    pub(super) clouds: Duration,
    /// How often a thread of the server woke up.
    pub(super) wakeups: u64,
    machine: Machine,
}

/// All processors of the machine together, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Machine {
    processors: u32,
    busy: u64,
    all: u64,
}

/// Which processor the server has for itself, and which the others share.
#[derive(Debug)]
pub(super) struct Placement {
    reserved: CpuSet,
    others: CpuSet,
}

impl Placement {
    /// The first processor of this process is reserved.
    pub(super) fn read() -> anyhow::Result<Self> {
        let (mut reserved, mut others) = (CpuSet::new(), sched_getaffinity(Pid::from_raw(0))?);
        let first = (0..CpuSet::count()).find(|&processor| others.is_set(processor).unwrap_or(false));
        let first = first.context("a process has a processor")?;
        reserved.set(first)?;
        others.unset(first)?;
        Ok(Self { reserved, others })
    }

    /// Binds the processes.
    pub(super) fn pin(&self, meters: &Meters) -> anyhow::Result<()> {
        meters.server.pin(&self.reserved)?;
        let mut others = [&meters.generator, &meters.simulator].into_iter().chain(&meters.clouds);
        others.try_for_each(|meter| meter.pin(&self.others))
    }
}

impl Meters {
    pub(super) fn new(server: u32, simulator: u32, clouds: [u32; 2]) -> anyhow::Result<Self> {
        Ok(Self {
            server: Meter::new(server)?,
            generator: Meter::new(std::process::id())?,
            simulator: Meter::new(simulator)?,
            clouds: [Meter::new(clouds[0])?, Meter::new(clouds[1])?],
        })
    }

    pub(super) fn read(&self) -> anyhow::Result<Sample> {
        Ok(Sample {
            server: self.server.processor_time()?,
            generator: self.generator.processor_time()?,
            simulator: self.simulator.processor_time()?,
            clouds: self.clouds[0].processor_time()? + self.clouds[1].processor_time()?,
            wakeups: self.server.wakeups()?,
            machine: Machine::read()?,
        })
    }
}

impl Meter {
    fn new(id: u32) -> anyhow::Result<Self> {
        let pid = i32::try_from(id).context("a process id is an i32")?;
        Ok(Self { id: Pid::from_raw(pid), folder: PathBuf::from(format!("/proc/{id}")) })
    }

    /// Resident memory in KB.
    pub(super) fn resident_kb(&self) -> anyhow::Result<u64> {
        let status = self.read("status")?;
        field(&status, "VmRSS:").context("a process has resident memory")
    }

    /// The processor time of all threads, including those that have ended.
    fn processor_time(&self) -> anyhow::Result<Duration> {
        let clock = ClockId::pid_cpu_clock_id(self.id).with_context(|| self.unreadable())?;
        Ok(clock_gettime(clock).with_context(|| self.unreadable())?.into())
    }

    fn wakeups(&self) -> anyhow::Result<u64> {
        let mut wakeups = 0;
        for thread in self.threads()? {
            // A thread may end meanwhile.
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            wakeups += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(wakeups)
    }

    /// Binds every existing thread; new ones inherit the binding.
    fn pin(&self, processors: &CpuSet) -> anyhow::Result<()> {
        for thread in self.threads()? {
            let id = thread.file_name().and_then(|name| name.to_str()?.parse().ok());
            let id = Pid::from_raw(id.context("threads are numbered")?);
            match sched_setaffinity(id, processors) {
                // It has ended meanwhile.
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(error) => return Err(error).context("cannot bind a thread to a processor"),
            }
        }
        Ok(())
    }

    fn threads(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = fs::read_dir(self.folder.join("task")).with_context(|| self.unreadable())?;
        folder.map(|thread| Ok(thread?.path())).collect()
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.folder.join(name)).with_context(|| self.unreadable())
    }

    fn unreadable(&self) -> String {
        format!("cannot read the process {}", self.id)
    }
}

impl Sample {
    /// The use since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            generator: self.generator.saturating_sub(before.generator),
            simulator: self.simulator.saturating_sub(before.simulator),
            clouds: self.clouds.saturating_sub(before.clouds),
            wakeups: self.wakeups.saturating_sub(before.wakeups),
            machine: Machine {
                processors: self.machine.processors,
                busy: self.machine.busy.saturating_sub(before.machine.busy),
                all: self.machine.all.saturating_sub(before.machine.all),
            },
        }
    }

    /// Processors of the machine.
    pub(super) fn processors(&self) -> f64 {
        f64::from(self.machine.processors)
    }

    /// Processors that were busy with other work, for a sample over `seconds`.
    pub(super) fn others_cores(&self, seconds: f64) -> f64 {
        let busy = self.processors() * self.machine.busy as f64 / (self.machine.all as f64).max(1.0);
        let own = self.server + self.generator + self.simulator + self.clouds;
        (busy - own.as_secs_f64() / seconds).max(0.0)
    }
}

impl Machine {
    fn read() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Self::parse(&stat).context("/proc/stat is unreadable")
    }

    /// The first line is the sum over all processors, which follow: user, nice, system, idle, waiting for I/O, interrupts,
    /// soft interrupts, stolen; then guests, which are part of user and nice. Source: proc_stat(5).
    fn parse(stat: &str) -> Option<Self> {
        let mut lines = stat.lines();
        let line = lines.next()?.strip_prefix("cpu ")?;
        let processors = u32::try_from(lines.take_while(|line| line.starts_with("cpu")).count()).ok()?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map(|ticks| ticks.parse().ok()).collect::<Option<_>>()?;
        let all: u64 = ticks.iter().sum();
        Some(Self { processors, busy: all - ticks.get(3)? - ticks.get(4)?, all })
    }
}

/// The number after `name` in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn field_is_found_by_its_whole_name() {
        let status = "VmRSS:\t    1234 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n";
        assert_eq!(field(status, "VmRSS:"), Some(1234));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(status, "VmSwap:"), None);
    }

    #[test]
    fn machine_that_waits_is_not_busy() {
        let machine = Machine::parse("cpu  1 2 3 40 50 6 7 8 9 10\ncpu0 1 2\ncpu1 3 4\nintr 5").unwrap();
        assert_eq!(machine, Machine { processors: 2, busy: 27, all: 117 });
        assert_eq!(Machine::parse("intr 1"), None);
    }

    #[test]
    fn meter_sees_the_work_of_its_process() {
        let meter = Meter::new(std::process::id()).unwrap();
        let (before, begun) = (meter.processor_time().unwrap(), Instant::now());
        while begun.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(meter.processor_time().unwrap() > before);
        assert!(meter.resident_kb().unwrap() > 1_000);
        assert!(Meter::new(u32::MAX).is_err());
        assert!(reference_ns().unwrap() > 0);
    }
}
