// SPDX-License-Identifier: Apache-2.0
#include "client/controller_client.h"

#include <fmt/format.h>

namespace tq::client {
namespace {

// The Python exception that a controller names in its message tells what kind of error it is.
ErrorCode code_of(const std::string& message) {
  if (message.find("TimeoutError") != std::string::npos) return ErrorCode::kTimeout;
  if (message.find("NotImplementedError") != std::string::npos) return ErrorCode::kUnsupported;
  return ErrorCode::kInvalidArgument;
}

}  // namespace

wire::Envelope ControllerClient::exchange(manager::Outgoing request, manager::Deadline deadline) {
  std::vector<manager::Outgoing> requests;
  requests.push_back(std::move(request));
  std::vector<manager::Answer> answers = manager::exchange(pool_, std::move(requests), deadline);
  return std::move(answers[0]).value();
}

void ControllerClient::check_type(const wire::Envelope& reply, std::string_view request_type,
                                  std::string_view wanted) const {
  if (reply.request_type == wanted) return;
  const Value* message = reply.body.find("message");
  const std::string* text = message != nullptr ? message->get_if<std::string>() : nullptr;
  const std::string where = manager::describe(controller_, "request_handle_socket");
  if (text != nullptr) {
    throw Error(code_of(*text), fmt::format("{} failed at {}: {}", request_type, where, *text));
  }
  throw Error(ErrorCode::kDecode, fmt::format("{} answered {} with {} instead of {}", where,
                                              request_type, reply.request_type, wanted));
}

}  // namespace tq::client
