//! PURE. The processes of a stack that can be started again one by one: those of the service, the simulator and Redis, and
//! not the local cloud.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::local::Service;

/// One process of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    pub service: Service,
    /// Which of its copies, from 0.
    pub copy: usize,
}

impl Instance {
    /// The log of its processes in the folder of the stack.
    pub(in crate::local) fn log(self, state_dir: &Path) -> PathBuf {
        state_dir.join(format!("{self}.log"))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.copy {
            0 => write!(f, "{}", self.service),
            copy => write!(f, "{}-{copy}", self.service),
        }
    }
}

/// A process that can be started again without loss of what AWS would keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A process of the service.
    Service(Instance),
    /// The Bedrock simulator.
    Simulator,
    /// What the tasks of the ingress share.
    Redis,
}

impl From<Instance> for Part {
    fn from(instance: Instance) -> Self {
        Self::Service(instance)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(instance) => instance.fmt(f),
            Self::Simulator => f.write_str("the Bedrock simulator"),
            Self::Redis => f.write_str("Redis"),
        }
    }
}
