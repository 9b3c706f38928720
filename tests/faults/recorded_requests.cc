// SPDX-License-Identifier: Apache-2.0
#include "faults/recorded_requests.h"

#include <set>

#include "support/golden.h"
#include "wire/messages.h"

namespace tq::test {

std::vector<Mutator::Message> recorded_requests(NodeKind kind) {
  std::set<std::string_view> types;
  const auto add = [&]<class Message>() { types.insert(Message::kType); };
  kind == NodeKind::kUnit ? wire::StorageRequests::for_each(add)
                          : wire::ControllerRequests::for_each(add);
  std::vector<Mutator::Message> found;
  for (const GoldenMessage& golden : load_golden()) {
    const std::string type = golden.file.stem().string().substr(std::string("000_request_").size());
    if (!golden.is_request() || !types.contains(type)) continue;
    Mutator::Message& message = found.emplace_back();
    for (const wire::Slice& frame : golden.frames) message.emplace_back(frame.view());
  }
  return found;
}

}  // namespace tq::test
