//! Codes of the area `config`.

use super::{Code, Kind};

codes! {}
