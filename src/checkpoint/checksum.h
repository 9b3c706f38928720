// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tq::checkpoint {

/// XXH3 with 64 bits of all bytes so far: against accidents of disks and copies, not against a
/// forger. Not thread-safe.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void add(std::string_view bytes) noexcept;
  uint64_t value() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What tells one checkpoint file from another: its size and the checksum of all its bytes.
struct Summary {
  uint64_t size_bytes = 0;
  uint64_t checksum = 0;

  bool operator==(const Summary&) const = default;
  /// The checksum as manifests have it: "xxh3:0123456789abcdef".
  std::string checksum_text() const;
};

}  // namespace tq::checkpoint
