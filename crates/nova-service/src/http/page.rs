//! Lists by pages: `limit` and an opaque `cursor` in, items and the next cursor out.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::code::codes;
use super::extract::Query;
use super::problem::Problem;

const DEFAULT: u32 = 20;
const MOST: u32 = 100;
/// No cursor that a service gives out comes near this.
const LONGEST_CURSOR: usize = 1024;

/// Which part of a list a client wants.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; opaque.
    cursor: Option<String>,
}

impl Page {
    /// How many items to return; fetch one more to learn whether there is a next page.
    pub fn limit(&self) -> i64 {
        i64::from(self.limit.unwrap_or(DEFAULT))
    }

    /// Where the page before ended, or `invalid_cursor`.
    pub fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let invalid = || Problem::new(&codes::INVALID_CURSOR);
        if text.len() > LONGEST_CURSOR {
            return Err(invalid());
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        serde_json::from_slice(&json).map(Some).map_err(|_| invalid())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(page) = Query::<Self>::from_request_parts(parts, state).await?;
        match page.limit {
            Some(limit) if !(1..=MOST).contains(&limit) => {
                Err(Problem::new(&codes::INVALID_PARAMETER).detail(format!("limit must be from 1 to {MOST}")))
            }
            _ => Ok(page),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Makes a page of rows that were fetched with `limit + 1`; `cursor` names the position of the last one kept.
    pub fn page<C: Serialize>(mut rows: Vec<T>, page: &Page, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more {
            rows.last().and_then(|last| encode(&cursor(last)))
        } else {
            None
        };
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// Turns each item into another, keeping the cursor.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> List<U> {
        List {
            items: self.items.into_iter().map(turn).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

fn encode(cursor: &impl Serialize) -> Option<String> {
    serde_json::to_vec(cursor)
        .ok()
        .map(|json| BASE64_URL_SAFE_NO_PAD.encode(json))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_returns_as_it_was() {
        let page = Page {
            limit: Some(2),
            cursor: None,
        };
        let list = List::page(vec![1, 2, 3], &page, |last| *last);
        assert_eq!(list.items, [1, 2]);
        let next = Page {
            limit: None,
            cursor: list.next_cursor,
        };
        assert_eq!(next.cursor::<i32>().unwrap(), Some(2));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page {
            limit: Some(3),
            cursor: None,
        };
        assert_eq!(List::page(vec![1, 2, 3], &page, |last| *last).next_cursor, None);
    }

    #[test]
    fn garbage_is_an_invalid_cursor() {
        for garbage in ["", "x", "%00", "bnVsbA=", "e30", "\u{fffd}", &"A".repeat(5000)] {
            let page = Page {
                limit: None,
                cursor: Some(garbage.to_owned()),
            };
            assert_eq!(
                page.cursor::<uuid::Uuid>().unwrap_err().code().code,
                "invalid_cursor",
                "{garbage:?}"
            );
        }
    }
}
