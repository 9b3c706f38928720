// SPDX-License-Identifier: Apache-2.0
#include "storage/store_summary.h"

#include <fmt/format.h>

#include <optional>
#include <span>

#include "storage/column.h"
#include "transfer_queue/error.h"
#include "wire/unpack.h"

namespace tq::storage {
namespace {

using checkpoint::Reader;
using checkpoint::Section;
using checkpoint::Tag;

constexpr int64_t kDiffers = -1;

// What the rows of a field have in common.
struct Form {
  std::optional<std::string> dtype;
  std::optional<wire::Shape> shape;
  bool has_shape = true;

  void add(std::string_view row_dtype, std::span<const int64_t> row_shape) {
    add_kind(row_dtype);
    if (!shape) shape.emplace(row_shape.begin(), row_shape.end());
    if (shape->size() != row_shape.size()) has_shape = false;
    for (size_t i = 0; has_shape && i < row_shape.size(); ++i) {
      if ((*shape)[i] != row_shape[i]) (*shape)[i] = kDiffers;
    }
  }
  void add_value(std::string_view kind) {
    add_kind(kind);
    has_shape = false;
  }
  void add_kind(std::string_view kind) {
    if (!dtype) dtype = kind;
    if (*dtype != kind) dtype = "mixed";
  }
  std::string shape_text() const {
    if (!has_shape || !shape) return {};
    std::string text;
    for (const int64_t size : *shape) {
      text += (text.empty() ? "" : ", ") + (size == kDiffers ? "*" : std::to_string(size));
    }
    return "[" + text + "]";
  }
};

class Summarizer {
 public:
  Summarizer(Reader& reader, StoreSummary& summary) : reader_(reader), summary_(summary) {}

  void read() {
    std::optional<Section> section = reader_.next();
    if (!section || section->tag != Tag::kUnit) reader_.fail(0, "it does not begin with a unit");
    int64_t announced = 0;
    guarded(*section, [&] { announced = read_header(*section); });
    while ((section = reader_.next())) guarded(*section, [&] { read_section(*section); });
    if (summary_.samples != announced) {
      reader_.fail(0,
                   fmt::format("it announces {} samples and has {}", announced, summary_.samples));
    }
  }

 private:
  // Errors of parts name no file.
  template <class F>
  void guarded(const Section& section, F&& f) {
    try {
      f();
    } catch (const Error& error) {
      reader_.fail(section.at, error.what());
    }
  }

  template <class T>
  T unpack(wire::Value& value, const char* name) const {
    T out{};
    wire::unpack_field(value, wire::Path{nullptr, name, std::nullopt}, reader_.limits(), out);
    return out;
  }
  template <class T>
  T take(Section& section, const char* name) const {
    return unpack<T>(at(section, name), name);
  }
  static wire::Value& at(Section& section, const char* name) {
    wire::Value* value = section.value.find(name);
    if (value == nullptr) {
      throw Error(ErrorCode::kDecode, fmt::format("a section has no '{}'", name));
    }
    return *value;
  }

  int64_t read_header(Section& section) {
    summary_.unit_id = take<std::string>(section, "unit_id");
    for (std::string& name : take<wire::Names>(section, "fields")) {
      summary_.fields.push_back({std::move(name), 0, 0, {}, {}});
    }
    forms_.resize(summary_.fields.size());
    return take<int64_t>(section, "samples");
  }

  void read_section(Section& section) {
    if (section.tag == Tag::kSamples) {
      const auto indexes = unpack<wire::Indexes>(section.value, "samples");
      summary_.samples += static_cast<int64_t>(indexes.size());
    } else if (section.tag == Tag::kRows) {
      read_rows(section);
    } else {
      throw Error(ErrorCode::kDecode, fmt::format("a section {} does not belong here",
                                                  static_cast<uint32_t>(section.tag)));
    }
  }

  void read_rows(Section& section) {
    const auto field = take<int64_t>(section, "field");
    if (field < 0 || static_cast<size_t>(field) >= forms_.size()) {
      throw Error(ErrorCode::kDecode, fmt::format("there is no field {}", field));
    }
    FieldSummary& summary = summary_.fields[static_cast<size_t>(field)];
    Form& form = forms_[static_cast<size_t>(field)];
    const size_t count = take<wire::Indexes>(section, "global_indexes").size();
    const wire::Value column = std::move(at(section, "data"));
    const std::unique_ptr<Rows> rows = cut_column(summary.name, column, count, reader_.limits());
    for (size_t row = 0; row < count; ++row) {
      summary.bytes += rows->bytes_at(row);
      if (const std::optional<TensorRow> tensor = rows->tensor_at(row)) {
        form.add(wire::dtype_name(tensor->dtype), tensor->shape);
      } else {
        add_other(column, row, form);
      }
    }
    summary.rows += count;
    summary.dtype = form.dtype.value_or("");
    summary.shape = form.shape_text();
  }

  // A row that is no tensor, by what its column is.
  static void add_other(const wire::Value& column, size_t row, Form& form) {
    if (const auto* array = column.get_if<wire::NdArray>()) {
      form.add(array->dtype, std::span<const int64_t>(array->shape).subspan(1));
    } else if (const auto* items = column.get_if<wire::Array>()) {
      form.add_value((*items)[row].kind_name());
    } else {
      form.add_value(column.get_if<wire::Map>() != nullptr ? "TensorDict" : column.kind_name());
    }
  }

  Reader& reader_;
  StoreSummary& summary_;
  std::vector<Form> forms_;  // by field
};

}  // namespace

void summarize_store(Reader& reader, StoreSummary& summary) { Summarizer(reader, summary).read(); }

}  // namespace tq::storage
