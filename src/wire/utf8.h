// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tq::wire {

/// Whether the bytes are UTF-8 as Python's strict decoder takes it: no overlong forms, no
/// surrogates, nothing past U+10FFFF. A str that fails this cannot be sent on to a Python peer.
bool is_utf8(std::string_view text) noexcept;

/// The same, but lone surrogates pass (Python's "surrogatepass", what its pickles hold).
bool is_utf8_with_surrogates(std::string_view text) noexcept;

/// Bytes of a peer as they may stand in a log line or an error reply: valid UTF-8, at most about
/// `bytes_max` long, what is no printable text as \\xNN.
std::string printable(std::string_view bytes, size_t bytes_max = 100);

}  // namespace tq::wire
