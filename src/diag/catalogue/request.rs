//! Codes of the area `request`.

use super::{Code, Kind};

codes! {}
