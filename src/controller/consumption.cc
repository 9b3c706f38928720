// SPDX-License-Identifier: Apache-2.0
#include "controller/consumption.h"

namespace tq::controller {

Consumption::~Consumption() { reset(); }

Consumption::Receipt Consumption::mark(const std::vector<int64_t>& indexes) {
  auto receipt = std::make_shared<IndexSet>();
  for (int64_t index : indexes) {
    if (consumed_.insert(index)) receipt->insert(index);
  }
  std::erase_if(receipts_, [](const auto& other) { return other.expired(); });
  receipts_.push_back(receipt);
  return receipt;
}

bool Consumption::give_back(const Receipt& receipt) {
  if (receipt->empty()) return false;
  consumed_.remove(*receipt);
  receipt->clear();
  return true;
}

void Consumption::reset() {
  consumed_.clear();
  for (const auto& weak : receipts_) {
    if (const Receipt receipt = weak.lock()) receipt->clear();
  }
  receipts_.clear();
}

void Consumption::forget(const IndexSet& rows) {
  consumed_.remove(rows);
  for (const auto& weak : receipts_) {
    if (const Receipt receipt = weak.lock()) receipt->remove(rows);
  }
}

}  // namespace tq::controller
