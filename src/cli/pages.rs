//! Reading a list page by page.

use super::error::CliError;

/// Passes the items of all pages to `each`, at most `limit`. `page` takes the maximum number
/// of items, never more than `max_page`, and the token of the page. Returns whether there may be
/// more items.
pub(super) async fn for_each_item<T>(
    limit: Option<u64>,
    max_page: i32,
    mut page: impl AsyncFnMut(i32, Option<String>) -> Result<(Vec<T>, Option<String>), CliError>,
    mut each: impl FnMut(&T) -> Result<(), CliError>,
) -> Result<bool, CliError> {
    let mut remaining = limit.unwrap_or(u64::MAX);
    let mut token = None;
    while remaining > 0 {
        let count = i32::try_from(remaining).unwrap_or(max_page).min(max_page);
        let (items, next) = page(count, token).await?;
        for item in &items {
            each(item)?;
            remaining = remaining.saturating_sub(1);
        }
        token = next;
        if token.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
