// SPDX-License-Identifier: Apache-2.0
#include "cli/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <regex>

#include "runtime/whole_file.h"
#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;           // of the data, as numpy writes it
constexpr size_t kHeaderBytesMax = 10'000;  // numpy.load reads no longer one unless told to

constexpr std::pair<std::string_view, DType> kTypes[] = {
    {"|u1", DType::uint8},       {"|i1", DType::int8},    {"<i2", DType::int16},
    {"<i4", DType::int32},       {"<i8", DType::int64},   {"<u2", DType::uint16},
    {"<u4", DType::uint32},      {"<u8", DType::uint64},  {"<f2", DType::float16},
    {"<f4", DType::float32},     {"<f8", DType::float64}, {"<c8", DType::complex64},
    {"<c16", DType::complex128}, {"|b1", DType::boolean},
};

std::string descr_of(DType dtype) {
  for (const auto& [descr, known] : kTypes) {
    if (known == dtype) return std::string(descr);
  }
  return fmt::format("|V{}", dtype_size(dtype));
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{} {}", file.string(), what));
}

DType dtype_of(const std::filesystem::path& file, const std::string& descr) {
  for (const auto& [known, dtype] : kTypes) {
    if (known == descr) return dtype;
  }
  if (descr.starts_with('>')) {
    refuse(file,
           fmt::format("is big-endian ('{}'); save a.astype(a.dtype.newbyteorder('<'))", descr));
  }
  refuse(file, fmt::format("has dtype '{}', which tensors do not have; save it as a number or bool "
                           "type, for instance a.astype('float32')",
                           descr));
}

Shape shape_of(const std::filesystem::path& file, const std::string& text) {
  static const std::regex kNumber(R"(\d+)");
  Shape shape;
  for (std::sregex_iterator it(text.begin(), text.end(), kNumber), end; it != end; ++it) {
    const std::string digits = it->str();
    int64_t size = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), size).ec != std::errc()) {
      refuse(file, fmt::format("names a shape ({}) that no array can have", text));
    }
    shape.push_back(size);
  }
  return shape;
}

// Bytes of the elements; nothing when they are more than 2^63.
std::optional<uint64_t> bytes_of(const Shape& shape, size_t item_bytes) {
  uint64_t bytes = item_bytes;
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  }
  return bytes;
}

// Where the header's text lies: after magic, version and its own length.
std::pair<size_t, size_t> header_place(const std::filesystem::path& file, std::string_view bytes) {
  constexpr size_t kVersionAt = 6;
  constexpr size_t kLengthAt = 8;
  if (bytes.size() < kLengthAt + 4 || !bytes.starts_with(kMagic)) refuse(file, "is no .npy file");
  const int length_bytes = bytes[kVersionAt] == 1 ? 2 : 4;
  size_t length = 0;
  for (int i = 0; i < length_bytes; ++i) {
    length |= static_cast<size_t>(static_cast<uint8_t>(bytes[kLengthAt + i])) << (8 * i);
  }
  const size_t start = kLengthAt + static_cast<size_t>(length_bytes);
  if (length > bytes.size() - start) refuse(file, "ends within its header");
  // Nor could std::regex, which takes a frame of the stack a character.
  if (length > kHeaderBytesMax) {
    refuse(file, fmt::format("has a header of {} bytes; the limit is {}", length, kHeaderBytesMax));
  }
  return {start, length};
}

void write(const std::filesystem::path& file, std::string_view descr, const Shape& shape,
           std::string_view data) {
  std::string dimensions;
  for (int64_t size : shape)
    dimensions += fmt::format("{},", size);  // "(3,)" and "(2,3,)" are tuples
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, dimensions);
  constexpr size_t kPrefix = 10;  // magic, version 1.0, length
  header.append(kAlignment - 1 - (kPrefix + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes += data;
  runtime::write_file(file, bytes);
}

}  // namespace

Tensor read_npy(const std::filesystem::path& file) {
  std::string bytes = runtime::read_file(file);
  const auto [start, length] = header_place(file, bytes);
  const std::string header = bytes.substr(start, length);
  // numpy writes the header so and in no other way; anything else has a structured dtype.
  static const std::regex kDescr(R"('descr': *'([^']*)')");
  static const std::regex kOrder(R"('fortran_order': *(True|False))");
  static const std::regex kShape(R"('shape': *\(([^)]*)\))");
  std::smatch descr;
  std::smatch order;
  std::smatch shape;
  if (!std::regex_search(header, descr, kDescr) || !std::regex_search(header, order, kOrder) ||
      !std::regex_search(header, shape, kShape)) {
    refuse(file,
           "has a header that is not of one plain dtype, order and shape; save one plain array");
  }
  Tensor tensor{dtype_of(file, descr[1]), shape_of(file, shape[1]), {}};
  if (order[1] == "True" && tensor.shape.size() > 1) {
    refuse(file, "is in Fortran order; save numpy.ascontiguousarray(a)");
  }
  const size_t data_at = start + length;
  const auto wanted = bytes_of(tensor.shape, dtype_size(tensor.dtype));
  if (wanted != bytes.size() - data_at) {
    refuse(file, fmt::format("holds {} bytes of data, but its shape ({}) of {} needs {}",
                             bytes.size() - data_at, shape[1].str(), dtype_name(tensor.dtype),
                             wanted ? std::to_string(*wanted) : "more than there can be"));
  }
  tensor.data = Slice::own(std::move(bytes)).sub(data_at, *wanted);
  return tensor;
}

void write_npy(const std::filesystem::path& file, const Tensor& tensor) {
  write(file, descr_of(tensor.dtype), tensor.shape, tensor.data.view());
}

void write_npy(const std::filesystem::path& file, const NdArray& array) {
  // An array's dtype on the wire is numpy's str(dtype); the names of plain numbers have a descr.
  const auto plain = dtype_from_name(array.dtype);
  if (plain) return write(file, descr_of(*plain), array.shape, array.data.view());
  if (!array.dtype.starts_with('<') && !array.dtype.starts_with('>') &&
      !array.dtype.starts_with('|')) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("an array of dtype '{}' cannot be written to {}", array.dtype, file.string()));
  }
  write(file, array.dtype, array.shape, array.data.view());
}

}  // namespace tq::cli
