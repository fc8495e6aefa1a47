//! The names of all metrics of the chassis, after OpenTelemetry's conventions.

/// Duration of a request by method, route and status.
pub const HTTP_DURATION: &str = "http_server_request_duration_seconds";
/// Requests in flight.
pub const HTTP_ACTIVE: &str = "http_server_active_requests";
/// Requests refused because too many were in flight.
pub const HTTP_SHED: &str = "http_server_shed_requests_total";
/// Open client connections.
pub const HTTP_CONNECTIONS: &str = "http_server_open_connections";
/// Duration of a statement by its first word.
pub const DB_DURATION: &str = "db_client_operation_duration_seconds";
/// Connections of a pool by state.
pub const DB_CONNECTIONS: &str = "db_client_connection_count";
/// The largest number of connections of a pool.
pub const DB_CONNECTIONS_MAX: &str = "db_client_connection_max";
/// Whether a part can be used.
pub const PART_UP: &str = "nova_part_up";
/// How long a part's initialisation took.
pub const PART_STARTED: &str = "nova_part_start_duration_seconds";
/// The settings in force that are numbers; durations in seconds.
pub const SETTING: &str = "nova_setting";
/// Resident memory of the process.
pub const MEMORY: &str = "process_resident_memory_bytes";
