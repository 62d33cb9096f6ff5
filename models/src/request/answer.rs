//! What a request came to.
//!
//! # Source
//! Envoy, access log response flags; `codes` of HTTP.

/// Envoy's body for "upstream connect error or disconnect/reset before headers" (bytes).
pub const LOCAL_REPLY_BODY: u32 = 95;

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: Status,
    /// Size of the body (bytes).
    pub body: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 200.
    Ok,
    /// 500: the service failed, because a call that it made failed.
    ServiceError,
    /// The service failed by itself, with this status.
    ServiceFailure(u16),
    /// 503 with Envoy's flag UC: the connection was reset after the request was sent. A cell's own
    /// client counts it as 505.
    UpstreamReset,
    /// 503 with flag UF: no connection could be made.
    ConnectFailure,
    /// 503 with flag UH: no host could be chosen.
    NoHealthyUpstream,
    /// 503 with flag UO: a limit of the proxy was reached.
    Overflow,
    /// 503: a limit of the server's own sidecar was reached. That one logs UO; to the client's proxy it is
    /// an answer as any other.
    ServerOverflow,
    /// 504 with flag UT: it took too long.
    Timeout,
    /// 404 with flag NR: no route takes it.
    NoRoute,
    /// 503 with flag NC: its route leads to a subset that no rule defines.
    NoCluster,
    /// 403: policies deny it, says the server's sidecar, or a waypoint.
    AccessDenied,
    /// A redirect, by a route.
    Redirected(u16),
    /// This status with flag FI: injected in place of an answer.
    FaultInjected(u16),
    /// No status, shown as 0, with flag DC: the caller gave up and closed its connection.
    CallerGone,
    /// No status, shown as 0: the gateway took no connection, or died with the request. No proxy logs it.
    NoIngress,
}

impl Status {
    /// Whether a client takes it for a success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        !matches!(self, Self::CallerGone | Self::NoIngress) && self.code() < 400
    }

    /// The HTTP status that a proxy shows; 0 where it has none.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::AccessDenied => 403,
            Self::NoRoute => 404,
            Self::ServiceError => 500,
            Self::UpstreamReset
            | Self::ConnectFailure
            | Self::NoHealthyUpstream
            | Self::Overflow
            | Self::ServerOverflow
            | Self::NoCluster => 503,
            Self::Timeout => 504,
            Self::CallerGone | Self::NoIngress => 0,
            Self::ServiceFailure(code) | Self::FaultInjected(code) | Self::Redirected(code) => code,
        }
    }

    /// The body of such an answer of a proxy itself (bytes).
    #[must_use]
    pub const fn local_body(self) -> u32 {
        match self {
            Self::Redirected(_) => 0,
            // "RBAC: access denied"
            Self::AccessDenied => 19,
            _ => LOCAL_REPLY_BODY,
        }
    }

    /// Envoy's response flag, empty where the upstream answered; a word where there was no proxy.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Ok
            | Self::ServiceError
            | Self::ServiceFailure(_)
            | Self::ServerOverflow
            | Self::AccessDenied
            | Self::Redirected(_) => "",
            Self::UpstreamReset => "UC",
            Self::ConnectFailure => "UF",
            Self::NoHealthyUpstream => "UH",
            Self::Overflow => "UO",
            Self::Timeout => "UT",
            Self::NoRoute => "NR",
            Self::NoCluster => "NC",
            Self::FaultInjected(_) => "FI",
            Self::CallerGone => "DC",
            Self::NoIngress => "no-ingress",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, flag) = (self.code(), self.flag());
        if flag.is_empty() { write!(f, "{code}") } else { write!(f, "{code} {flag}") }
    }
}

impl Answer {
    /// Nothing done yet.
    #[must_use]
    pub fn pending() -> Self {
        Self { status: Status::Ok, body: 0 }
    }

    /// Whether the client got what it asked for.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.is_ok()
    }
}
