// SPDX-License-Identifier: Apache-2.0
#include "wire/numpy_dtype.h"

#include <charconv>
#include <utility>

namespace tq::wire {
namespace {

constexpr std::pair<std::string_view, size_t> kNamed[] = {
    {"bool", 1},        {"int8", 1},       {"int16", 2},       {"int32", 4},     {"int64", 8},
    {"uint8", 1},       {"uint16", 2},     {"uint32", 4},      {"uint64", 8},    {"float16", 2},
    {"float32", 4},     {"float64", 8},    {"float128", 16},   {"complex64", 8}, {"complex128", 16},
    {"complex256", 32}, {"datetime64", 8}, {"timedelta64", 8},
};

// "i8", "U2", "M8[ns]" behind an optional byte order: kind, size, and for times a unit.
std::optional<size_t> coded_size(std::string_view code) noexcept {
  constexpr std::string_view kOrders = "<>=|";
  constexpr std::string_view kKinds = "?biufcmMSUVa";
  if (!code.empty() && kOrders.find(code[0]) != std::string_view::npos) code.remove_prefix(1);
  if (code.size() < 2 || kKinds.find(code[0]) == std::string_view::npos) return std::nullopt;
  size_t size = 0;
  const char* end = code.data() + code.size();
  const auto [stop, error] = std::from_chars(code.data() + 1, end, size);
  constexpr size_t kSizeMax = size_t{1} << 30;
  if (error != std::errc() || size > kSizeMax) return std::nullopt;
  const bool time = code[0] == 'm' || code[0] == 'M';
  if (stop != end && !(time && *stop == '[')) return std::nullopt;
  return code[0] == 'U' ? 4 * size : size;
}

}  // namespace

std::optional<size_t> numpy_item_size(std::string_view dtype) noexcept {
  const std::string_view name = dtype.substr(0, dtype.find('['));
  for (const auto& [known, size] : kNamed) {
    if (known == name) return size;
  }
  return coded_size(dtype);
}

}  // namespace tq::wire
