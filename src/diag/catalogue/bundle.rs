//! Codes of the area `bundle`.

use super::{Code, Kind};

codes! {}
