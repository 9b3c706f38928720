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

// What a reply may still grow by: frames, and bytes copied into it. Rows asked for once always fit
// the bytes, being what is stored; a short request that names one row millions of times must not
// make a reply that fills memory.
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

// Rows that one dense tensor can stand for: small tensors of one dtype and shape.
struct LikeRows {
  TensorRow first;
  std::vector<const std::byte*> data;
  bool adjacent = true;  // each begins where the one before it ends

  size_t bytes() const noexcept { return data.size() * first.size; }
};

bool is_like(const TensorRow& a, const TensorRow& b) noexcept {
  return a.dtype == b.dtype &&
         std::equal(a.shape.begin(), a.shape.end(), b.shape.begin(), b.shape.end());
}

std::optional<LikeRows> like_rows(const std::vector<RowView>& views) {
  std::optional<LikeRows> like;
  for (const RowView& view : views) {
    const std::optional<TensorRow> row = view.tensor();
    if (!row || row->size >= kDenseRowBytes) return std::nullopt;
    if (!like) {
      like = LikeRows{*row, {}};
      like->data.reserve(views.size());
    } else if (!is_like(*row, like->first)) {
      return std::nullopt;
    } else {
      like->adjacent = like->adjacent && row->data == like->data.back() + row->size &&
                       row->owner->get() == like->first.owner->get();
    }
    like->data.push_back(row->data);
  }
  return like;
}

wire::Slice gather(const LikeRows& rows) {
  auto [data, to] = wire::Slice::allocate(rows.bytes());
  if (rows.first.size == 0) return std::move(data);
  for (const std::byte* row : rows.data) {
    std::memcpy(to, row, rows.first.size);
    to += rows.first.size;
  }
  return std::move(data);
}

void write_dense(const LikeRows& rows, wire::Encoder& encoder) {
  wire::Shape shape{static_cast<int64_t>(rows.data.size())};
  shape.insert(shape.end(), rows.first.shape.begin(), rows.first.shape.end());
  wire::Slice data =
      rows.adjacent ? wire::Slice{rows.data[0], rows.bytes(), *rows.first.owner} : gather(rows);
  encoder.tensor(rows.first.dtype, shape, std::move(data));
}

void write_list(const std::vector<RowView>& views, wire::Encoder& encoder, Budget& budget) {
  encoder.array(views.size());
  for (const RowView& view : views) {
    if (view.tensor()) {
      spend(budget.frames, 1);
    } else {
      spend(budget.copied_bytes, view.bytes());
    }
    view.write(encoder);
  }
}

void write_column(const std::vector<RowView>& views, wire::Encoder& encoder, Budget& budget) {
  const std::optional<LikeRows> rows = like_rows(views);
  if (rows && rows->bytes() <= budget.copied_bytes) {
    if (!rows->adjacent) spend(budget.copied_bytes, rows->bytes());
    write_dense(*rows, encoder);
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
      write_column(store.rows(field, selection), encoder, budget);
    }
    if (extension) wire::internal::pack_extension(encoder, *extension);
  };
  return wire::pack_message({wire::GetDataResponse::kType, unit_id, request.sender_id}, write_body);
}

}  // namespace tq::storage
