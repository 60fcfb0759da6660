//! Bytes that open no record are no sign of life.

mod support;

use core::time::Duration;

use duologue::{Cause, ReceiveError, TimeLimit};
use support::{configs, pair_over};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex},
    time::{Instant, sleep},
};

#[tokio::test(start_paused = true)]
async fn a_record_that_trickles_in_does_not_keep_a_session_alive() {
    // spec: L-3
    let idle = Duration::from_secs(2);
    let (alice, bob) = configs();
    let alice = alice.idle_timeout(idle);
    let (near, mut left) = duplex(64 * 1024);
    let (far, mut right) = duplex(64 * 1024);
    let (mut alice, mut bob) = tokio::select! {
        both = pair_over(near, far, &alice, &bob) => both,
        _ended = copy_bidirectional(&mut left, &mut right) => panic!("the transport ended"),
    };
    bob.send(&[7; 100]).await.unwrap();
    let mut record = vec![0; 1_000];
    let length = right.read(&mut record).await.unwrap();
    record.truncate(length);
    record.pop();
    let began = Instant::now();
    let trickle = async {
        for byte in record {
            left.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    let received = tokio::select! {
        received = alice.recv() => received,
        () = trickle => panic!("the session outlives its idle timeout"),
    };
    let Err(ReceiveError::Truncated {
        arrived: 0, cause, ..
    }) = received
    else {
        panic!("{received:?}");
    };
    assert_eq!(cause, Cause::Timeout(TimeLimit::Idle));
    assert!(began.elapsed() < idle + Duration::from_millis(200));
}
