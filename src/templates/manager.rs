//! What the manager's pages show in their own way: sizes, durations, shares.

use minijinja::Environment;

pub(super) fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("bytes", bytes);
    environment.add_filter("duration", duration);
    environment.add_filter("percent", percent);
}

/// A size in bytes as people read it, e.g. `1.5 MiB`.
fn bytes(size: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = size.max(0.0);
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 || size >= 100.0 { format!("{size:.0} {}", UNITS[unit]) } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// Milliseconds as people read them, e.g. `840 ms`, `1.2 s`, `3 min 20 s`.
fn duration(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    let rest = |unit: f64| (seconds % (unit * 60.0) / unit).floor();
    match seconds {
        ..1.0 => format!("{milliseconds:.0} ms"),
        ..10.0 => format!("{seconds:.1} s"),
        ..60.0 => format!("{seconds:.0} s"),
        ..3600.0 => format!("{:.0} min {:.0} s", rest(60.0), rest(1.0)),
        _ => format!("{:.0} h {:.0} min", (seconds / 3600.0).floor(), rest(60.0)),
    }
}

/// A share between 0 and 1, e.g. `97.5 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 0.05 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_people_read_them() {
        assert_eq!([bytes(0.0), bytes(1023.0), bytes(1536.0), bytes(5e12)], ["0 B", "1023 B", "1.5 KiB", "4.5 TiB"]);
        let durations = [840.0, 1_240.0, 59_000.0, 200_000.0, 7_260_000.0].map(duration);
        assert_eq!(durations, ["840 ms", "1.2 s", "59 s", "3 min 20 s", "2 h 1 min"]);
        assert_eq!([percent(1.0), percent(0.975)], ["100 %", "97.5 %"]);
    }
}
