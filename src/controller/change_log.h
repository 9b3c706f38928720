// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/index_map.h"

namespace tq::controller {

/// What changed last in the listing of a partition, for those who watch it: an answer costs what
/// changed since a revision, not what the partition holds.
///
/// Each change is a revision. A sample stands in the log once, at its last change; about 30 bytes
/// for each that changed since the log began. Of keys that are gone the texts are kept, the last
/// ones: who knows only what was before those needs the whole listing.
class ChangeLog {
 public:
  /// `removed_bytes_max` bounds what keys that are gone may take.
  explicit ChangeLog(size_t removed_bytes_max);

  /// The state now, as a text that no other log gives, of whatever partition, controller or start.
  std::string revision() const;
  /// The number in a text that revision() gave and from which this log can tell all changes;
  /// nothing for any other text.
  std::optional<uint64_t> find(std::string_view revision) const;

  /// The sample has a new key or tag, or a new field.
  void changed(int64_t index);
  /// The sample is gone.
  void forget(int64_t index);
  /// The listing has this key no more.
  void removed(std::string_view key);

  /// Calls visit(int64_t index) for each sample that changed after the revision and is there still,
  /// in order of their last changes.
  template <class Visit>
  void for_each_changed(uint64_t since, Visit&& visit) const {
    uint32_t at = newest_;
    uint32_t next = kNone;
    for (; at != kNone && nodes_[at].revision > since; at = nodes_[at].older) next = at;
    for (; next != kNone; next = nodes_[next].newer) visit(nodes_[next].index);
  }
  /// Calls visit(const std::string& key) for each key that was removed after the revision, as often
  /// as it was.
  template <class Visit>
  void for_each_removed(uint64_t since, Visit&& visit) const {
    for (auto gone = removed_.rbegin(); gone != removed_.rend() && gone->revision > since; ++gone) {
      visit(gone->key);
    }
  }

  /// Heap bytes that the log takes, texts of keys left out.
  size_t memory_bytes() const noexcept;

 private:
  static constexpr uint32_t kNone = IndexMap::kNone;

  struct Node {
    uint64_t revision;
    int64_t index;
    uint32_t older;
    uint32_t newer;  // of a free node: the next free one
  };
  struct Removed {
    uint64_t revision;
    std::string key;
  };

  uint32_t obtain_node(int64_t index);
  void unlink(uint32_t at);
  void append(uint32_t at);

  const uint64_t epoch_;  // drawn, so that another log's revisions are known as such
  const size_t removed_bytes_max_;
  uint64_t last_ = 0;
  uint64_t floor_ = 0;  // removals up to this one are forgotten
  std::vector<Node> nodes_;
  IndexMap node_of_index_;
  uint32_t free_ = kNone;
  uint32_t newest_ = kNone;
  std::deque<Removed> removed_;  // in order
  size_t removed_bytes_ = 0;
};

}  // namespace tq::controller
