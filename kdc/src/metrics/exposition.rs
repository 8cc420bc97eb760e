//! The text that Prometheus reads (version 0.0.4), and OpenMetrics 1.0, which differs in how counters are announced and in
//! its last line.

use core::fmt::{Display, Write as _};

use super::histogram::Buckets;

/// In which of the two formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, which everybody reads.
    #[default]
    Prometheus,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The media type, for `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page that grows, family by family.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
    name: &'static str,
}

impl Exposition {
    /// An empty page.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
            name: "",
        }
    }

    /// Begins a family that only ever grows; its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "_total", "counter", "counter", help)
    }

    /// Begins a family that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "", "gauge", "gauge", help)
    }

    /// Begins a family whose labels are what it says; its name ends in `_info`, and its values are 1.
    pub fn info(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "_info", "gauge", "info", help)
    }

    /// Begins a family of histograms.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "", "histogram", "histogram", help)
    }

    // OpenMetrics announces a family without the suffix that its samples have.
    fn family(&mut self, name: &'static str, suffix: &str, prometheus: &str, open: &str, help: &str) -> &mut Self {
        let (announced, kind) = match self.format {
            Format::Prometheus => (name, prometheus),
            Format::OpenMetrics => (name.strip_suffix(suffix).unwrap_or(name), open),
        };
        self.text.push_str("# HELP ");
        self.text.push_str(announced);
        self.text.push(' ');
        escape(&mut self.text, help, self.format == Format::OpenMetrics);
        self.text.push_str("\n# TYPE ");
        self.text.push_str(announced);
        self.text.push(' ');
        self.text.push_str(kind);
        self.text.push('\n');
        self.name = name;
        self
    }

    /// A sample of the family that was begun last.
    pub fn put(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.sample("", labels, None, &value)
    }

    /// The samples of one histogram of the family that was begun last.
    pub fn buckets(&mut self, labels: &[(&str, &str)], buckets: &Buckets) -> &mut Self {
        let mut below = 0;
        for (bound, count) in buckets.bounded() {
            below += count;
            self.sample("_bucket", labels, Some(&seconds(bound)), &below);
        }
        let all = buckets.count();
        self.sample("_bucket", labels, Some("+Inf"), &all);
        self.sample("_sum", labels, None, &seconds(buckets.microseconds()));
        self.sample("_count", labels, None, &all)
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<&str>, value: &dyn Display) -> &mut Self {
        let text = &mut self.text;
        text.push_str(self.name);
        text.push_str(suffix);
        let bound = le.map(|le| ("le", le));
        for (at, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            text.push(if at == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            escape(text, value, true);
            text.push('"');
        }
        if !labels.is_empty() || bound.is_some() {
            text.push('}');
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, " {value}");
        self
    }

    /// The whole page.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

// Always with a point: so `le` is the same text in both formats.
fn seconds(microseconds: u64) -> String {
    let (whole, part) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let text = format!("{whole}.{part:06}");
    let short = text.trim_end_matches('0');
    if short.ends_with('.') {
        format!("{short}0")
    } else {
        short.to_owned()
    }
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::{Bounds, Histogram};
    use super::*;

    const BOUNDS: Bounds = &[5, 1_000_000];

    fn written(format: Format) -> String {
        let histogram = Histogram::new(BOUNDS);
        for microseconds in [5, 6, 1_000_001] {
            histogram.add(microseconds);
        }
        let mut page = Exposition::new(format);
        page.info("x_build_info", "What \"it\" is.")
            .put(&[("version", "a\\b\"c\nd")], 1);
        page.counter("x_total", "A\\B.")
            .put(&[("kind", "as"), ("reason", "")], 7)
            .put(&[], 1.5);
        page.gauge("x_now", "Now.").put(&[], -3);
        page.histogram("x_seconds", "How long.")
            .buckets(&[("kind", "as")], &histogram.read());
        page.finish()
    }

    #[test]
    fn a_page_is_written_as_prometheus_reads_it() {
        assert_eq!(
            written(Format::Prometheus),
            r#"# HELP x_build_info What "it" is.
# TYPE x_build_info gauge
x_build_info{version="a\\b\"c\nd"} 1
# HELP x_total A\\B.
# TYPE x_total counter
x_total{kind="as",reason=""} 7
x_total 1.5
# HELP x_now Now.
# TYPE x_now gauge
x_now -3
# HELP x_seconds How long.
# TYPE x_seconds histogram
x_seconds_bucket{kind="as",le="0.000005"} 1
x_seconds_bucket{kind="as",le="1.0"} 2
x_seconds_bucket{kind="as",le="+Inf"} 3
x_seconds_sum{kind="as"} 1.000012
x_seconds_count{kind="as"} 3
"#
        );
    }

    #[test]
    fn openmetrics_announces_counters_without_their_suffix_and_has_an_end() {
        let open = written(Format::OpenMetrics);
        assert!(
            open.contains("# TYPE x counter\nx_total{kind=\"as\",reason=\"\"} 7\n"),
            "{open}"
        );
        assert!(
            open.contains("# HELP x_build What \\\"it\\\" is.\n# TYPE x_build info\nx_build_info{"),
            "{open}"
        );
        assert!(open.ends_with("\n# EOF\n"), "{open}");
    }

    #[test]
    fn seconds_always_have_a_point() {
        for (microseconds, text) in [
            (0, "0.0"),
            (1, "0.000001"),
            (250_000, "0.25"),
            (1_000_000, "1.0"),
            (61_500_000, "61.5"),
        ] {
            assert_eq!(seconds(microseconds), text);
        }
    }
}
