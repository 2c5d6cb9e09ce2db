//! What programs beside the tests are told by environment variables: `make` passes them on.

use std::{env, str::FromStr};

use anyhow::{Result, bail};

/// The number in a variable, `_` and `,` between its digits allowed; `None` if it is not set or empty.
///
/// # Errors
/// It is not a number of this type.
pub fn number<T: FromStr>(name: &str) -> Result<Option<T>> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => match text.replace(['_', ','], "").parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => bail!("{name} must be a whole number, not {text:?}"),
        },
        _ => Ok(None),
    }
}
