use std::fs;

use super::parse::folder;
use crate::proto;

/// Messages of an example of the Protobuf encoding, by its name in `protobuf.hex`.
///
/// Returns what the client sends, frames as they are, and what the server answers, printed, one text per message; texts
/// that the example lists as arbitrary are names for [`Bindings`](crate::Bindings). Panics when there is no such example.
pub fn hex_example(name: &str) -> (Vec<Vec<u8>>, Vec<String>) {
    let text = fs::read_to_string(folder().join("protobuf.hex")).unwrap();
    let mut lines = text.lines().skip_while(|line| *line != format!("[{name}]"));
    assert!(lines.next().is_some(), "there is no example {name}");
    let (mut sent, mut answered, mut any) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if let Some(hex) = line.strip_prefix("> ") {
            sent.push(proto::from_hex(hex));
        } else if let Some(hex) = line.strip_prefix("< ") {
            let frame = proto::from_hex(hex);
            let messages = proto::split_frame(&frame).expect("lengths fit");
            answered.extend(messages.iter().map(|message| proto::print_reply(message).expect("a reply")));
        } else if let Some(texts) = line.strip_prefix("any ") {
            any.extend(texts.split(' '));
        } else {
            assert!(line.is_empty(), "not in the notation: {line}");
        }
    }
    for reply in &mut answered {
        for (index, text) in any.iter().enumerate() {
            *reply = reply.replace(&format!("\"{text}\""), &format!("\"<any{index}>\""));
        }
    }
    (sent, answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_found_by_name_with_its_arbitrary_texts() {
        let (sent, answered) = hex_example("recover");
        assert_eq!(sent.len(), 1);
        assert_eq!(
            answered,
            [concat!(
                r#"{id:5,subscribe:{recoverable:1,epoch:"<any0>",publications:{data:"x",offset:301},"#,
                "recovered:1,offset:300,positioned:1,was_recovering:1}}"
            )]
        );
        let (_, connected) = hex_example("connected");
        assert_eq!(connected, [r#"{id:1,connect:{client:"<any0>",version:"<any1>",ping:25,pong:1}}"#]);
    }

    #[test]
    fn every_example_prints_without_unknown_fields() {
        for name in
            ["connect-minimal", "connected", "pipelined", "denied", "ping", "recover", "insufficient-state"]
        {
            for reply in hex_example(name).1 {
                let unknown = reply
                    .split(['{', ','])
                    .any(|member| member.starts_with(|first: char| first.is_ascii_digit()));
                assert!(!unknown, "{reply}");
            }
        }
    }
}
