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

// What a reply may still grow by: frames, and bytes of rows brought into one. Rows asked for once
// always fit the bytes, being what is stored; a short request that names one row millions of times
// must not make a reply that fills memory.
struct Budget {
  size_t frames;
  size_t joined_bytes;
};

void spend(size_t& left, size_t wanted) {
  if (wanted > left) {
    throw Error(ErrorCode::kLimit,
                "the reply would be too large; ask for fewer rows at once, and for each once");
  }
  left -= wanted;
}

// Rows of one owner, each beginning where the one before it ends.
struct Run {
  const std::byte* data;
  size_t size;
  const std::shared_ptr<const void>* owner;

  bool is_followed_by(const TensorRow& row) const noexcept {
    return data + size == row.data && owner->get() == row.owner->get();
  }
};

// Rows that one dense tensor can stand for: small tensors of one dtype and shape.
struct LikeRows {
  TensorRow first;
  size_t count = 0;
  std::vector<Run> runs;

  size_t bytes() const noexcept { return count * first.size; }
  bool is_worth_a_copy() const noexcept {
    return runs.size() > 1 && bytes() < runs.size() * wire::OutMessage::kPieceBytesMin;
  }
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
      like.emplace(LikeRows{*row, 0, {}});
    } else if (!is_like(*row, like->first)) {
      return std::nullopt;
    }
    ++like->count;
    if (!like->runs.empty() && like->runs.back().is_followed_by(*row)) {
      like->runs.back().size += row->size;
    } else {
      like->runs.push_back({row->data, row->size, row->owner});
    }
  }
  return like;
}

wire::Slice gather(const LikeRows& rows) {
  auto [data, to] = wire::Slice::allocate(rows.bytes());
  if (rows.first.size == 0) return std::move(data);
  for (const Run& run : rows.runs) {
    std::memcpy(to, run.data, run.size);
    to += run.size;
  }
  return std::move(data);
}

std::vector<wire::Slice> pieces(const LikeRows& rows) {
  std::vector<wire::Slice> pieces;
  pieces.reserve(rows.runs.size());
  for (const Run& run : rows.runs) pieces.push_back({run.data, run.size, *run.owner});
  return pieces;
}

void write_dense(const LikeRows& rows, wire::Encoder& encoder) {
  wire::Shape shape{static_cast<int64_t>(rows.count)};
  shape.insert(shape.end(), rows.first.shape.begin(), rows.first.shape.end());
  if (rows.is_worth_a_copy()) {
    encoder.tensor(rows.first.dtype, shape, gather(rows));
  } else {
    encoder.tensor(rows.first.dtype, shape, pieces(rows));
  }
}

void write_list(const std::vector<RowView>& views, wire::Encoder& encoder, Budget& budget) {
  encoder.array(views.size());
  for (const RowView& view : views) {
    if (view.tensor()) {
      spend(budget.frames, 1);
    } else {
      spend(budget.joined_bytes, view.bytes());
    }
    view.write(encoder);
  }
}

void write_column(const std::vector<RowView>& views, wire::Encoder& encoder, Budget& budget) {
  const std::optional<LikeRows> rows = like_rows(views);
  if (rows && rows->bytes() <= budget.joined_bytes) {
    if (rows->runs.size() > 1) spend(budget.joined_bytes, rows->bytes());
    write_dense(*rows, encoder);
  } else {
    write_list(views, encoder, budget);
  }
}

}  // namespace

wire::Names distinct(const wire::Names& names) {
  wire::Names result;
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (seen.insert(name).second) result.push_back(name);
  }
  return result;
}

wire::OutMessage get_reply(const RowSource& rows, size_t bytes_stored, std::string_view unit_id,
                           const wire::Envelope& request, const wire::Names& names,
                           const wire::Limits& limits) {
  const std::optional<wire::Extension> extension = wire::reply_extension(unit_id, request);
  Budget budget{limits.frames_max, std::max(bytes_stored, limits.header_bytes_max)};
  const wire::Names fields = distinct(names);
  const auto write_body = [&](wire::Encoder& encoder) {
    encoder.map(extension ? 2 : 1);
    encoder.str("data");
    encoder.map(fields.size());
    for (const std::string& field : fields) {
      encoder.str(field);
      write_column(rows(field), encoder, budget);
    }
    if (extension) wire::internal::pack_extension(encoder, *extension);
  };
  return wire::pack_message({wire::GetDataResponse::kType, unit_id, request.sender_id}, write_body);
}

}  // namespace tq::storage
