use flywheel_metrics::ProcessReading;

/// What the system says of this process; nothing where there is no `/proc`.
pub(crate) fn read() -> ProcessReading {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the name in parentheses and may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let max_fds = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    ProcessReading {
        resident_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
        open_fds: std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count() as u64),
        max_fds,
        cpu_seconds: number(11).zip(number(12)).map(|(user, system)| seconds(user + system)),
        start_time_seconds: None,
    }
}

/// The kernel counts in hundredths of a second, whatever its own clock does.
fn seconds(ticks: u64) -> f64 {
    std::time::Duration::from_millis(ticks * 10).as_secs_f64()
}
