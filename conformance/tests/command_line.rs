//! The program itself: its modes, its last line and its exit codes.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_duologue-conformance");

fn kit(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().unwrap_or_default().to_owned()
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp:{}", listener.local_addr().unwrap())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn serve(address: &str, extra: &[&str]) -> Server {
    let child = Command::new(PROGRAM)
        .args(["--serve", address])
        .args(extra)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server(child);
    let until = Instant::now() + Duration::from_secs(20);
    let place = address.trim_start_matches("tcp:");
    while std::net::TcpStream::connect(place).is_err() {
        assert!(Instant::now() < until, "the server does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    server
}

#[test]
fn a_listening_echo_passes_and_a_faulty_one_fails() {
    let (good, bad) = (free_address(), free_address());
    let _good = serve(&good, &[]);
    let _bad = serve(&bad, &["--bug", "discard-anywhere"]);

    let passed = kit(&["--connect", &good, "--filter", "T-", "--strict"]);
    let failed = kit(&["--connect", &bad, "--filter", "T-19", "--patience", "800"]);

    assert_eq!(passed.status.code(), Some(0), "{}", last_line(&passed));
    assert!(
        last_line(&passed).contains(" 0 failed, "),
        "{}",
        last_line(&passed)
    );
    assert_eq!(failed.status.code(), Some(1), "{}", last_line(&failed));
}

#[test]
fn a_dialling_echo_passes() {
    let exec = format!("{PROGRAM} --dial {{}}");
    let address = free_address();
    let output = kit(&["--listen", &address, "--exec", &exec, "--filter", "W-"]);

    assert_eq!(output.status.code(), Some(0), "{}", last_line(&output));
}

#[test]
fn a_shim_in_a_process_of_its_own_passes() {
    let shim = format!("{PROGRAM} --serve-shim");
    let output = kit(&["--shim", &shim, "--filter", "E-1", "--jobs", "2"]);

    assert_eq!(output.status.code(), Some(0), "{}", last_line(&output));
    assert!(
        last_line(&output).ends_with(" 0 failed, 0 skipped"),
        "{}",
        last_line(&output)
    );
}

#[test]
fn each_kind_of_trouble_has_its_exit_code() {
    let address = free_address();

    assert_eq!(kit(&["--connect", &address]).status.code(), Some(3));
    assert_eq!(
        kit(&["--shim", "no-such-program-here"]).status.code(),
        Some(3)
    );
    assert_eq!(kit(&[]).status.code(), Some(2));
    assert_eq!(
        kit(&["--built-in", "--bug", "no-such-fault"]).status.code(),
        Some(2)
    );
    assert_eq!(
        kit(&["--built-in", "--filter", "no-such-case"])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(kit(&["--list"]).status.code(), Some(0));
}

/// A shim that greets, and then does what the script says.
#[cfg(unix)]
fn shim(name: &str, then: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let script = format!("read -r hello\necho '{{\"ok\":{{\"name\":\"{name}\"}}}}'\n{then}\n");
    std::fs::write(&path, script).unwrap();
    format!("sh {}", path.display())
}

#[cfg(unix)]
#[test]
fn a_shim_that_dies_fails_its_cases_and_holds_nobody() {
    let dies = shim("dies", "exit 1");
    let output = kit(&["--shim", &dies, "--filter", "W-8"]);

    assert_eq!(output.status.code(), Some(1), "{}", last_line(&output));
    assert!(last_line(&output).starts_with("0 passed, "));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the shim's output ended"));
}

#[cfg(unix)]
#[test]
fn nonsense_from_a_shim_is_shown_with_its_line() {
    let babbles = shim("babbles", "while read -r command; do echo nonsense; done");
    let output = kit(&["--shim", &babbles, "--filter", "W-8/wrong-magic"]);

    assert_eq!(output.status.code(), Some(1), "{}", last_line(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("line 2 of the shim's output, \"nonsense\""),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_silent_shim_is_reported_and_holds_nobody() {
    let (began, silent) = (Instant::now(), shim("silent", "exec sleep 60"));
    let output = kit(&["--shim", &silent, "--filter", "W-8/wrong-magic"]);
    let mute = kit(&["--shim", "sleep 60", "--filter", "W-8/wrong-magic"]);

    assert_eq!(output.status.code(), Some(1), "{}", last_line(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the shim does not answer"));
    assert_eq!(mute.status.code(), Some(3));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_faults_are_listed_without_a_target() {
    let output = kit(&["--bug", "help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();

    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.lines().count() >= 30 && text.contains("eof-is-end"),
        "{text}"
    );
}
