// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "manager/exchange.h"
#include "manager/landing.h"
#include "manager/routing_group.h"
#include "transfer_queue/column.h"
#include "wire/checkpoint_extension.h"

namespace tq::manager {

/// How long to look for a node that is to save or load and is not there: its answer may take much
/// longer.
inline constexpr std::chrono::milliseconds kReachWithin{10'000};

/// Scatters batches over the storage units and gathers them again; all units in parallel. Knows
/// which incarnation of each unit it has talked to, so that a restart is reported as lost data. All
/// calls block until the deadline at most, are thread-safe, and throw tq::Error naming the unit.
class StorageManager {
 public:
  /// `units` must outlive the manager and not change: their order is the routing.
  StorageManager(const std::vector<ServerInfo>& units, ConnectionPool& pool, std::string id)
      : units_(units), pool_(pool), id_(std::move(id)) {}

  /// Stores row i of each column under global_indexes[i]. Throws PartialPutError when a unit fails;
  /// the others' rows stay stored.
  void put(const Batch& batch, std::span<const int64_t> global_indexes, Deadline deadline);
  /// The rows of the fields; with `landing`, which says in which order the fields are asked for,
  /// received where it says.
  Batch get(std::span<const int64_t> global_indexes, const std::vector<std::string>& fields,
            Deadline deadline, const Landing* landing = nullptr);
  void clear(std::span<const int64_t> global_indexes, Deadline deadline);

  const std::string& id() const noexcept { return id_; }

  // ---- checkpoints (unit_checkpoints.cc) ----
  /// Has unit k write its file to paths[k]. What each says of it; nothing from Python's units.
  std::vector<std::optional<wire::CheckpointReceipt>> save_checkpoint(
      const std::vector<std::string>& paths, Deadline deadline);
  /// A load that units of ours have read and checked, and not taken yet.
  struct PreparedLoad {
    std::string token;
    std::vector<wire::CheckpointFile> files;  // of unit 0, 1, ... of those that saved
    std::vector<bool> ours;                   // by unit: Python's know no phases
  };
  /// Has every unit read its share of the files. Changes nothing that a client can see.
  PreparedLoad prepare_load(std::vector<wire::CheckpointFile> files, Deadline deadline);
  /// Has every unit take what it prepared, in place of what it has; Python's read it now.
  void commit_load(const PreparedLoad& load, Deadline deadline);
  void abort_load(const PreparedLoad& load, Deadline deadline) noexcept;

 private:
  using Body = std::function<void(wire::Encoder&, const RoutingGroup&)>;

  Outgoing request(const char* type, size_t body_keys, const RoutingGroup& group, const Body& body);
  /// Asks the groups' units that never answered for a sign of life, so that a wrong address is told
  /// soon, and before any row of `call` is stored. Throws what a unit's silence means.
  void greet(const char* call, const std::vector<RoutingGroup>& groups, Deadline deadline);
  std::vector<Answer> ask(const char* type, const char* reply_type, size_t body_keys,
                          const std::vector<RoutingGroup>& groups, const Body& body,
                          Deadline deadline, const Landing* landing = nullptr);
  std::vector<bool> which_are_ours(Deadline deadline);
  /// Sends one phase of a load to the units of ours, or to Python's.
  void ask_to_load(const PreparedLoad& load, std::string_view phase, bool of_ours,
                   Deadline deadline);
  void note_incarnation(size_t unit, const wire::Envelope& reply);
  bool was_restarted(size_t unit);
  Error refusal(const char* type, const RoutingGroup& group, const wire::Envelope& reply);

  const std::vector<ServerInfo>& units_;
  ConnectionPool& pool_;
  const std::string id_;
  std::mutex mutex_;
  std::map<size_t, std::string> incarnations_;
  std::set<size_t> restarted_;
};

}  // namespace tq::manager
