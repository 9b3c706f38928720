// SPDX-License-Identifier: Apache-2.0
#include "manager/get_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "transfer_queue/error.h"

namespace tq::manager {
namespace {

// Something whose [i] is row i: a list, a dense tensor, or (seldom) a nested one.
size_t length_of(const Value& column) {
  if (const Array* items = column.get_if<Array>()) return items->size();
  if (const NestedTensor* nested = column.get_if<NestedTensor>()) return nested->tensors.size();
  const Tensor* tensor = column.get_if<Tensor>();
  return tensor != nullptr && !tensor->shape.empty() ? static_cast<size_t>(tensor->shape[0]) : 0;
}

Value take_row(Value& column, size_t i) {
  if (Array* items = column.get_mutable_if<Array>()) return std::move((*items)[i]);
  if (const NestedTensor* nested = column.get_if<NestedTensor>()) return nested->tensors[i];
  return row_of(*column.get_if<Tensor>(), i);
}

Column to_column(std::vector<Value> rows) {
  const bool tensors = !rows.empty() && std::all_of(rows.begin(), rows.end(), [](const Value& v) {
    return v.get_if<Tensor>() != nullptr;
  });
  if (!tensors) return Column::values(std::move(rows));
  std::vector<Tensor> row_tensors;
  row_tensors.reserve(rows.size());
  for (const Value& row : rows) row_tensors.push_back(*row.get_if<Tensor>());
  return Column::rows(std::move(row_tensors));
}

Column assemble_field(const std::string& field, const std::vector<RoutingGroup>& groups,
                      std::vector<Value>& parts, size_t rows) {
  std::vector<Value*> columns;
  for (size_t k = 0; k < groups.size(); ++k) {
    columns.push_back(parts[k].find(field));
  }
  if (groups.size() == 1) {
    if (const Tensor* whole = columns[0]->get_if<Tensor>()) return Column::dense(*whole);
  }
  std::vector<Value> values(rows);
  for (size_t k = 0; k < groups.size(); ++k) {
    const std::vector<size_t>& positions = groups[k].batch_positions;
    for (size_t i = 0; i < positions.size(); ++i) values[positions[i]] = take_row(*columns[k], i);
  }
  return to_column(std::move(values));
}

}  // namespace

void check_part(const std::vector<std::string>& fields, const RoutingGroup& group,
                const Value& part) {
  for (const std::string& field : fields) {
    const Value* column = part.find(field);
    if (column == nullptr) {
      throw Error(ErrorCode::kDecode, fmt::format("the reply has no field '{}'", field));
    }
    const size_t rows = group.batch_positions.size();
    if (length_of(*column) != rows) {
      throw Error(ErrorCode::kDecode,
                  fmt::format("the reply's field '{}' is a {} of {} rows instead of {}", field,
                              column->kind_name(), length_of(*column), rows));
    }
  }
}

Batch assemble(const std::vector<std::string>& fields, const std::vector<RoutingGroup>& groups,
               std::vector<Value> parts, size_t rows) {
  Batch batch;
  for (const std::string& field : fields) {
    batch.set(field, assemble_field(field, groups, parts, rows));
  }
  return batch;
}

}  // namespace tq::manager
