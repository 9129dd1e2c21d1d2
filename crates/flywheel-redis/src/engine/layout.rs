use flywheel_engine::EngineError;
use flywheel_model::Timestamp;

use super::Call;
use super::shard::{Shard, unavailable};
use crate::keys::{Keys, Layout, key_slot};
use crate::link::CallError;
use crate::resp::{Command, Value};

/// A layout as it is written down, which no later version may change.
fn name(layout: Layout) -> String {
    match layout {
        Layout::Plain => "plain".to_owned(),
        Layout::Cluster => "cluster".to_owned(),
        Layout::Partitioned(partitions) => format!("partitioned:{partitions}"),
    }
}

/// How an operator gets from one layout to the other.
fn refusal(marker: &str, found: &str, wanted: &str) -> String {
    format!(
        "what {marker} says is kept here in the layout {found:?}, and these settings mean {wanted:?}, which would find none of \
         it: go back to the former address and sharded_pub_sub_partitions, or choose another prefix, or delete \
         {marker} if nothing of the old is wanted"
    )
}

impl Shard {
    /// Writes down how keys are named here, so that nobody who names them otherwise takes a prefix that is in use for an
    /// empty one.
    ///
    /// # Errors
    /// Somebody wrote down something else; or nobody can be asked now. A server that refuses is not asked again.
    pub(super) async fn claim_layout(&self, keys: &Keys, deadline: Timestamp) -> Result<(), EngineError> {
        if !self.options.keeps_streams {
            return Ok(());
        }
        let marker = keys.layout_marker();
        let wanted = name(keys.layout());
        let slot = key_slot(marker.as_bytes());
        let call = Call { slot, deadline, writes: true, is_repeatable: true };
        let set = || Command::new("SET").arg(&marker).arg(&wanted).arg("NX");
        let get = || Command::new("GET").arg(&marker);
        let answer = match self.router.call(call, &set).await {
            // It was written now.
            Ok(value) if value.text() == Some("OK") => return Ok(()),
            Ok(_) => self.router.call(call, &get).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Value::Bulk(found)) if *found != *wanted.as_bytes() => {
                Err(unavailable(refusal(&marker, &String::from_utf8_lossy(&found), &wanted)))
            }
            Ok(_) => Ok(()),
            Err(CallError::Server(error)) => {
                tracing::warn!(name = %self.name, %error, "cannot write down the layout of keys; changes of it will go unnoticed");
                Ok(())
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}
