// SPDX-License-Identifier: Apache-2.0
#include "controller/error_reply.h"

#include <fmt/format.h>

#include "wire/pack.h"

namespace tq::controller {
std::optional<std::string> partition_of(const wire::Value& body) {
  const wire::Value* value = body.find("partition_id");
  const auto* text = value != nullptr ? value->get_if<std::string>() : nullptr;
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

namespace {

runtime::Reply reply_of(const std::string& controller_id, const wire::Envelope& request,
                        const std::optional<std::string>& partition_id, const std::string& text) {
  if (request.request_type == wire::NotifyDataUpdate::kType) {
    return runtime::make_reply(controller_id, request,
                               wire::NotifyDataUpdateAck{controller_id, partition_id, false, text});
  }
  if (request.request_type == wire::ResetConsumption::kType && partition_id) {
    return runtime::make_reply(controller_id, request,
                               wire::ResetConsumptionResponse{*partition_id, false, text});
  }
  return runtime::make_reply(controller_id, request, wire::RequestError{false, text});
}

}  // namespace

runtime::Reply error_reply(const std::string& controller_id, const wire::Envelope& request,
                           const std::optional<std::string>& partition_id, const Error& error) {
  const std::string text = fmt::format("{} failed: {}: {}", request.request_type,
                                       python_name(error.code()), error.what());
  runtime::Reply reply = reply_of(controller_id, request, partition_id, text);
  reply.refusal = error.code();
  return reply;
}

runtime::Reply unknown_type_reply(const std::string& controller_id, const wire::Envelope& request) {
  runtime::Reply reply = runtime::make_reply(
      controller_id, request,
      wire::RequestError{false, fmt::format("a controller does not serve requests of type '{}'",
                                            request.request_type)});
  reply.refusal = ErrorCode::kUnsupported;
  return reply;
}

runtime::Reply undecodable_reply(const std::string& controller_id, const Error& error) {
  const wire::RequestError body{
      false, fmt::format("undecodable request: {}: {}", python_name(error.code()), error.what())};
  return {wire::pack_message({wire::RequestError::kType, controller_id, std::nullopt},
                             [&](wire::Encoder& encoder) { wire::pack_body(encoder, body); }),
          {}};
}

}  // namespace tq::controller
