// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "manager/exchange.h"
#include "transfer_queue/endpoint.h"
#include "wire/messages.h"
#include "wire/unpack.h"

namespace tq::client {

/// How a request goes out.
struct Ask {
  manager::Deadline deadline;
  const char* socket_name = "request_handle_socket";
  Map extension = {};  // keys under x_tq, which only a controller of ours reads
  bool once = false;   // see manager::Outgoing
  const runtime::Wakeup* stop = nullptr;
  std::optional<std::chrono::milliseconds> reach_within = std::nullopt;
};

/// Typed requests to the controller, ours or Python's of any release. Blocks until the deadline at
/// most; thread-safe.
class ControllerClient {
 public:
  /// `controller` must outlive this.
  ControllerClient(const ServerInfo& controller, manager::ConnectionPool& pool, std::string id)
      : controller_(controller), pool_(pool), id_(std::move(id)) {}

  /// Sends a request and reads its reply. Throws Error: of the exchange; what the controller's
  /// REQUEST_ERROR says; kDecode for a reply of another type.
  template <class ReplyMessage, class RequestMessage>
  ReplyMessage ask(const RequestMessage& request, manager::Deadline deadline,
                   const char* socket_name = "request_handle_socket") {
    return ask<ReplyMessage>(request, Ask{deadline, socket_name});
  }
  template <class ReplyMessage, class RequestMessage>
  ReplyMessage ask(const RequestMessage& request, const Ask& how) {
    wire::Envelope reply = ask_for<ReplyMessage>(request, how);
    return wire::unpack_body<ReplyMessage>(reply.body, wire::Limits{});
  }
  /// The reply, of that type but not unpacked: x_tq stands in its body.
  template <class ReplyMessage, class RequestMessage>
  wire::Envelope ask_for(const RequestMessage& request, const Ask& how) {
    const wire::Extension extension{wire::Extension::kVersion, manager::new_request_id(), "",
                                    how.extension};
    wire::Envelope reply = exchange({&controller_,
                                     how.socket_name,
                                     wire::pack_request(id_, controller_.id, request, extension),
                                     extension.request_id,
                                     RequestMessage::kType.data(),
                                     {},
                                     how.once,
                                     how.stop,
                                     how.reach_within},
                                    how.deadline);
    check_type(reply, RequestMessage::kType, ReplyMessage::kType, how.socket_name);
    return reply;
  }

  /// To be called first: joins, and learns whether the controller is one of ours.
  void handshake(manager::Deadline deadline);
  /// Whether it is a C++ node; known after the handshake.
  bool is_ours() const noexcept { return is_ours_; }
  /// Throws Error(kUnsupported) where the controller takes no sampler by request.
  void require_samplers(const std::string& wanted) const;
  /// Of a Python controller, "0.1.11".
  std::string ask_python_version(manager::Deadline deadline);
  /// Where it takes NOTIFY_DATA_UPDATE: Python's up to 0.1.7 have a socket for it alone.
  const char* notify_socket() const;
  /// Whether it serves MARK_CLEARING: ours, and Python's from 0.1.10 on. The request thread of
  /// older ones would end at a type that it does not know, and with it all service.
  bool knows_mark_clearing(manager::Deadline deadline);

 private:
  wire::Envelope exchange(manager::Outgoing request, manager::Deadline deadline);
  void check_type(const wire::Envelope& reply, std::string_view request_type,
                  std::string_view wanted, const char* socket_name) const;

  const ServerInfo& controller_;
  manager::ConnectionPool& pool_;
  const std::string id_;
  std::atomic<bool> is_ours_{false};
  std::mutex mutex_;
  std::optional<bool> knows_mark_clearing_;
};

}  // namespace tq::client
