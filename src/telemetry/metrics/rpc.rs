//! Metrics of calls, with the names that dashboards for gRPC servers expect.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use super::registrar::{Registrar, duration_histogram};

/// The status codes by number, spelled as gRPC spells them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// The method of a call to an unknown path. Paths are not used as labels, because clients
/// choose them.
const UNKNOWN: &str = "unknown";

/// The name of the status code with this number.
#[must_use]
pub fn code_name(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| CODES.get(code)).unwrap_or(&"UNKNOWN")
}

type Labels = Vec<(&'static str, String)>;

/// A method that is served.
#[derive(Debug, Clone)]
pub struct Method {
    /// The full name of its service.
    pub service: String,
    /// Its name in the service.
    pub name: String,
    /// `unary`, `client_stream`, `server_stream` or `bidi_stream`.
    pub kind: &'static str,
}

/// The metrics of all methods. All of them exist from the start, because Prometheus can
/// compute the first increase only if it has scraped the zero, and no call creates one.
#[derive(Debug)]
pub struct Rpcs {
    methods: HashMap<String, Arc<Handles>>,
    unknown: Arc<Handles>,
}

#[derive(Debug)]
struct Handles {
    started: Counter,
    handled: Vec<Counter>,
    handling: Histogram,
}

/// A running call.
#[derive(Debug)]
pub struct RpcCall {
    handles: Arc<Handles>,
    started: Instant,
}

impl Rpcs {
    pub(super) fn new(methods: &[Method], registry: &mut Registry) -> Self {
        let families = Families::registered(registry);
        let known = methods.iter().map(|method| {
            let name = format!("{}/{}", method.service, method.name);
            (name, Arc::new(families.handles(method)))
        });
        let unknown =
            Method { service: UNKNOWN.to_owned(), name: UNKNOWN.to_owned(), kind: UNKNOWN };
        Self { methods: known.collect(), unknown: Arc::new(families.handles(&unknown)) }
    }

    /// Counts the start of a call of a method, named as `SERVICE/METHOD`.
    #[must_use]
    pub fn start(&self, method: &str) -> RpcCall {
        let handles = Arc::clone(self.methods.get(method).unwrap_or(&self.unknown));
        handles.started.inc();
        RpcCall { handles, started: Instant::now() }
    }
}

impl RpcCall {
    /// Counts the end of the call with the code of this number. Returns its duration.
    #[must_use]
    pub fn handled(&self, code: i32) -> Duration {
        let took = self.started.elapsed();
        self.handles.handling.observe(took.as_secs_f64());
        let code = usize::try_from(code).ok();
        if let Some(counter) = code.and_then(|code| self.handles.handled.get(code)) {
            counter.inc();
        }
        took
    }
}

struct Families {
    /// `grpc_server_started_total`
    started: Family<Labels, Counter>,
    /// `grpc_server_handled_total`
    handled: Family<Labels, Counter>,
    /// `grpc_server_handling_seconds`
    handling: Family<Labels, Histogram>,
}

impl Families {
    fn registered(registry: &mut Registry) -> Self {
        let families = Self {
            started: Family::default(),
            handled: Family::default(),
            handling: Family::new_with_constructor(duration_histogram),
        };
        let mut registrar = Registrar(registry);
        registrar.counters("grpc_server_started", "Calls that have begun", &families.started);
        let help = "Calls that have ended, by status code";
        registrar.counters("grpc_server_handled", help, &families.handled);
        let help = "Duration of calls until the end of the response";
        let handling = Family::clone(&families.handling);
        registry.register_with_unit("grpc_server_handling", help, Unit::Seconds, handling);
        families
    }

    fn handles(&self, method: &Method) -> Handles {
        let labels = vec![
            ("grpc_type", method.kind.to_owned()),
            ("grpc_service", method.service.clone()),
            ("grpc_method", method.name.clone()),
        ];
        let handled = CODES.iter().map(|code| {
            let mut labels = labels.clone();
            labels.push(("grpc_code", (*code).to_owned()));
            self.handled.get_or_create_owned(&labels)
        });
        Handles {
            started: self.started.get_or_create_owned(&labels),
            handled: handled.collect(),
            handling: self.handling.get_or_create_owned(&labels),
        }
    }
}
