//! Changes a resource as it is, however often others change it meanwhile.

use json_patch::Patch as Changes;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};

use super::mark::Seen;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Changed,
    /// There was nothing to change, or no such resource any more.
    Unchanged,
}

/// Makes the change of what was seen; if the resource has been changed since, of what it is now.
///
/// # Errors
/// The API server does not do it.
pub(super) async fn apply(
    api: &Api<DynamicObject>,
    seen: &Seen,
    change: impl Fn(&Seen) -> Option<Changes>,
) -> kube::Result<Outcome> {
    let mut seen = seen.clone();
    while let Some(changes) = change(&seen) {
        let patch = Patch::Json::<()>(changes);
        match api.patch_metadata(&seen.name, &PatchParams::default(), &patch).await {
            Ok(_) => return Ok(Outcome::Changed),
            Err(kube::Error::Api(status)) if status.is_not_found() => break,
            // A failed test is "invalid"; so it is when the version was tested and then overtaken.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_invalid() => {
                match api.get_metadata_opt(&seen.name).await? {
                    Some(now) if now.metadata.uid.as_deref() == Some(&seen.uid) => {
                        let now = Seen::new(&now.metadata);
                        if now.is_version_of(&seen) {
                            return Err(kube::Error::Api(status));
                        }
                        seen = now;
                    }
                    _ => break,
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Outcome::Unchanged)
}
