/// What an event of a Sentinel means for whoever writes to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentinelEvent {
    /// A replica is being told to become the primary: what is written to the old one from now on may be discarded.
    Promoting,
    /// The promotion that was under way will not be.
    Aborted,
    /// Something changed that the Sentinels are to be asked about.
    Changed,
}

/// Reads an event that a Sentinel published; `None` when it is not about the master `name`, or of no interest.
///
/// Source: Redis documentation, "Sentinel Pub/Sub messages"; names as in 6.2 to 7.2.
pub fn sentinel_event(channel: &str, message: &str, name: &str) -> Option<SentinelEvent> {
    if !is_about(message, name) {
        return None;
    }
    match channel {
        "+failover-state-send-slaveof-noone" => Some(SentinelEvent::Promoting),
        "+switch-master"
        | "+failover-end"
        | "+failover-end-for-timeout"
        | "+promoted-slave"
        | "+config-update-from"
        | "+odown"
        | "-odown"
        | "+sdown"
        | "-sdown"
        | "+sentinel"
        | "+reset-master"
        | "+reboot"
        | "+monitor"
        | "+failover-detected"
        | "+convert-to-slave" => Some(SentinelEvent::Changed),
        _ if channel.starts_with("-failover-abort-") => Some(SentinelEvent::Aborted),
        _ => None,
    }
}

/// Messages are `<kind> <name> <ip> <port>`, followed by ` @ <master> <ip> <port>` unless the kind is `master`; but
/// `+switch-master` says `<master> <ip> <port> <ip> <port>`.
fn is_about(message: &str, name: &str) -> bool {
    let mut words = message.split(' ');
    if let Some((_, master)) = message.split_once(" @ ") {
        return master.split(' ').next() == Some(name);
    }
    match words.next() {
        Some("master") => words.next() == Some(name),
        first => first == Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_our_master_are_understood_and_those_of_others_ignored() {
        use SentinelEvent::{Aborted, Changed, Promoting};
        for (channel, message, event) in [
            ("+switch-master", "main 10.0.0.1 1 10.0.0.2 2", Some(Changed)),
            ("+switch-master", "other 10.0.0.1 1 10.0.0.2 2", None),
            (
                "+failover-state-send-slaveof-noone",
                "slave 10.0.0.2:2 10.0.0.2 2 @ main 10.0.0.1 1",
                Some(Promoting),
            ),
            ("+failover-state-send-slaveof-noone", "slave 10.0.0.2:2 10.0.0.2 2 @ other 10.0.0.1 1", None),
            ("-failover-abort-no-good-slave", "master main 10.0.0.1 1", Some(Aborted)),
            ("-failover-abort-slave-timeout", "master main 10.0.0.1 1", Some(Aborted)),
            ("+sdown", "master main 10.0.0.1 1", Some(Changed)),
            ("+sdown", "master other 10.0.0.1 1", None),
            ("+slave", "slave 10.0.0.2:2 10.0.0.2 2 @ main 10.0.0.1 1", None),
            ("", "", None),
        ] {
            assert_eq!(sentinel_event(channel, message, "main"), event, "{channel} {message}");
        }
    }
}
