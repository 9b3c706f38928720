// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "runtime/actor.h"
#include "transfer_queue/error.h"

namespace tq::controller {

/// The reply to a request that failed: REQUEST_ERROR, but in the body of the usual reply for
/// NOTIFY_DATA_UPDATE (its sender waits for an ACK and for nothing else) and for a
/// RESET_CONSUMPTION that names its partition. The message has Python's form, "GET_META failed:
/// TimeoutError: ...". `partition_id` is what partition_of() found before the body was unpacked.
runtime::Reply error_reply(const std::string& controller_id, const wire::Envelope& request,
                           const std::optional<std::string>& partition_id, const Error& error);

/// The partition that a body names.
std::optional<std::string> partition_of(const wire::Value& body);

/// The reply to a request of a type that no controller knows.
runtime::Reply unknown_type_reply(const std::string& controller_id, const wire::Envelope& request);

/// The reply to frames that are no message.
runtime::Reply undecodable_reply(const std::string& controller_id, const Error& error);

}  // namespace tq::controller
