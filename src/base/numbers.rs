//! Numbers as people read them.

/// Three digits that count, e.g. `0.0123`, `1.23`, `12.3`, `1230`; very large and very small ones as `2e6`, `3.2e-5`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e5 || (size > 0.0 && size < 1e-4) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let digits = if size >= 100.0 || size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).clamp(0, 6) as usize };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A duration in its two largest units: `1 d 03 h`, `1 h 01 min`, `3 min 20 s`, `20 s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short() {
        let values = [0.0, 0.5, 0.012345, 1.234, -12.34, 123.4, 1234.5, 2e6, 3.2e-5];
        assert_eq!(values.map(short), ["0", "0.5", "0.0123", "1.23", "-12.3", "123", "1234", "2e6", "3.2e-5"]);
        assert_eq!(
            [0.0512, 10.0, 0.00125, 0.0005, 2.0, f64::NAN].map(short),
            ["0.0512", "10", "0.00125", "0.0005", "2", "NaN"]
        );
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [5.0, 65.0, 3660.0, 100_000.0, -1.0].map(duration),
            ["5 s", "1 min 05 s", "1 h 01 min", "1 d 03 h", "0 s"]
        );
    }
}
