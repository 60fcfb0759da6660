//! A listener without descriptors. Alone in its process, as it uses up all of them.
#![cfg(all(feature = "net", target_os = "linux"))]

use std::{error::Error, fs::File, net::TcpStream};

use duologue::{Config, Listener, SecretKey, net::Refused};
use rustix::process::{Resource, getrlimit, setrlimit};

// threat: 95
#[tokio::test]
async fn a_listener_without_descriptors_waits_and_goes_on() -> Result<(), Box<dyn Error>> {
    let config = Config::new(SecretKey::generate()?);
    let mut listener = Listener::bind("tcp:127.0.0.1:0", config).await?;
    let address = listener.local_address().to_string();
    let client = TcpStream::connect(address.strip_prefix("tcp:").unwrap())?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit)?;
    let spare: Vec<File> = (0..64)
        .map_while(|_| File::open("/dev/null").ok())
        .collect();
    assert!(spare.len() < 64);

    for tries in 1..=3 {
        let arrival = listener.arrival().await?;
        let Err(Refused::NotTaken(error)) = arrival.session else {
            panic!("{arrival:?}");
        };
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::MFILE.raw_os_error())
        );
        assert_eq!(listener.counts().not_taken, tries);
    }
    drop(spare);
    drop(client);
    let arrival = listener.arrival().await?;
    assert!(matches!(arrival.session, Err(Refused::Handshake(_))));
    Ok(())
}
