// SPDX-License-Identifier: Apache-2.0
#include "controller/change_log.h"

#include <fmt/format.h>

#include <charconv>
#include <random>

namespace tq::controller {
namespace {

// What a removed key takes besides its text.
constexpr size_t kRemovedBytes = 64;

uint64_t draw_epoch() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

std::optional<uint64_t> number_in(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number, base);
  if (error != std::errc() || end != text.end()) return std::nullopt;
  return number;
}

}  // namespace

ChangeLog::ChangeLog(size_t removed_bytes_max)
    : epoch_(draw_epoch()), removed_bytes_max_(removed_bytes_max) {}

std::string ChangeLog::revision() const { return fmt::format("{:016x}.{}", epoch_, last_); }

std::optional<uint64_t> ChangeLog::find(std::string_view revision) const {
  const size_t dot = revision.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto epoch = number_in(revision.substr(0, dot), 16);
  const auto number = number_in(revision.substr(dot + 1), 10);
  if (!epoch || *epoch != epoch_ || !number || *number > last_ || *number < floor_) {
    return std::nullopt;
  }
  return number;
}

void ChangeLog::changed(int64_t index) {
  uint32_t at = node_of_index_.find(index);
  if (at == kNone) {
    at = obtain_node(index);
  } else {
    unlink(at);
  }
  append(at);
}

void ChangeLog::forget(int64_t index) {
  const uint32_t at = node_of_index_.erase(index);
  if (at == kNone) return;
  unlink(at);
  nodes_[at].newer = free_;
  free_ = at;
  if (!node_of_index_.empty()) return;
  nodes_ = std::vector<Node>();  // a partition whose samples are all cleared keeps nothing
  free_ = kNone;
}

void ChangeLog::removed(std::string_view key) {
  removed_.push_back({++last_, std::string(key)});
  removed_bytes_ += kRemovedBytes + key.size();
  while (removed_bytes_ > removed_bytes_max_) {
    floor_ = removed_.front().revision;
    removed_bytes_ -= kRemovedBytes + removed_.front().key.size();
    removed_.pop_front();
  }
}

uint32_t ChangeLog::obtain_node(int64_t index) {
  uint32_t at = free_;
  if (at != kNone) {
    free_ = nodes_[at].newer;
  } else {
    at = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
  }
  nodes_[at].index = index;
  node_of_index_.set(index, at);
  return at;
}

void ChangeLog::unlink(uint32_t at) {
  const Node& node = nodes_[at];
  if (node.older != kNone) nodes_[node.older].newer = node.newer;
  if (node.newer != kNone) nodes_[node.newer].older = node.older;
  if (newest_ == at) newest_ = node.older;
}

void ChangeLog::append(uint32_t at) {
  Node& node = nodes_[at];
  node.revision = ++last_;
  node.older = newest_;
  node.newer = kNone;
  if (newest_ != kNone) nodes_[newest_].newer = at;
  newest_ = at;
}

size_t ChangeLog::memory_bytes() const noexcept {
  return nodes_.capacity() * sizeof(Node) + node_of_index_.memory_bytes();
}

}  // namespace tq::controller
