// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/actor.h"
#include "storage/store.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::storage {

struct StorageConfig {
  /// Samples (global indexes) and payload bytes that the unit takes; nothing: without bound.
  std::optional<int64_t> capacity_samples;
  std::optional<int64_t> capacity_bytes;
  wire::Limits limits;
};

/// One storage unit: keeps the rows whose global indexes clients route to it, and answers PUT, GET,
/// CLEAR_DATA and GET_METRICS. State and handlers only, see runtime::Actor. Not thread-safe.
class StorageUnit final : public runtime::Actor {
 public:
  explicit StorageUnit(StorageConfig config);

  const std::string& id() const override { return id_; }
  runtime::Outcome handle(runtime::Request& request, runtime::TimePoint now) override;
  runtime::Reply undecodable(const Error& error) override;

  std::string_view operation_of(std::string_view request_type) const override;

  const Store& store() const noexcept { return store_; }

 private:
  void count_arrival(const std::string& request_type);
  template <class Message>
  runtime::Reply answer(wire::Envelope& request);
  template <class Message>
  runtime::Reply refuse(const wire::Envelope& request, const Error& error) const;

  runtime::Reply serve(const wire::Envelope& request, wire::PutData put);
  runtime::Reply serve(const wire::Envelope& request, wire::GetData get);
  runtime::Reply serve(const wire::Envelope& request, wire::ClearData clear);
  runtime::Reply serve(const wire::Envelope& request, wire::GetMetrics metrics);
  std::vector<runtime::Gauge> gauges() const;
  runtime::Reply serve(const wire::Envelope& request, wire::SaveStorageCheckpoint save);
  runtime::Reply serve(const wire::Envelope& request, wire::LoadStorageCheckpoint load);

  std::string id_;
  StorageConfig config_;
  Store store_;
  int64_t requests_arrived_ = 0;
  std::vector<std::pair<std::string, int64_t>>
      arrivals_;  // by upstream's name, in order of arrival
};

}  // namespace tq::storage
