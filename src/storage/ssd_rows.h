// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "storage/rows.h"
#include "storage/ssd_offload.h"

namespace tq::storage {

/// One row in a segment. Its space comes back with the last who may read it, for a snapshot or a
/// GET may outlive the store's own row.
struct StoredRow {
  StoredRow(std::shared_ptr<const ssd::Segment> in, ssd::Extent at, size_t payload)
      : segment(std::move(in)), extent(at), payload_bytes(payload) {}
  ~StoredRow() { segment->release(extent); }
  StoredRow(const StoredRow&) = delete;
  StoredRow& operator=(const StoredRow&) = delete;

  const std::shared_ptr<const ssd::Segment> segment;
  const ssd::Extent extent;
  const size_t payload_bytes;
};

/// Rows some of which lie on an SSD, the others in memory. Those on the SSD are counted with what
/// is kept in memory of them, which is where they are.
class SsdRows final : public Rows {
 public:
  struct Stored {
    uint32_t position;
    ssd::Extent extent;
    size_t payload_bytes;
  };

  /// The `stored` rows, ascending, lie in the segment; copies the other live ones of `rows`.
  SsdRows(const Rows& rows, const std::function<bool(uint32_t)>& is_live,
          std::span<const Stored> stored, const std::shared_ptr<const ssd::Segment>& segment,
          SsdPointer offload);

  size_t count() const noexcept override { return places_.size(); }
  size_t bytes_at(size_t position) const noexcept override;
  size_t held_bytes() const noexcept override;
  std::optional<SsdPlace> ssd_at(size_t position) const noexcept override;
  /// Blocks on the disk, as does write_column(), and throws Error(kUnavailable).
  void write_at(size_t position, wire::Encoder& encoder) const override;
  void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const override;
  std::optional<TensorRow> tensor_at(size_t position) const noexcept override;
  void drop_at(size_t position) noexcept override;
  std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const override;

 private:
  // Stored, or the row of that number in memory, or dropped.
  struct Place {
    std::shared_ptr<const StoredRow> stored;
    uint32_t in_memory = kNowhere;
  };
  static constexpr uint32_t kNowhere = UINT32_MAX;

  SsdRows() = default;

  std::vector<Place> places_;
  std::unique_ptr<Rows> memory_;  // null when all are stored
  SsdPointer offload_;
};

}  // namespace tq::storage
