// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/file.h"
#include "runtime/actor.h"
#include "storage/index_table.h"
#include "storage/ssd_get.h"
#include "storage/ssd_offload.h"
#include "storage/store.h"
#include "wire/checkpoint_extension.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::storage {

struct StorageConfig {
  /// Samples (global indexes) and payload bytes in memory that the unit takes; nothing: without
  /// bound.
  std::optional<int64_t> capacity_samples;
  std::optional<int64_t> capacity_bytes;
  wire::Limits limits;
  /// Where checkpoints lie; null: the unit neither saves nor loads.
  checkpoint::RootPointer checkpoint_root = nullptr;
  /// Which rows lie on an SSD; none unless it has a path.
  ssd::Settings ssd = {};
};

/// One storage unit: keeps the rows whose global indexes clients route to it, and answers PUT, GET,
/// CLEAR_DATA, GET_METRICS and the requests for checkpoints. State and handlers only, see
/// runtime::Actor. Not thread-safe.
class StorageUnit final : public runtime::Actor {
 public:
  /// Makes the unit's folder on the SSD if there is to be one; throws what ssd::Folder throws.
  explicit StorageUnit(StorageConfig config);

  const std::string& id() const override { return id_; }
  runtime::Outcome handle(runtime::Request& request, runtime::TimePoint now) override;
  runtime::Reply undecodable(const Error& error) override;

  std::function<void()> take_chores() override;
  std::string_view operation_of(std::string_view request_type) const override;

  const Store& store() const noexcept { return store_; }

 private:
  void count_arrival(const std::string& request_type);
  template <class Message>
  runtime::Outcome answer(wire::Envelope& request);
  template <class Message>
  runtime::Reply refuse(const wire::Envelope& request, const Error& error) const;
  /// What f gives, or the reply to what it throws.
  template <class Message, class F>
  runtime::Outcome guarded(const wire::Envelope& request, F&& f);

  runtime::Outcome serve(const wire::Envelope& request, wire::PutData put);
  runtime::Outcome serve(const wire::Envelope& request, wire::GetData get);
  runtime::Outcome serve(const wire::Envelope& request, wire::ClearData clear);
  runtime::Reply serve(const wire::Envelope& request, wire::GetMetrics metrics);
  std::vector<runtime::Gauge> gauges() const;

  runtime::Reply put_reply(const wire::Envelope& request, Incoming incoming);
  runtime::Reply clear_reply(const wire::Envelope& request, const wire::Indexes& indexes);
  runtime::Job put_later(const wire::Envelope& request, Incoming incoming, SsdPlan plan);
  runtime::Job clear_later(const wire::Envelope& request, wire::Indexes indexes);
  runtime::Job get_later(const wire::Envelope& request, std::shared_ptr<SsdGet> rows,
                         wire::GetData get);
  /// Whether a put of one of these samples is being written.
  bool is_being_written(const wire::Indexes& indexes) const noexcept;
  void begin_job(const wire::Indexes& written);
  void end_job(const wire::Indexes& written) noexcept;
  runtime::Outcome serve(const wire::Envelope& request, wire::SaveStorageCheckpoint save);
  runtime::Outcome serve(const wire::Envelope& request, wire::LoadStorageCheckpoint load);

  /// Reads the files of an order into a new store, off the loop; `take` then gets it.
  runtime::Job load(const wire::Envelope& request, wire::CheckpointOrder order,
                    std::function<void(StorageUnit&, std::unique_ptr<Store>)> take);
  void commit(const std::string& token);

  std::string id_;
  StorageConfig config_;
  SsdPointer ssd_;  // null: all rows stay in memory
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
  size_t ssd_jobs_ = 0;
  IndexTable<uint32_t> writing_;  // samples of puts and clears that are jobs, and of how many
  std::vector<std::pair<std::string, int64_t>>
      arrivals_;  // by upstream's name, in order of arrival
};

}  // namespace tq::storage
