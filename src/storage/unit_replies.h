// SPDX-License-Identifier: Apache-2.0
// How a storage unit refuses requests, for the files that its members are spread over.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "storage/storage_unit.h"
#include "wire/missing_rows.h"

namespace tq::storage {

/// The reply to a request that fails, and what its message calls the request.
template <class Message>
struct Failure {
  using Type = wire::PutGetError;
  static constexpr const char* kVerb = "serve the request";
};
template <>
struct Failure<wire::PutData> {
  using Type = wire::PutError;
  static constexpr const char* kVerb = "put the data";
};
template <>
struct Failure<wire::GetData> {
  using Type = wire::GetError;
  static constexpr const char* kVerb = "get the data";
};
template <>
struct Failure<wire::ClearData> {
  using Type = wire::ClearDataError;
  static constexpr const char* kVerb = "clear the data";
};

inline runtime::Reply with_samples(runtime::Reply reply, size_t samples) {
  reply.samples = samples;
  return reply;
}

template <class Message>
runtime::Reply StorageUnit::refuse(const wire::Envelope& request, const Error& error) const {
  using How = Failure<Message>;
  const auto refusal = [&](const auto& body) {
    runtime::Reply reply = runtime::make_reply(id_, request, body);
    reply.refusal = error.code();
    return reply;
  };
  const char* marker = error.code() == ErrorCode::kNotFound ? wire::kKeyNotFound : "";
  const std::string message =
      fmt::format("{}storage unit {} cannot {}: {}", marker, id_, How::kVerb, error.what());
  if constexpr (std::is_same_v<Message, wire::GetData>) {
    // Upstream's handler of GET, and no other, fails itself on a body without its keys.
    const bool is_dict = request.body.get_if<wire::Map>() != nullptr;
    if (!is_dict || error.code() == ErrorCode::kMissingKey) {
      return refusal(wire::PutGetError{message});
    }
  }
  return refusal(typename How::Type{message});
}

template <class Message, class F>
runtime::Outcome StorageUnit::guarded(const wire::Envelope& request, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    return refuse<Message>(request, error);
  } catch (const std::bad_alloc&) {
    return refuse<Message>(request, Error(ErrorCode::kCapacity, "the machine is out of memory"));
  } catch (const std::exception& error) {
    return refuse<Message>(request, Error(ErrorCode::kInternal, error.what()));
  }
}

}  // namespace tq::storage
