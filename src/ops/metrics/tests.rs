//! The rendered text as a scraper sees it.

use prometheus_client::metrics::counter::Counter;

use super::{BuildInfo, Metrics};
use crate::clock::Clock;

#[test]
fn renders_every_part() {
    let build = BuildInfo { version: "1.2.3", commit: "abc", role: "all".to_owned() };
    let metrics = Metrics::new(build, &Clock::system());
    let records: Counter = Counter::default();
    metrics.register(|registry| registry.register("bus_records", "Records", records.clone()));
    records.inc_by(7);
    let text = metrics.clone().render().unwrap();
    let expected = [
        "fantail_build_info{version=\"1.2.3\",commit=\"abc\",role=\"all\"} 1",
        "# TYPE fantail_bus_records counter",
        "fantail_bus_records_total 7",
        "fantail_process_uptime_seconds ",
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
    if cfg!(target_os = "linux") {
        for name in ["resident_memory_bytes", "open_fds", "threads", "cpu_seconds_total"] {
            assert!(text.contains(&format!("\nfantail_process_{name} ")), "{name}: {text}");
        }
    }
}
