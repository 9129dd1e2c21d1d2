use flywheel_redis::keys::key_slot;
use flywheel_redis::link::Endpoint;
use flywheel_redis::resp::Command;
use flywheel_redis::topology::{SlotAnswer, SlotMap};

use super::patient::{Patient, Reached};
use super::{primary, pubsub};

/// Tags that are tried to find one for a slot of each primary. One with a hundredth of the slots is missed once in 10^17.
const TAGS_MAX: u32 = 4096;

/// Examines a cluster with the eyes of one of its nodes: who owns which slots, and each owner.
pub(super) async fn examine(patient: &mut Patient<'_>, asked: &Endpoint, node: &Reached) {
    let slots = match patient.ask(&node.link, Command::new("CLUSTER SLOTS")).await {
        Ok(slots) => slots,
        Err(error) => return patient.failed("cluster", &error, &node.link, "CLUSTER SLOTS"),
    };
    let epoch = node.detail.cluster.as_ref().map_or(0, |state| state.epoch);
    let map = SlotAnswer::parse(&slots, epoch, asked)
        .and_then(|answer| SlotMap::default().with_answer(&answer))
        .unwrap_or_default();
    let owners = map.nodes().to_vec();
    let names: Vec<String> = owners.iter().map(ToString::to_string).collect();
    if map.open_slots() > 0 {
        let text = format!("{} slots of the cluster have no owner", map.open_slots());
        patient.broken("cluster", text, "repair it: redis-cli --cluster check, then --cluster fix");
    } else {
        patient.fine("cluster", format!("all slots are owned, by {}", names.join(", ")));
    }
    for owner in owners {
        let before = patient.findings.len();
        let Some(reached) = patient.reach(&owner).await else {
            let advice = "all nodes must be reachable under the names that the cluster gives them; else set \
                          cluster-announce-ip and cluster-announce-port there";
            if let Some(finding) = patient.findings.get_mut(before) {
                finding.text = format!("the cluster names {owner}, and {}", finding.text);
                advice.clone_into(&mut finding.advice);
            }
            continue;
        };
        let tag = (0..TAGS_MAX)
            .map(|tag| tag.to_string())
            .find(|tag| map.owner(key_slot(tag.as_bytes())) == Some(&owner));
        primary::examine(patient, &reached, tag.as_deref()).await;
        pubsub::examine(patient, &reached, &node.link, tag.as_deref()).await;
    }
}
