// SPDX-License-Identifier: Apache-2.0
#include "storage/get_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "storage/sizes.h"
#include "transfer_queue/error.h"
#include "wire/pack.h"

namespace tq::storage {
namespace {

// What a reply may still grow by. Rows that are asked for once always fit; a short request that names
// one row millions of times must not make a reply that fills memory.
struct Budget {
  size_t frames;
  size_t copied_bytes;
};

void spend(size_t& left, size_t wanted) {
  if (wanted > left) {
    throw Error(ErrorCode::kLimit,
                "the reply would be too large; ask for fewer rows at once, and for each once");
  }
  left -= wanted;
}

// The rows as tensors when one dense tensor can stand for them all; else nothing.
std::vector<TensorRow> like_small_tensors(const std::vector<RowView>& views) {
  std::vector<TensorRow> rows;
  rows.reserve(views.size());
  for (const RowView& view : views) {
    const std::optional<TensorRow> row = view.tensor();
    if (!row || row->size >= kDenseRowBytes) return {};
    if (!rows.empty() && (row->dtype != rows[0].dtype ||
                          !std::equal(row->shape.begin(), row->shape.end(), rows[0].shape.begin(),
                                      rows[0].shape.end()))) {
      return {};
    }
    rows.push_back(*row);
  }
  return rows;
}

bool are_adjacent(const std::vector<TensorRow>& rows) {
  const auto not_next = [](const TensorRow& a, const TensorRow& b) {
    return a.data + a.size != b.data || a.owner->get() != b.owner->get();
  };
  return std::adjacent_find(rows.begin(), rows.end(), not_next) == rows.end();
}

wire::Slice gather(const std::vector<TensorRow>& rows) {
  auto [data, to] = wire::Slice::allocate(rows.size() * rows[0].size);
  for (const TensorRow& row : rows) {
    if (row.size != 0) std::memcpy(to, row.data, row.size);
    to += row.size;
  }
  return std::move(data);
}

void write_dense(const std::vector<TensorRow>& rows, wire::Encoder& encoder) {
  wire::Shape shape(rows[0].shape.begin(), rows[0].shape.end());
  shape.insert(shape.begin(), static_cast<int64_t>(rows.size()));
  const bool copied = !are_adjacent(rows);
  wire::Slice data = copied ? gather(rows)
                            : wire::Slice{rows[0].data, rows.size() * rows[0].size, *rows[0].owner};
  encoder.tensor(rows[0].dtype, shape, std::move(data));
}

void write_list(const std::vector<RowView>& views, wire::Encoder& encoder, Budget& budget) {
  spend(budget.frames, views.size());
  encoder.array(views.size());
  for (const RowView& view : views) {
    if (!view.tensor()) spend(budget.copied_bytes, view.bytes());
    view.write(encoder);
  }
}

void write_column(const std::vector<RowView>& views, size_t bytes_stored, wire::Encoder& encoder,
                  Budget& budget) {
  const std::vector<TensorRow> rows = like_small_tensors(views);
  // Only rows named twice can be more than what is stored; those are not copied.
  if (!rows.empty() && rows.size() * rows[0].size <= bytes_stored) {
    write_dense(rows, encoder);
  } else {
    write_list(views, encoder, budget);
  }
}

// A field named twice is one entry of the reply, as in a Python dict.
wire::Names distinct(const wire::Names& names) {
  wire::Names result;
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (seen.insert(name).second) result.push_back(name);
  }
  return result;
}

}  // namespace

wire::Frames get_reply(const Store& store, std::string_view unit_id, const wire::Envelope& request,
                       const wire::GetData& get, const wire::Limits& limits) {
  const std::optional<wire::Extension> extension = wire::reply_extension(unit_id, request);
  Budget budget{limits.frames_max, std::max(store.bytes_stored(), limits.header_bytes_max)};
  const wire::Names fields = distinct(get.fields_);
  const Store::Selection selection = store.select(get.global_indexes);
  const auto write_body = [&](wire::Encoder& encoder) {
    encoder.map(extension ? 2 : 1);
    encoder.str("data");
    encoder.map(fields.size());
    for (const std::string& field : fields) {
      encoder.str(field);
      write_column(store.rows(field, selection), store.bytes_stored(), encoder, budget);
    }
    if (extension) wire::internal::pack_extension(encoder, *extension);
  };
  return wire::pack_message({wire::GetDataResponse::kType, unit_id, request.sender_id}, write_body);
}

}  // namespace tq::storage
