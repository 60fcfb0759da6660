//! What is told to people: logs, `Debug`, `Display`, errors and panics. No secret is in any of it, and strangers
//! cannot fill a disk with it.
#![cfg(all(feature = "tracing", feature = "net", feature = "serde"))]

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use std::{
    fmt::{Debug, Display, Write},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use duologue::{
    Cause, Config, Listener, Origin, PeerPolicy, Provider, Psk, PublicKey, SecretKey, accept,
    codec::{Codec, Json},
    connect,
    proto::{Handshake, Step},
};
use raw_peer::{Options, Pattern, RawFrame, RawParams, RawRecord, Suite, handshake::public_key};
use raw_tokio::RawPeer;
use tokio::io::{AsyncWriteExt, duplex};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const OURS: [u8; 32] = [
    0x10, 0x9d, 0x31, 0x7e, 0x52, 0xa6, 0x0b, 0xc4, 0x85, 0x2f, 0xe1, 0x96, 0x43, 0xd8, 0x6c, 0x3a,
    0xb7, 0x04, 0x5f, 0xea, 0x78, 0x1d, 0xcb, 0x92, 0x66, 0x30, 0xad, 0x59, 0xf2, 0x87, 0x0e, 0x41,
];
const SHARED: [u8; 32] = [
    0x93, 0x1b, 0x64, 0xe8, 0x2a, 0xd7, 0x50, 0x0f, 0xbc, 0x75, 0x38, 0xc1, 0x8e, 0x46, 0xf9, 0x03,
    0x6d, 0xb2, 0x17, 0xae, 0x5c, 0x80, 0xe5, 0x29, 0xda, 0x4b, 0x97, 0x01, 0xf3, 0x68, 0x3d, 0xc6,
];
const RAWS: [u8; 32] = [0x72; 32];
const MESSAGE: &[u8] = b"the canary in the message sings";

/// Everything that was said, one event a line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// Takes every event and span at every level.
struct Collector(Log);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(attributes.metadata().name().to_owned());
        attributes.record(&mut line);
        self.0.push(line.0);
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.push(line.0);
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.push(line.0);
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The first half of these bytes in each form that somebody might print.
fn forms(bytes: &[u8]) -> Vec<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // A multiple of three, so that what follows does not matter.
    let half = &bytes[..15];
    let base64: String = half
        .chunks(3)
        .flat_map(|three| {
            let group = three
                .iter()
                .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[(group >> shift) as usize & 63]))
        })
        .collect();
    let hex = hex::encode(half);
    let listed = format!("{half:?}");
    let listed_hex = [format!("{half:x?}"), format!("{half:02x?}")];
    vec![
        hex.to_uppercase(),
        hex,
        base64.replace('+', "-").replace('/', "_"),
        base64,
        listed.trim_matches(['[', ']']).to_owned(),
        listed_hex[0].trim_matches(['[', ']']).to_owned(),
        listed_hex[1].trim_matches(['[', ']']).to_owned(),
        String::from_utf8_lossy(half).into_owned(),
        half.escape_ascii().to_string(),
    ]
}

/// Every secret in every form; both halves of each.
struct Canaries(Vec<String>);

impl Canaries {
    fn of(secrets: &[&[u8]]) -> Self {
        let halves = |secret: &[u8]| [forms(secret), forms(&secret[16..])].concat();
        let mut all: Vec<String> = secrets.iter().flat_map(|secret| halves(secret)).collect();
        let secret = SecretKey::from_bytes(&mut OURS.clone()).to_text();
        let shared = Psk::from_bytes(&mut SHARED.clone()).to_text();
        for text in [&secret, &shared] {
            all.push(text[8..30].to_owned());
            all.push(text[30..52].to_owned());
        }
        Self(all)
    }

    fn are_not_in(&self, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "{canary} in {text}");
        }
    }
}

fn config() -> Config {
    Config::new(SecretKey::from_bytes(&mut OURS.clone()))
        .peers(PeerPolicy::pinned([PublicKey::from_bytes(public_key(
            RAWS,
        ))]))
        .psk(Psk::from_bytes(&mut SHARED.clone()))
        .provider(Provider::default())
}

fn options(suite: Suite) -> Options {
    let mut options = Options::new(suite, Pattern::XxPsk0, RAWS);
    options.psk = Some(SHARED);
    options
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}\n")
}

fn told(value: &(impl Debug + Display)) -> String {
    format!("{value}\n{value:#}\n{}", shown(value))
}

#[test]
fn a_canary_is_found_in_each_of_its_forms() {
    let canaries = Canaries::of(&[&OURS, &SHARED]);
    let texts = [
        format!("{OURS:?}"),
        format!("{OURS:x?}"),
        format!("{OURS:02x?}"),
        hex::encode(SHARED),
        SecretKey::from_bytes(&mut OURS.clone())
            .to_text()
            .to_string(),
        Psk::from_bytes(&mut SHARED.clone()).to_text().to_string(),
        String::from_utf8_lossy(&OURS).into_owned(),
    ];
    for text in texts {
        let found = canaries
            .0
            .iter()
            .any(|canary| text.contains(canary.as_str()));
        assert!(found, "{text}");
    }
}

