// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/checksum.h"

#define XXH_INLINE_ALL  // a header alone, so that nobody who links our archives needs the library
#include <fmt/format.h>
#include <xxhash.h>

namespace tq::checkpoint {

struct Checksum::State {
  XXH3_state_t xxh3;
};

Checksum::Checksum() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh3); }
Checksum::~Checksum() = default;

void Checksum::add(std::string_view bytes) noexcept {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

uint64_t Checksum::value() const noexcept { return XXH3_64bits_digest(&state_->xxh3); }

std::string Summary::checksum_text() const { return fmt::format("xxh3:{:016x}", checksum); }

}  // namespace tq::checkpoint
