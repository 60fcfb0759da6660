//! HTTP over a session: hyper on both sides of the byte-stream face, in one process.
//!
//! ```text
//! cargo run --example http
//! ```
//!
//! The server knows who asks: the peer's key is proven before the first byte of HTTP.

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use duologue::{Config, PeerPolicy, Received, SecretKey, Sent, accept, connect};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Request, Response, body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Failure> {
    let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
    let (alice_public, bob_public) = (alice.public_key(), bob.public_key());
    let (near, far) = tokio::io::duplex(64 * 1024);

    let bob = tokio::spawn(async move {
        let config = Config::new(bob)
            .protocol("http/1.1")
            .peers(PeerPolicy::pinned([alice_public]));
        let session = accept(far, &config).await?;
        let caller = session.peer().key;
        let greet = service_fn(move |request: Request<Incoming>| async move {
            let text = format!("{} is read by {caller}\n", request.uri().path());
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
        });
        let connection = server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(session.into_stream()), greet);
        // Without hyper's own shutdown: the session has a better end.
        let parts = connection.without_shutdown().await?;
        Ok::<_, Failure>(parts.io.into_inner().close().await)
    });

    let config = Config::new(alice).protocol("http/1.1");
    let session = connect(near, Some(&bob_public), &config).await?;
    let io = TokioIo::new(session.into_stream());
    let (mut requests, connection) = client::conn::http1::handshake(io).await?;
    let connection = tokio::spawn(connection.without_shutdown());

    let request = Request::get("/greeting")
        .header("host", "bob")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let response = requests.send_request(request).await?;
    println!("status: {}", response.status());
    let body = response.into_body().collect().await?.to_bytes();
    print!("body: {}", String::from_utf8_lossy(&body));

    drop(requests);
    let mut stream = connection.await??.io.into_inner();
    let outcome = stream.close().await;
    println!("outcome: {outcome}");
    let other = bob.await??;
    for outcome in [outcome, other] {
        let proven = matches!(outcome.sent, Sent::Delivered(_))
            && matches!(outcome.received, Received::Complete(_));
        if !proven {
            return Err(format!("not proven: {outcome}").into());
        }
    }
    Ok(())
}
