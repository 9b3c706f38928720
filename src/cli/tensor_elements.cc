// SPDX-License-Identifier: Apache-2.0
#include "cli/tensor_elements.h"

#include <cmath>
#include <cstring>

namespace tq::cli {
namespace {

using Json = nlohmann::ordered_json;

// How a float of 8 or 16 bits is laid out, sign first.
struct Layout {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool has_infinity;                  // exponent of ones: mantissa 0 is infinity, else NaN
  bool negative_zero_is_nan = false;  // the "fnuz" types
};

double decode(uint32_t bits, const Layout& l) {
  const bool negative = bits >> (l.exponent_bits + l.mantissa_bits) & 1;
  const uint32_t exponent_max = (1U << l.exponent_bits) - 1;
  const uint32_t mantissa_max = (1U << l.mantissa_bits) - 1;
  const uint32_t exponent = bits >> l.mantissa_bits & exponent_max;
  const uint32_t mantissa = bits & mantissa_max;
  if (l.negative_zero_is_nan && negative && exponent == 0 && mantissa == 0) return NAN;
  if (l.has_infinity && exponent == exponent_max) {
    return mantissa != 0 ? NAN : (negative ? -INFINITY : INFINITY);
  }
  const bool all_ones = exponent == exponent_max && mantissa == mantissa_max;
  if (!l.has_infinity && !l.negative_zero_is_nan && all_ones) return NAN;  // "fn": no infinity
  const double fraction = std::ldexp(mantissa, -l.mantissa_bits);
  const double magnitude = exponent == 0
                               ? std::ldexp(fraction, 1 - l.bias)
                               : std::ldexp(1 + fraction, static_cast<int>(exponent) - l.bias);
  return negative ? -magnitude : magnitude;
}

constexpr Layout kHalf{5, 10, 15, true};
constexpr Layout kBfloat16{8, 7, 127, true};

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

Json half(const std::byte* from) { return number_json(decode(load<uint16_t>(from), kHalf)); }

Json small_float(DType dtype, uint8_t bits) {
  switch (dtype) {
    case DType::float8_e4m3fn:
      return number_json(decode(bits, {4, 3, 7, false}));
    case DType::float8_e5m2:
      return number_json(decode(bits, {5, 2, 15, true}));
    case DType::float8_e4m3fnuz:
      return number_json(decode(bits, {4, 3, 8, false, true}));
    case DType::float8_e5m2fnuz:
      return number_json(decode(bits, {5, 2, 16, false, true}));
    case DType::float8_e8m0fnu:
      return bits == 0xff ? Json("nan") : Json(std::ldexp(1, bits - 127));
    default:
      return bits;  // float4_e2m1fn_x2: two numbers in a byte, shown as the byte
  }
}

}  // namespace

Json number_json(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  return v;
}

Json element_of(const Tensor& tensor, size_t index) {
  const std::byte* at = tensor.data.data + index * dtype_size(tensor.dtype);
  switch (tensor.dtype) {
    case DType::uint8:
      return load<uint8_t>(at);
    case DType::int8:
      return load<int8_t>(at);
    case DType::int16:
      return load<int16_t>(at);
    case DType::int32:
      return load<int32_t>(at);
    case DType::int64:
      return load<int64_t>(at);
    case DType::uint16:
      return load<uint16_t>(at);
    case DType::uint32:
      return load<uint32_t>(at);
    case DType::uint64:
      return load<uint64_t>(at);
    case DType::boolean:
      return load<uint8_t>(at) != 0;
    case DType::float16:
      return half(at);
    case DType::bfloat16:
      return number_json(decode(load<uint16_t>(at), kBfloat16));
    case DType::float32:
      return number_json(load<float>(at));
    case DType::float64:
      return number_json(load<double>(at));
    case DType::complex32:
      return Json::array({half(at), half(at + 2)});
    case DType::complex64:
      return Json::array({number_json(load<float>(at)), number_json(load<float>(at + 4))});
    case DType::complex128:
      return Json::array({number_json(load<double>(at)), number_json(load<double>(at + 8))});
    default:
      return small_float(tensor.dtype, load<uint8_t>(at));
  }
}

}  // namespace tq::cli
