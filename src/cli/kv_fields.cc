// SPDX-License-Identifier: Apache-2.0
#include "cli/kv_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "cli/json_value.h"
#include "cli/npy.h"
#include "runtime/whole_file.h"
#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

// A file name of any text: no separator, no '..', nothing hidden.
std::string file_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        std::isalnum(byte) != 0 || c == '_' || c == '-' || (c == '.' && !name.empty());
    name += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return name.empty() ? "%" : name;
}

Value value_of_file(const std::string& name, const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".npy") return read_npy(file);
  if (extension == ".json") {
    return to_value(parse_json(runtime::read_file(file), file.string()));
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("--field {}=@{}: a file must be .npy (a tensor) or .json; a text that begins "
                  "with @ is given as {}:='\"@...\"'",
                  name, file.string(), name));
}

// The first elements are enough for a preview; a row may have millions.
Tensor head_of(const Tensor& tensor, size_t elements) {
  const auto count = static_cast<size_t>(element_count(tensor.shape));
  if (count <= elements) return tensor;
  return {tensor.dtype, Shape{static_cast<int64_t>(elements)},
          tensor.data.sub(0, elements * dtype_size(tensor.dtype))};
}

}  // namespace

std::pair<std::string, Value> parse_field(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("--field '{}': it must be NAME=TEXT, NAME:=JSON or NAME=@FILE.npy", argument));
  }
  const bool json = argument[equals - 1] == ':';
  const std::string name = argument.substr(0, json ? equals - 1 : equals);
  const std::string text = argument.substr(equals + 1);
  if (name.empty()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("--field '{}' has no name", argument));
  }
  if (json) return {name, to_value(parse_json(text, fmt::format("--field {}", name)))};
  if (text.starts_with('@')) return {name, value_of_file(name, text.substr(1))};
  return {name, text};
}

std::filesystem::path write_field(const std::filesystem::path& out, const std::string& key,
                                  const std::string& field, const Value& value) {
  const std::filesystem::path folder = out / file_name(key);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot create {}: {}", folder.string(), error.message()));
  }
  const std::filesystem::path file = folder / file_name(field);
  if (const Tensor* tensor = value.get_if<Tensor>()) {
    write_npy(file.string() + ".npy", *tensor);
    return file.string() + ".npy";
  }
  if (const NdArray* array = value.get_if<NdArray>()) {
    write_npy(file.string() + ".npy", *array);
    return file.string() + ".npy";
  }
  runtime::write_file(file.string() + ".json", to_json(value).dump(2) + "\n");
  return file.string() + ".json";
}

std::string type_text(const Value& value) {
  if (const Tensor* tensor = value.get_if<Tensor>()) {
    return fmt::format("{} [{}]", dtype_name(tensor->dtype), fmt::join(tensor->shape, ", "));
  }
  if (const NdArray* array = value.get_if<NdArray>()) {
    return fmt::format("numpy {} [{}]", array->dtype, fmt::join(array->shape, ", "));
  }
  return std::string(value.kind_name());
}

std::string preview(const Value& value, size_t width) {
  std::string text;
  if (const Tensor* tensor = value.get_if<Tensor>()) {
    text = to_json(head_of(*tensor, width))["data"].dump();
  } else {
    text = to_json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  if (text.size() <= width) return text;
  size_t end = width - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole letters
  return text.substr(0, end) + "...";
}

}  // namespace tq::cli
