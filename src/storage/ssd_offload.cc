// SPDX-License-Identifier: Apache-2.0
#include "storage/ssd_offload.h"

#include <new>

#include "storage/ssd_record.h"
#include "storage/ssd_rows.h"
#include "transfer_queue/error.h"
#include "wire/decode.h"

namespace tq::storage {
namespace {

// Upstream compares the payload; so it is for whatever has nothing else.
size_t size_of(const Rows& rows, size_t position) {
  const std::optional<TensorRow> tensor = rows.tensor_at(position);
  return tensor ? tensor->size : rows.bytes_at(position);
}

std::vector<uint32_t> large_rows(const Block& block, uint64_t threshold_bytes) {
  std::vector<uint32_t> positions;
  const Rows& rows = block.rows();
  if (rows.held_bytes() < threshold_bytes) return positions;
  for (uint32_t position = 0; position < rows.count(); ++position) {
    if (block.is_live(position) && size_of(rows, position) >= threshold_bytes) {
      positions.push_back(position);
    }
  }
  return positions;
}

// The new rows of each column; null where nothing changes.
using NewRows = std::vector<std::shared_ptr<Rows>>;

class OffloadWriter {
 public:
  explicit OffloadWriter(const SsdPointer& offload) : offload_(offload), file_(offload->folder) {}

  void write(const Incoming& incoming, const SsdPlan& plan) {
    for (size_t i = 0; i < plan.positions.size(); ++i) {
      const Rows& rows = incoming.columns[i].block->rows();
      std::vector<SsdRows::Stored>& stored = stored_.emplace_back();
      for (uint32_t position : plan.positions[i]) write_row(rows, position, stored);
    }
    segment_ = file_.finish();
  }

  NewRows new_rows(const Incoming& incoming) const {
    NewRows made(stored_.size());
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (stored_[i].empty()) continue;
      const Block& block = *incoming.columns[i].block;
      made[i] = std::make_shared<SsdRows>(
          block.rows(), [&](uint32_t position) { return block.is_live(position); }, stored_[i],
          segment_, offload_);
    }
    return made;
  }

  size_t unreadable() const noexcept { return unreadable_; }

 private:
  // What decodes now will do so when it is read.
  void write_row(const Rows& rows, uint32_t position, std::vector<SsdRows::Stored>& stored) {
    wire::Encoder encoder;
    rows.write_at(position, encoder);
    const wire::Frames row = encoder.finish();
    if (!wire::decode_value(row, offload_->limits)) {
      ++unreadable_;
      return;
    }
    stored.push_back({position, file_.append(make_record(row)), size_of(rows, position)});
  }

  const SsdPointer& offload_;
  ssd::SegmentWriter file_;
  std::shared_ptr<const ssd::Segment> segment_;
  std::vector<std::vector<SsdRows::Stored>> stored_;  // by column
  size_t unreadable_ = 0;
};

}  // namespace

SsdPlan plan_offload(const Incoming& incoming, const SsdOffload& offload) {
  SsdPlan plan;
  for (const Incoming::Column& column : incoming.columns) {
    const std::vector<uint32_t>& positions =
        plan.positions.emplace_back(large_rows(*column.block, offload.threshold_bytes));
    plan.values += positions.size();
    for (uint32_t position : positions) plan.bytes += column.block->rows().bytes_at(position);
  }
  return plan;
}

void offload_rows(Incoming& incoming, const SsdPlan& plan, const SsdPointer& offload) {
  if (plan.values == 0) return;
  ssd::Folder& folder = *offload->folder;
  try {
    OffloadWriter writer(offload);
    writer.write(incoming, plan);
    NewRows made = writer.new_rows(incoming);
    for (size_t i = 0; i < made.size(); ++i) {
      if (made[i] != nullptr) incoming.columns[i].block->replace(std::move(made[i]));
    }
    folder.write_succeeded();
    if (writer.unreadable() == 0) return;
    folder.write_failed("values cannot be encoded as values of their own", writer.unreadable());
  } catch (const Error& error) {
    folder.write_failed(error.what(), plan.values);
  } catch (const std::bad_alloc&) {
    folder.write_failed("the machine is out of memory", plan.values);
  }
}

}  // namespace tq::storage
