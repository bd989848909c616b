//! Waiting for a condition instead of for a while.

use std::time::Duration;

/// How often a condition is looked at. Short, so that a test ends soon after what it waits for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks at `condition` until it gives something, or until `limit` has passed.
pub async fn until<T>(limit: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(limit, looking).await.ok()
}
