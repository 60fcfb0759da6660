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
