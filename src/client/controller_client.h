// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "manager/exchange.h"
#include "transfer_queue/endpoint.h"
#include "wire/messages.h"
#include "wire/unpack.h"

namespace tq::client {

/// Typed requests to the controller. Blocks until the deadline at most; thread-safe.
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
    const wire::Extension extension{wire::Extension::kVersion, manager::new_request_id(), ""};
    wire::Envelope reply = exchange(
        {&controller_, socket_name, wire::pack_request(id_, controller_.id, request, extension),
         extension.request_id, RequestMessage::kType.data()},
        deadline);
    check_type(reply, RequestMessage::kType, ReplyMessage::kType);
    return wire::unpack_body<ReplyMessage>(reply.body, wire::Limits{});
  }

 private:
  wire::Envelope exchange(manager::Outgoing request, manager::Deadline deadline);
  void check_type(const wire::Envelope& reply, std::string_view request_type,
                  std::string_view wanted) const;

  const ServerInfo& controller_;
  manager::ConnectionPool& pool_;
  const std::string id_;
};

}  // namespace tq::client
