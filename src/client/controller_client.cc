// SPDX-License-Identifier: Apache-2.0
#include "client/controller_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/pickle_writer.h"

namespace tq::client {
namespace {

// The Python exception that a controller names in its message tells what kind of error it is.
ErrorCode code_of(const std::string& message) {
  if (message.find("TimeoutError") != std::string::npos) return ErrorCode::kTimeout;
  if (message.find("NotImplementedError") != std::string::npos) return ErrorCode::kUnsupported;
  if (message.find("ConnectionError") != std::string::npos) return ErrorCode::kUnavailable;
  return ErrorCode::kInvalidArgument;
}

// Without "TYPE failed: " before it, where Python has "ZMQRequestType.TYPE failed: ".
std::string_view reason_of(std::string_view message, std::string_view request_type) {
  if (constexpr std::string_view kEnum = "ZMQRequestType."; message.starts_with(kEnum)) {
    message.remove_prefix(kEnum.size());
  }
  constexpr std::string_view kFailed = " failed: ";
  const bool says_it =
      message.starts_with(request_type) && message.substr(request_type.size()).starts_with(kFailed);
  if (says_it) message.remove_prefix(request_type.size() + kFailed.size());
  return message;
}

// Three numbers of "0.1.11"; zeros where there are none.
std::array<int, 3> version_numbers(std::string_view text) {
  std::array<int, 3> numbers{};
  const char* at = text.data();
  const char* end = at + text.size();
  for (int& number : numbers) {
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || stop == end || *stop != '.') break;
    at = stop + 1;
  }
  return numbers;
}

}  // namespace

void ControllerClient::handshake(manager::Deadline deadline) {
  const wire::Envelope reply = ask_for<wire::HandshakeAck>(
      wire::Handshake{id_, "TransferQueueClient"}, Ask{deadline, "handshake_socket"});
  is_ours_ = wire::extension_of(reply.body).has_value();
}

const char* ControllerClient::notify_socket() const {
  constexpr const char* kOldSocket = "data_status_update_socket";
  const bool has_old = std::any_of(controller_.ports.begin(), controller_.ports.end(),
                                   [](const auto& port) { return port.first == kOldSocket; });
  return has_old && !is_ours_ ? kOldSocket : "request_handle_socket";
}

bool ControllerClient::knows_mark_clearing(manager::Deadline deadline) {
  if (is_ours_) return true;
  const std::lock_guard lock(mutex_);  // asked once; others wait for the answer
  if (!knows_mark_clearing_) {
    knows_mark_clearing_ = version_numbers(ask_python_version(deadline)) >= std::array{0, 1, 10};
  }
  return *knows_mark_clearing_;
}

// No message tells a Python controller's version, but GET_PRODUCTION echoes the partition that it
// asks about, and changes nothing when there is none of that name with such a field. The partition
// is the name of the package's own __version__, which the controller reads where it decodes it.
std::string ControllerClient::ask_python_version(manager::Deadline deadline) {
  wire::PickleWriter version;
  version.global("transfer_queue", "__version__");
  const std::string pickle = std::move(version).finish();
  constexpr std::string_view kType = wire::GetProduction::kType;
  constexpr const char* kSocket = "request_handle_socket";
  wire::Envelope reply = exchange({&controller_, kSocket,
                                   wire::pack_message({kType, id_, controller_.id},
                                                      [&](wire::Encoder& e) {
                                                        e.map(2);
                                                        e.str("partition_id");
                                                        e.pickled(pickle);
                                                        e.str("data_fields");
                                                        e.array(1);
                                                        e.str("x_tq: no such field");
                                                      }),
                                   manager::new_request_id(), kType.data()},
                                  deadline);
  check_type(reply, kType, wire::ProductionResponse::kType, kSocket);
  return wire::unpack_body<wire::ProductionResponse>(reply.body, wire::Limits{}).partition_id;
}

void ControllerClient::require_samplers(const std::string& wanted) const {
  if (is_ours_) return;
  throw Error(
      ErrorCode::kUnsupported,
      fmt::format("{} is a Python node, which takes no sampler by request; start it with {}",
                  manager::describe(controller_, "request_handle_socket"), wanted));
}

wire::Envelope ControllerClient::exchange(manager::Outgoing request, manager::Deadline deadline) {
  std::vector<manager::Outgoing> requests;
  requests.push_back(std::move(request));
  std::vector<manager::Answer> answers = manager::exchange(pool_, std::move(requests), deadline);
  return std::move(answers[0]).value();
}

void ControllerClient::check_type(const wire::Envelope& reply, std::string_view request_type,
                                  std::string_view wanted, const char* socket_name) const {
  if (reply.request_type == wanted) return;
  const std::string* text = manager::message_of(reply);
  const std::string where = manager::describe(controller_, socket_name);
  if (text != nullptr) {
    throw Error(code_of(*text), fmt::format("{} failed at {}: {}", request_type, where,
                                            reason_of(*text, request_type)));
  }
  throw Error(ErrorCode::kDecode, fmt::format("{} answered {} with {} instead of {}", where,
                                              request_type, reply.request_type, wanted));
}

}  // namespace tq::client
