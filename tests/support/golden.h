// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "wire/slice.h"

namespace tq::test {

/// One recorded message of tests/golden: its frames as they were on the wire, and beside it the
/// canonical JSON of what Python decoded from them.
struct GoldenMessage {
  std::filesystem::path file;  // NNN_request_TYPE.msg or NNN_response_TYPE.msg
  wire::Frames frames;
  std::string json_text;

  std::string name() const;  // "0.1.11/004_request_PUT"
  bool is_request() const;
};

/// All recorded messages, or those of one folder ("0.1.11", "0.1.11/grpo"), in order of recording.
/// Throws when there are none: a golden test without vectors must not pass.
std::vector<GoldenMessage> load_golden(std::string_view folder = "");

/// The frames of a .msg file: per frame a little-endian u64 length and its bytes.
wire::Frames read_frames(const std::filesystem::path& file);
void write_frames(const std::filesystem::path& file, const wire::Frames& frames);

}  // namespace tq::test