/// Both halves of the whole life of a session, with what its parts look like to who prints them.
async fn live(suite: Suite, canaries: &mut Canaries) -> String {
    let config = config();
    let (near, far) = duplex(1 << 16);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options(suite), &params),
        accept(far, &config)
    );
    let (mut raw, mut ours) = (raw.unwrap().0, ours.unwrap());
    for key in [raw.session.send.key, raw.session.receive.key] {
        canaries.0.extend(Canaries::of(&[&key]).0);
    }
    let mut text = shown(&ours) + &shown(ours.peer());
    ours.send(MESSAGE).await.unwrap();
    raw.send(&RawRecord::Message(MESSAGE.to_vec()))
        .await
        .unwrap();
    raw.send_frames(&[RawFrame::Message(MESSAGE.to_vec()), RawFrame::Rekey])
        .await
        .unwrap();
    canaries.0.extend(Canaries::of(&[&raw.session.send.key]).0);
    let message = ours.recv().await.unwrap().unwrap();
    assert_eq!(*message, *MESSAGE);
    text += &shown(&ours);
    // What the peer says then breaks the rules.
    raw.send_frames(&[RawFrame::Pong([0; 8])]).await.unwrap();
    assert_eq!(*ours.recv().await.unwrap().unwrap(), *MESSAGE);
    let error = ours.recv().await.unwrap_err();
    text += &told(&error);
    text += &told(&duologue::Error::from(error));
    text += &told(&ours.send(MESSAGE).await.unwrap_err());
    let outcome = ours.close().await;
    assert!(matches!(outcome.cause, Cause::Violation(_)));
    text += &told(&outcome);
    text += &shown(&ours);
    let (sender, receiver) = ours.split();
    text + &shown(&sender) + &shown(&receiver)
}

/// The machines without I/O, in every state.
fn machines() -> String {
    let now = Instant::now();
    let (ours, theirs) = (
        config().allow_own_key().peers(PeerPolicy::dangerous_any()),
        config().allow_own_key().peers(PeerPolicy::dangerous_any()),
    );
    let (mut to_bob, mut to_alice) = (Vec::new(), Vec::new());
    let mut alice = Handshake::initiator(&ours, None, &mut to_bob).unwrap();
    let mut bob = Handshake::responder(&theirs, Origin::Unknown).unwrap();
    let mut text = shown(&ours) + &shown(&alice) + &shown(&bob);
    loop {
        let step = bob
            .step(&mut &std::mem::take(&mut to_bob)[..], &mut to_alice, now)
            .unwrap();
        text += &shown(&step);
        bob = match step {
            Step::NeedInput(next) => next,
            Step::Judge(judging) => {
                text += &shown(&judging);
                text += &shown(judging.candidate());
                let next = judging.accept(&mut to_alice).unwrap();
                // The initiator's record 0 came with its proof, and was not read yet.
                text += &shown(&next);
                return text;
            }
            other => panic!("{other:?}"),
        };
        let step = alice
            .step(&mut &std::mem::take(&mut to_alice)[..], &mut to_bob, now)
            .unwrap();
        text += &shown(&step);
        alice = match step {
            Step::NeedInput(next) => next,
            Step::Judge(judging) => judging.accept(&mut to_bob).unwrap(),
            other => panic!("{other:?}"),
        };
    }
}

/// Errors made of what a person mistyped, and panics with them.
fn mistakes() -> String {
    let (secret, shared) = (
        SecretKey::from_bytes(&mut OURS.clone()),
        Psk::from_bytes(&mut SHARED.clone()),
    );
    let mut text = shown(&secret) + &shown(&shared);
    let texts = [secret.to_text().to_string(), shared.to_text().to_string()];
    for right in &texts {
        let mut wrong = right.clone();
        wrong.pop();
        for text_of_key in [
            right,
            &wrong,
            &format!("{right}{right}"),
            &right.to_uppercase(),
        ] {
            if let Err(error) = text_of_key.parse::<PublicKey>() {
                text += &told(&error);
            }
            if let Err(error) = Psk::from_text(text_of_key) {
                text += &told(&error);
            }
            if let Err(error) = SecretKey::from_text(text_of_key) {
                text += &told(&error);
            }
        }
    }
    let panics = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&panics);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        writeln!(heard.lock().unwrap(), "{panic}").unwrap();
    }));
    let wrong = texts[0][..40].to_owned();
    let clumsy: [Box<dyn FnOnce() + Send>; 4] = [
        Box::new(move || drop(SecretKey::from_text(&wrong).unwrap())),
        Box::new(|| panic!("{:?}", SecretKey::from_bytes(&mut OURS.clone()))),
        Box::new(|| panic!("{:?}", Psk::from_bytes(&mut SHARED.clone()))),
        Box::new(|| panic!("{:?}", config())),
    ];
    for clumsy in clumsy {
        assert!(std::thread::spawn(clumsy).join().is_err());
    }
    std::panic::set_hook(before);
    let panics = panics.lock().unwrap().clone();
    assert_eq!(panics.matches("panicked").count(), 4, "{panics}");
    let decoded: Result<u64, _> = Json.decode(MESSAGE);
    text + &panics + &told(&decoded.unwrap_err())
}

