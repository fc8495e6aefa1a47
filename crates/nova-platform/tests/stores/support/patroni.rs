//! Patroni's REST API as far as the checks ask it, in front of a server that has none: names one leader.

use nova_platform::endpoints::{Endpoints, HostPort, StoreEndpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Adds the server at `leader` to the platform, as its leader. The answers end with the test's runtime.
pub(crate) async fn endpoints(leader: &HostPort, mut endpoints: Endpoints) -> Endpoints {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let patroni = HostPort::new("127.0.0.1", listener.local_addr().unwrap().port());
    let cluster =
        serde_json::json!({"members": [{"name": "postgres-1", "role": "leader", "state": "running"}]}).to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{cluster}", cluster.len());
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    let server = StoreEndpoint::postgres("postgres-1", leader.clone(), patroni);
    endpoints.stores.push(server);
    endpoints
}
