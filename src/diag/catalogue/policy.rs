//! Codes of the area `policy`.

use super::{Code, Kind};

codes! {}