#[tokio::test]
async fn no_secret_is_in_a_log_a_debug_a_display_an_error_or_a_panic() {
    // threat: 116, 117
    let log = Log::default();
    let _collecting = tracing::subscriber::set_default(Collector(log.clone()));
    let mut canaries = Canaries::of(&[&OURS, &SHARED, MESSAGE]);
    canaries.0.retain(|canary| canary.len() > 8);
    let mut text = String::new();
    for suite in Suite::ALL {
        text += &live(suite, &mut canaries).await;
    }
    text += &machines();
    text += &mistakes();
    let (near, far) = duplex(1 << 16);
    let other = Config::new(SecretKey::generate().unwrap()).psk(Psk::generate().unwrap());
    let config = config();
    let (one, two) = tokio::join!(connect(near, None, &config), accept(far, &other));
    text += &told(&one.unwrap_err());
    text += &told(&two.unwrap_err());
    let mut listener = Listener::bind("tcp:127.0.0.1:0", config).await.unwrap();
    let address = listener.local_address().to_string();
    let mut stranger = tokio::net::TcpStream::connect(&address[4..]).await.unwrap();
    stranger.write_all(MESSAGE).await.unwrap();
    text += &shown(&listener.arrival().await.unwrap());
    text += &shown(&listener);
    let lines = log.lines();
    for wanted in ["session established", "session ended", "handshake failed"] {
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "{wanted}: {lines:?}"
        );
    }
    assert!(
        text.len() > 10_000 && lines.len() >= 10,
        "{} {}",
        text.len(),
        lines.len()
    );
    canaries.are_not_in(&text);
    canaries.are_not_in(&lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_bad_peers_does_not_flood_the_log() {
    // threat: 99
    let log = Log::default();
    let _collecting = tracing::subscriber::set_default(Collector(log.clone()));
    let config = config();
    let flood = |count: usize| {
        let config = config.clone();
        async move {
            for _stranger in 0..count {
                let (mut near, far) = duplex(1 << 14);
                near.write_all(&[0xff; 4_096]).await.unwrap();
                drop(near);
                assert!(accept(far, &config).await.is_err());
            }
        }
    };
    // What other tests of this process told before is a second ago.
    tokio::time::advance(Duration::from_secs(2)).await;
    let failures = || {
        let lines = log.lines();
        lines
            .into_iter()
            .filter(|line| line.contains("handshake failed"))
            .collect::<Vec<_>>()
    };
    flood(2_000).await;
    let lines = failures();
    assert!((1..=10).contains(&lines.len()), "{}", lines.len());
    tokio::time::advance(Duration::from_secs(2)).await;
    flood(1).await;
    let lines = failures();
    let last = lines.last().unwrap();
    let left_out: usize = last
        .rsplit_once("left_out=")
        .and_then(|(_, count)| count.split(' ').next()?.parse().ok())
        .unwrap();
    assert_eq!(left_out + lines.len(), 2_001);
    for line in log.lines() {
        assert!(line.len() <= 1_024, "{} bytes: {line}", line.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_says_is_told_escaped_and_cut() {
    // spec: T-21; threat: 85, 99
    let log = Log::default();
    let _collecting = tracing::subscriber::set_default(Collector(log.clone()));
    let config = config();
    let (near, far) = duplex(1 << 16);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options(Suite::AesGcm), &params),
        accept(far, &config)
    );
    let (mut raw, mut ours) = (raw.unwrap().0, ours.unwrap());
    let reason = "\x1b[31mred\r\n".repeat(20);
    raw.send_frames(&[RawFrame::Abort(256, reason.into_bytes())])
        .await
        .unwrap();
    let error = ours.recv().await.unwrap_err();
    let outcome = ours.close().await;
    let text = [told(&error), told(&outcome), log.lines().join("|")].concat();
    assert!(text.contains("red"));
    // Only our own line ends.
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text}");
    for line in log.lines() {
        assert!(!line.contains('\n') && line.len() <= 1_024, "{line:?}");
    }
}

/// Types whose values cannot be had here still have to be printable without their secrets; the compiler knows which.
#[test]
fn every_type_of_the_public_face_can_be_printed() {
    const fn printable<T: Debug>() {}
    printable::<Config>();
    printable::<SecretKey>();
    printable::<Psk>();
    printable::<duologue::SharedSender>();
    printable::<duologue::Pump>();
    printable::<duologue::ByteStream>();
    printable::<duologue::Typed<u8, u8>>();
    printable::<duologue::proto::Channel>();
}
