// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tq::zmtp {

/// Z85 (rfc.zeromq.org/spec/32): four bytes as five printable characters. Requires a number of
/// bytes that is divisible by four.
std::string to_z85(std::span<const unsigned char> bytes);

/// The bytes of a text that is exactly as long as they need; false for any other text.
bool from_z85(std::string_view text, std::span<unsigned char> bytes);

}  // namespace tq::zmtp
