// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <memory>
#include <string>

#include "support/canonical.h"
#include "transfer_queue/kv.h"

namespace tq::test {

/// What a callback was given, on whichever thread it ran.
template <class T>
class Received {
 public:
  Callback<T> callback() {
    return [promise = promise_](Result<T> result) { promise->set_value(std::move(result)); };
  }
  T wait() { return std::move(promise_->get_future().get()).value(); }

 private:
  std::shared_ptr<std::promise<Result<T>>> promise_ = std::make_shared<std::promise<Result<T>>>();
};

/// Commands of the driver of the C++ client about waiting and about calls that do not block.
using ClientCommand = Json (*)(std::unique_ptr<TransferQueueClient>&, const Json&);
/// nullptr where there is none of that name.
ClientCommand find_waiting_command(const std::string& name);

}  // namespace tq::test
