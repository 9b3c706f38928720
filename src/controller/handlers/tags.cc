// SPDX-License-Identifier: Apache-2.0
#include "controller/detach.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {

// Tags of samples that are not there (any more) are dropped without an error, as upstream drops
// those of whole partitions: every put sends tags, and a clear may have come first.
runtime::Outcome handle(State& state, const Call& call, wire::SetCustomMeta message) {
  for (const auto& [partition_id, tags] : message.partition_custom_meta) {
    for (const auto& [index, tag] : tags) {
      if (tag.get_if<wire::Map>() != nullptr) continue;
      fail(ErrorCode::kWrongType,
           "body.partition_custom_meta.{} of index {} must be a dict, got {}", partition_id, index,
           tag.kind_name());
    }
  }
  for (const auto& [partition_id, tags] : message.partition_custom_meta) {
    Partition* partition = state.partitions.find(partition_id);
    if (partition == nullptr) continue;
    for (const auto& [index, tag] : tags) {
      if (index >= 0 && partition->owns(index)) partition->set_tag(index, detach(tag));
    }
    state.listing_changed(partition_id);
  }
  return reply(state, call, wire::SetCustomMetaResponse{"tags are set"});
}

}  // namespace tq::controller
