//! Codes of the area `source`.

use super::{Code, Kind};

codes! {}
