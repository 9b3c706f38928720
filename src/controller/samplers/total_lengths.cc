// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/total_lengths.h"

#include <fmt/format.h>

#include "transfer_queue/error.h"

namespace tq::controller {

std::optional<double> total_length(const ReadySamples& ready, int64_t index, const char* whose) {
  const Value* meta = ready.custom_meta(index);
  const Value* length = meta != nullptr ? meta->find("total_lengths") : nullptr;
  if (length == nullptr) return std::nullopt;
  if (const auto* number = length->get_if<int64_t>()) return static_cast<double>(*number);
  if (const auto* number = length->get_if<double>()) return *number;
  if (const auto* truth = length->get_if<bool>()) return *truth ? 1 : 0;
  throw Error(ErrorCode::kWrongType,
              fmt::format("{}: custom_meta['total_lengths'] of sample {} must be a number, got {}",
                          whose, index, length->kind_name()));
}

}  // namespace tq::controller
