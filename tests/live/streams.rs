//! The streams of the simulator by conversation: each conversation of a test has a picture of its own, and the system
//! prompt contains its title.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use infra::simulator::{Simulator, StreamRecord};

/// The streams of a simulator, by the title of the picture.
#[derive(Debug, Default)]
pub(crate) struct Streams(RefCell<Known>);

#[derive(Debug, Default)]
struct Known {
    opened: u64,
    /// Streams whose system prompt has not arrived.
    nameless: Vec<Arc<StreamRecord>>,
    named: BTreeMap<String, Vec<Arc<StreamRecord>>>,
}

impl Streams {
    /// The streams of the conversation about `title`, oldest first.
    pub(crate) fn of(&self, simulator: &Simulator, title: &str) -> Vec<Arc<StreamRecord>> {
        let mut known = self.0.borrow_mut();
        let (opened, new) = simulator.streams_after(known.opened);
        known.opened = opened;
        known.nameless.extend(new);
        for record in std::mem::take(&mut known.nameless) {
            match picture(&record.system_prompt()) {
                Some(title) => known.named.entry(title).or_default().push(record),
                None if record.end_reason().is_none() => known.nameless.push(record),
                None => {}
            }
        }
        known.named.get(title).cloned().unwrap_or_default()
    }
}

fn picture(prompt: &str) -> Option<String> {
    let title = prompt.lines().find_map(|line| line.strip_prefix("Picture: "))?;
    Some(title.trim().to_owned())
}
