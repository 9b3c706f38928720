// SPDX-License-Identifier: Apache-2.0
#include "controller/handlers/handlers.h"

namespace tq::controller {

runtime::Outcome handle(State&, const Call&, wire::SaveControllerCheckpoint message) {
  fail(ErrorCode::kUnsupported, "this version saves no checkpoint (body.path is '{}')",
       message.path);
}

runtime::Outcome handle(State&, const Call&, wire::LoadControllerCheckpoint message) {
  fail(ErrorCode::kUnsupported, "this version loads no checkpoint (body.path is '{}')",
       message.path);
}

}  // namespace tq::controller
