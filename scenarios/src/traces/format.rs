//! The formats that are read.

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `JMeter` results in CSV.
    JtlCsv,
    /// `JMeter` results in XML.
    JtlXml,
    /// k6 `--out csv`.
    K6Csv,
    /// k6 `--out json`: a line per sample of a metric.
    K6Json,
    /// Locust's `CsvRequestLogger`: one row per request.
    LocustRequests,
    /// Locust's `--csv`, the file `_stats.csv`: quantiles only.
    LocustStats,
    /// Locust's `_distribution.csv`, before 0.13: quantiles only.
    LocustDistribution,
    /// Fortio's result: buckets only.
    Fortio,
    /// The results of µBench's runner.
    MuBench,
    /// Traces exported from Jaeger.
    Jaeger,
    /// OTLP traces in JSON, one or more documents.
    Otlp,
    /// A table of spans in CSV, with named columns.
    Spans,
    /// An access log of Envoy in Istio's or Envoy's default text format.
    EnvoyText,
    /// An access log of Envoy in JSON, a line per request.
    EnvoyJson,
    /// An answer of Prometheus to a query of histogram buckets.
    Prometheus,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::JtlCsv,
        Self::JtlXml,
        Self::K6Csv,
        Self::K6Json,
        Self::LocustRequests,
        Self::LocustStats,
        Self::LocustDistribution,
        Self::Fortio,
        Self::MuBench,
        Self::Jaeger,
        Self::Otlp,
        Self::Spans,
        Self::EnvoyText,
        Self::EnvoyJson,
        Self::Prometheus,
    ];

    /// Its name in arguments and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JtlCsv => "jtl-csv",
            Self::JtlXml => "jtl-xml",
            Self::K6Csv => "k6",
            Self::K6Json => "k6-json",
            Self::LocustRequests => "locust",
            Self::LocustStats => "locust-stats",
            Self::LocustDistribution => "locust-distribution",
            Self::Fortio => "fortio",
            Self::MuBench => "mubench",
            Self::Jaeger => "jaeger",
            Self::Otlp => "otlp",
            Self::Spans => "spans",
            Self::EnvoyText => "envoy",
            Self::EnvoyJson => "envoy-json",
            Self::Prometheus => "prometheus",
        }
    }

    /// Where its requests are, to say where they were looked for.
    pub(super) const fn requests_are(self) -> &'static str {
        match self {
            Self::JtlCsv | Self::LocustRequests | Self::MuBench => "a row each",
            Self::JtlXml => "the elements httpSample and sample in testResults",
            Self::K6Csv => "the rows of the metrics http_req_duration and grpc_req_duration",
            Self::K6Json => {
                "the lines \"type\": \"Point\" of the metrics http_req_duration and grpc_req_duration"
            }
            Self::LocustStats | Self::LocustDistribution => "those that its last row counts",
            Self::Fortio => "those that DurationHistogram counts",
            Self::Jaeger => {
                "the spans of each trace: spans, in data, in a list of traces or in a single trace"
            }
            Self::Otlp => {
                "the spans of each trace: resourceSpans[].scopeSpans[].spans, which may be in result or trace, and \
                 may be called batches"
            }
            Self::Spans => "the rows of each trace",
            Self::EnvoyText | Self::EnvoyJson => "the lines of each request id",
            Self::Prometheus => "those that data.result counts, by the label le",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
