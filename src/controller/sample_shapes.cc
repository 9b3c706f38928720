// SPDX-License-Identifier: Apache-2.0
#include "controller/sample_shapes.h"

namespace tq::controller {

void SampleShapes::set(int64_t index, const wire::Shape& shape) {
  const uint32_t id = intern(shape);
  ++uses_[id].rows;
  release(ids_.set(index, id));
}

void SampleShapes::erase(int64_t index) { release(ids_.erase(index)); }

void SampleShapes::clear() {
  ids_.clear();
  known_.clear();
  uses_.clear();
  unused_.clear();
}

const wire::Shape* SampleShapes::find(int64_t index) const {
  const uint32_t id = ids_.find(index);
  return id == IndexMap::kNone ? nullptr : &uses_[id].shape->first;
}

const wire::Shape* SampleShapes::only_one() const {
  return known_.size() == 1 ? &known_.begin()->first : nullptr;
}

uint32_t SampleShapes::intern(const wire::Shape& shape) {
  const auto [at, inserted] = known_.try_emplace(shape, 0);
  if (!inserted) return at->second;
  if (unused_.empty()) {
    at->second = static_cast<uint32_t>(uses_.size());
    uses_.emplace_back();
  } else {
    at->second = unused_.back();
    unused_.pop_back();
  }
  uses_[at->second] = {at, 0};
  return at->second;
}

void SampleShapes::release(uint32_t id) {
  if (id == IndexMap::kNone || --uses_[id].rows > 0) return;
  known_.erase(uses_[id].shape);
  unused_.push_back(id);
}

}  // namespace tq::controller
