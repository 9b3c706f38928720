// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "controller/index_set.h"

namespace tq::controller {

/// Which samples one task of a partition has consumed.
class Consumption {
 public:
  /// What one fetch consumed and may still give back. A sample that is cleared, or whose
  /// consumption is reset, leaves all receipts, for whoever gets it next is another consumer.
  using Receipt = std::shared_ptr<IndexSet>;

  Consumption() = default;
  ~Consumption();
  Consumption(const Consumption&) = delete;
  Consumption& operator=(const Consumption&) = delete;

  const IndexSet& consumed() const noexcept { return consumed_; }

  /// Marks these samples. The receipt holds those that were not consumed before; it counts as long
  /// as the caller keeps it.
  Receipt mark(const std::vector<int64_t>& indexes);
  /// Takes back what the receipt holds, once. True when there was something.
  bool give_back(const Receipt& receipt);

  /// For a fresh one: what a checkpoint says.
  void restore(IndexSet consumed) { consumed_ = std::move(consumed); }

  /// Everything is to be consumed again.
  void reset();
  /// These samples are cleared.
  void forget(const IndexSet& rows);

 private:
  IndexSet consumed_;
  std::vector<std::weak_ptr<IndexSet>> receipts_;
};

}  // namespace tq::controller
