// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tq::storage {

/// Where a row is: the number of a block, and of the row in it.
struct RowRef {
  uint32_t block = UINT32_MAX;
  uint32_t row = 0;
};

/// The row that each slot has in one field, 8 bytes a row, in pages, so that a field which few
/// samples have stays small. Not thread-safe.
class RowRefs {
 public:
  RowRefs() = default;
  RowRefs(RowRefs&&) = default;
  RowRefs& operator=(RowRefs&&) = default;
  RowRefs(const RowRefs& other) : size_(other.size_) {
    pages_.reserve(other.pages_.size());
    for (const auto& page : other.pages_) {
      pages_.push_back(page != nullptr ? std::make_unique<Page>(*page) : nullptr);
    }
  }

  size_t size() const noexcept { return size_; }

  /// The row of a slot; nothing when there is none.
  std::optional<RowRef> find(uint32_t slot) const noexcept {
    const size_t page = slot / kPageRows;
    if (page >= pages_.size() || pages_[page] == nullptr) return std::nullopt;
    return valid(pages_[page]->refs[slot % kPageRows]);
  }
  /// Takes the memory that set() of this slot needs.
  void prepare(uint32_t slot) {
    const size_t page = slot / kPageRows;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();
  }
  /// Sets the row of a prepared slot and returns the one before it.
  std::optional<RowRef> set(uint32_t slot, RowRef ref) noexcept {
    Page& page = *pages_[slot / kPageRows];
    const RowRef before = std::exchange(page.refs[slot % kPageRows], ref);
    if (!valid(before)) ++page.used, ++size_;
    return valid(before);
  }
  /// Removes the row of a slot and returns it.
  std::optional<RowRef> erase(uint32_t slot) noexcept {
    const std::optional<RowRef> before = find(slot);
    if (!before) return std::nullopt;
    std::unique_ptr<Page>& page = pages_[slot / kPageRows];
    page->refs[slot % kPageRows] = RowRef{};
    --size_;
    if (--page->used == 0) page.reset();
    if (size_ == 0) pages_ = std::vector<std::unique_ptr<Page>>();
    return before;
  }

 private:
  static constexpr size_t kPageRows = 256;
  struct Page {
    std::array<RowRef, kPageRows> refs;
    uint32_t used = 0;
  };

  static std::optional<RowRef> valid(RowRef ref) noexcept {
    return ref.block == RowRef{}.block ? std::nullopt : std::optional(ref);
  }

  std::vector<std::unique_ptr<Page>> pages_;
  size_t size_ = 0;
};

}  // namespace tq::storage
