use std::cell::RefCell;
use std::net::TcpListener;
use std::thread;

use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

use super::*;

/// What a scripted server does after each message it receives.
enum Act {
    Send(&'static str),
    Close(u16, &'static str),
    Drop,
}

/// Plays a transcript against a server that takes one message and acts, for each entry of the script.
fn play(text: &str, script: Vec<Vec<Act>>) -> Result<(), Mismatch> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        for acts in script {
            if socket.read().is_err() {
                return;
            }
            for act in acts {
                match act {
                    Act::Send(text) => socket.send(Message::text(text)).unwrap(),
                    Act::Close(code, reason) => {
                        let frame = CloseFrame { code: code.into(), reason: reason.into() };
                        socket.close(Some(frame)).unwrap();
                    }
                    Act::Drop => return,
                }
            }
        }
        // Keeps the connection open until the client goes.
        while socket.read().is_ok() {}
    });
    let api = |_: &str, _: &str| Ok(());
    let replay = Replay { address, api: &api, patience: Duration::from_millis(300) };
    let outcome = replay.run(&Transcript::parse("t", text).unwrap());
    server.join().unwrap();
    outcome
}

#[test]
fn a_server_that_keeps_to_the_text_passes() {
    let text = "C {\"id\":1,\"connect\":{}}\nS {\"id\":1,\"client\":\"<c1>\"}\nC {\"for\":\"<c1>\"}\nS {\"a\":1}\nS {\"b\":\"<c1>\"}\nQ 50\n";
    let script =
        vec![vec![Act::Send("{\"id\":1,\"client\":\"abc\"}")], vec![Act::Send("{\"a\":1}\n{\"b\":\"abc\"}")]];
    assert_eq!(play(text, script), Ok(()));
}

#[test]
fn a_wrong_byte_is_reported_with_its_line() {
    let script = vec![vec![Act::Send("{\"id\":1,\"subscribe\": {}}")]];
    let mismatch = play("C {\"id\":1}\nS {\"id\":1,\"subscribe\":{}}\n", script).unwrap_err();
    assert_eq!(mismatch.line, 2);
    assert_eq!(
        mismatch.to_string(),
        "t.replay:2\n  expected: {\"id\":1,\"subscribe\":{}}\n       got: {\"id\":1,\"subscribe\": {}}"
    );
}

#[test]
fn a_name_that_does_not_recur_fails() {
    let script = vec![vec![Act::Send("{\"c\":\"x\"}\n{\"c\":\"y\"}")]];
    let mismatch = play("C {}\nS {\"c\":\"<c1>\"}\nS {\"c\":\"<c1>\"}\n", script).unwrap_err();
    assert_eq!((mismatch.line, mismatch.got.as_str()), (3, "{\"c\":\"y\"}"));
}

#[test]
fn a_message_that_nobody_expects_fails() {
    let script = vec![vec![Act::Send("{\"a\":1}\n{\"b\":2}")]];
    let mismatch = play("C {}\nS {\"a\":1}\n", script).unwrap_err();
    assert_eq!((mismatch.line, mismatch.got.as_str()), (3, "{\"b\":2}"));
    let script = vec![vec![Act::Send("{\"a\":1}"), Act::Send("{}")]];
    let mismatch = play("C {}\nS {\"a\":1}\nQ 200\n", script).unwrap_err();
    assert_eq!((mismatch.line, mismatch.got.as_str()), (3, "{}"));
}

#[test]
fn a_message_that_does_not_come_fails() {
    let mismatch = play("C {}\nS {\"a\":1}\n", vec![vec![]]).unwrap_err();
    assert_eq!(mismatch.got, "nothing");
}

#[test]
fn a_trailing_line_feed_of_the_server_fails() {
    let script = vec![vec![Act::Send("{\"a\":1}\n")]];
    assert_eq!(play("C {}\nS {\"a\":1}\n", script).unwrap_err().line, 3);
}

#[test]
fn a_close_is_compared_by_code_and_reason() {
    let text = "C {}\nX 3501 bad request\n";
    assert_eq!(play(text, vec![vec![Act::Close(3501, "bad request")]]), Ok(()));
    let mismatch = play(text, vec![vec![Act::Close(3501, "")]]).unwrap_err();
    assert_eq!(
        (mismatch.expected.as_str(), mismatch.got.as_str()),
        ("close 3501 bad request", "close 3501 ")
    );
    assert_eq!(play(text, vec![vec![Act::Close(3000, "bad request")]]).unwrap_err().line, 2);
    let mismatch = play(text, vec![vec![Act::Drop]]).unwrap_err();
    assert_eq!(mismatch.got, "the connection was dropped without a close frame");
    assert_eq!(
        play(text, vec![vec![Act::Send("{}"), Act::Close(3501, "bad request")]]).unwrap_err().got,
        "{}"
    );
}

#[test]
fn api_lines_are_called_in_order_and_their_failure_counts() {
    let calls = RefCell::new(Vec::new());
    let api = |method: &str, body: &str| {
        calls.borrow_mut().push(format!("{method} {body}"));
        if method == "fail" { Err("no luck".to_owned()) } else { Ok(()) }
    };
    let address = "127.0.0.1:1".parse().unwrap();
    let replay = Replay { address, api: &api, patience: Duration::from_millis(300) };
    let transcript = Transcript::parse("t", "A publish {\"a\":1}\nA fail {}\nA never {}\n").unwrap();
    let mismatch = replay.run(&transcript).unwrap_err();
    assert_eq!((mismatch.line, mismatch.got.as_str()), (2, "no luck"));
    assert_eq!(*calls.borrow(), ["publish {\"a\":1}", "fail {}"]);
}
