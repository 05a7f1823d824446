//! A small run of the load test: its measurements are plausible, and every word is right.

use std::{fs, path::Path};

use infra::{
    load::{Comparison, LoadOptions, Report, Target, run},
    local::{Progress, build},
};

use crate::alone;

#[tokio::test(flavor = "multi_thread")]
async fn a_load_test_measures_conversations_whose_every_word_is_right() -> anyhow::Result<()> {
    let _place = alone().await;
    let state_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e");
    let state_dir = state_dir.join(format!("load-{}", std::process::id()));
    let progress = Progress::silent();
    let reports = run(&LoadOptions {
        steps: vec![2],
        rounds: 1,
        compare: true,
        seconds: 3,
        opens_per_second: 25.0,
        // The processors stay available to the other tests of this process.
        pinned: false,
        state_dir: state_dir.clone(),
        binaries: build(&progress).await?,
        progress,
    })
    .await?;
    assert_eq!(
        reports.iter().map(|report| report.target).collect::<Vec<_>>(),
        [Target::Service, Target::Relay]
    );
    for report in &reports {
        check(report);
    }
    assert_eq!(Comparison::of(&reports).len(), 1);
    fs::remove_dir_all(state_dir)?;
    Ok(())
}

fn check(report: &Report) {
    assert!(report.is_clean(), "{:?}", report.troubles);
    // At least a sentence and the reply.
    assert!(report.turns >= 4, "{} turns", report.turns);
    // 31.25 frames in a second of each conversation; the tutor speaks for part of the time.
    let frames = report.figures.up.count;
    assert!((150..=250).contains(&frames), "{frames} frames in 3 s of 2 conversations");
    assert!((1..=frames).contains(&report.figures.down.count), "{:?}", report.figures.down);
    for latency in [report.figures.up, report.figures.down, report.figures.opening] {
        assert!(0.0 < latency.p50_ms && latency.p50_ms <= latency.max_ms, "{latency:?}");
    }
    assert!(report.server.cpu_ms_per_conversation_second > 0.0);
    assert!(report.server.resident_kb >= report.server.resident_empty_kb);
}
