//! The names of all metrics of the chassis, after OpenTelemetry's conventions.

/// Duration of a request by method, route and status.
pub const HTTP_DURATION: &str = "http_server_request_duration_seconds";
/// Requests in flight.
pub const HTTP_ACTIVE: &str = "http_server_active_requests";
/// Requests refused because too many were in flight.
pub const HTTP_SHED: &str = "http_server_shed_requests_total";
/// Open client connections.
pub const HTTP_CONNECTIONS: &str = "http_server_open_connections";
/// Connections closed at once because their client has as many as it may.
pub const HTTP_CONNECTIONS_REFUSED: &str = "http_server_refused_connections_total";
/// Duration of a call to another service, all attempts together, by method and outcome.
pub const HTTP_CLIENT_DURATION: &str = "http_client_request_duration_seconds";
/// Attempts sent to another service.
pub const HTTP_CLIENT_ATTEMPTS: &str = "http_client_attempts_total";
/// Attempts after the first of a call.
pub const HTTP_CLIENT_RETRIES: &str = "http_client_retries_total";
/// What was not sent, by reason.
pub const HTTP_CLIENT_REJECTED: &str = "http_client_rejected_total";
/// Attempts in flight to another service, and those that wait for their place.
pub const HTTP_CLIENT_POOL: &str = "http_client_pool_usage";
/// The most attempts in flight to another service.
pub const HTTP_CLIENT_POOL_MAX: &str = "http_client_pool_max";
/// What a circuit breaker does: 0 closed, 1 half-open, 2 open.
pub const BREAKER_STATE: &str = "nova_breaker_state";
/// How often a circuit breaker opened.
pub const BREAKER_OPENED: &str = "nova_breaker_opened_total";
/// Duration of a statement by its first word.
pub const DB_DURATION: &str = "db_client_operation_duration_seconds";
/// Connections of a pool by state.
pub const DB_CONNECTIONS: &str = "db_client_connection_count";
/// The largest number of connections of a pool.
pub const DB_CONNECTIONS_MAX: &str = "db_client_connection_max";
/// What became of events that a consumer read.
pub const CONSUMER_EVENTS: &str = "nova_consumer_events_total";
/// Batches that a consumer could not apply, by kind.
pub const CONSUMER_FAILURES: &str = "nova_consumer_failures_total";
/// Records that a consumer has still to read.
pub const CONSUMER_LAG: &str = "nova_consumer_lag_records";
/// How old the record is that a consumer is at, while there are more.
pub const CONSUMER_LAG_SECONDS: &str = "nova_consumer_lag_seconds";
/// Whether a partition cannot go on.
pub const CONSUMER_BLOCKED: &str = "nova_consumer_blocked";
/// Events of a partition that are put aside.
pub const CONSUMER_DEAD_LETTERS: &str = "nova_consumer_dead_letters";
/// Whether a part can be used.
pub const PART_UP: &str = "nova_part_up";
/// How long a part's initialisation took.
pub const PART_STARTED: &str = "nova_part_start_duration_seconds";
/// The settings in force that are numbers; durations in seconds.
pub const SETTING: &str = "nova_setting";
/// Resident memory of the process.
pub const MEMORY: &str = "process_resident_memory_bytes";
