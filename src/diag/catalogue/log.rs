//! Codes of the area `log`.

use super::{Code, Kind};

codes! {}
