// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/file.h"
#include "runtime/actor.h"
#include "storage/store.h"
#include "wire/checkpoint_extension.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::storage {

struct StorageConfig {
  /// Samples (global indexes) and payload bytes that the unit takes; nothing: without bound.
  std::optional<int64_t> capacity_samples;
  std::optional<int64_t> capacity_bytes;
  wire::Limits limits;
  /// Where checkpoints lie; null: the unit neither saves nor loads.
  checkpoint::RootPointer checkpoint_root = nullptr;
};

/// One storage unit: keeps the rows whose global indexes clients route to it, and answers PUT, GET,
/// CLEAR_DATA, GET_METRICS and the requests for checkpoints. State and handlers only, see
/// runtime::Actor. Not thread-safe.
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
  runtime::Outcome answer(wire::Envelope& request);
  template <class Message>
  runtime::Reply refuse(const wire::Envelope& request, const Error& error) const;

  runtime::Reply serve(const wire::Envelope& request, wire::PutData put);
  runtime::Reply serve(const wire::Envelope& request, wire::GetData get);
  runtime::Reply serve(const wire::Envelope& request, wire::ClearData clear);
  runtime::Reply serve(const wire::Envelope& request, wire::GetMetrics metrics);
  std::vector<runtime::Gauge> gauges() const;
  runtime::Outcome serve(const wire::Envelope& request, wire::SaveStorageCheckpoint save);
  runtime::Outcome serve(const wire::Envelope& request, wire::LoadStorageCheckpoint load);

  /// Reads the files of an order into a new store, off the loop; `take` then gets it.
  runtime::Job load(const wire::Envelope& request, wire::CheckpointOrder order,
                    std::function<void(StorageUnit&, std::unique_ptr<Store>)> take);
  void commit(const std::string& token);

  std::string id_;
  StorageConfig config_;
  Store store_;
  int64_t requests_arrived_ = 0;
  // What was read for a load in two phases, until its second.
  struct Prepared {
    std::string token;
    std::unique_ptr<Store> store;
    runtime::TimePoint until;
  };
  std::optional<Prepared> prepared_;
  std::string committed_;     // the token of the last one: its order may come twice
  runtime::TimePoint now_{};  // of the request that is being handled
  checkpoint::JobCount jobs_;
  std::vector<std::pair<std::string, int64_t>>
      arrivals_;  // by upstream's name, in order of arrival
};

}  // namespace tq::storage
