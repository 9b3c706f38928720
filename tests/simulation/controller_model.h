// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace tq::test {

/// What a controller must do, in the simplest way there is: maps, and a walk over all of it for
/// each question. Fields and tasks are numbers here. It knows no message and no file of the
/// controller.
class ControllerModel {
 public:
  using Indexes = std::vector<int64_t>;
  static constexpr size_t kFields = 4;
  static constexpr size_t kTasks = 3;
  /// Of a sample that nobody consumed; fetches are numbered from 1.
  static constexpr uint64_t kNobody = 0;

  struct Sample {
    uint64_t birth = 0;  // no two samples have the same, whatever their index
    bool is_active = false;
    std::array<bool, kFields> produced{};
    std::array<uint64_t, kTasks> consumed_by{};  // the fetch that consumed it, a task
    std::optional<int64_t> tag;
    std::optional<std::string> key;
  };
  struct Partition {
    std::string id;
    std::map<int64_t, Sample> samples;
    std::map<std::string, int64_t> keys;
    std::vector<size_t> fields;  // in order of registration
    bool has_field(size_t field) const;
  };
  /// Whose batch a sampler keeps: the sampler, the partition, the task, the rank, the batch index.
  using BatchKey = std::tuple<std::string, std::string, size_t, int64_t, int64_t>;
  /// A kept batch; `births` tell whether its samples are still the same.
  struct KeptBatch {
    Indexes indexes;
    std::vector<uint64_t> births;
  };

  /// Times are seconds of the simulation.
  ControllerModel(size_t pre_allocated, double rest_s)
      : pre_allocated_(pre_allocated), rest_s_(rest_s) {}

  const std::list<Partition>& partitions() const { return partitions_; }  // in order of creation
  Partition* find(const std::string& id);
  uint64_t birth_of(const std::string& partition, int64_t index);

  // ---- what requests do ----
  Indexes register_samples(const std::string& partition, size_t count, double now);
  /// One index a key, of those that are known when `create` is false.
  Indexes retrieve(const std::string& partition, const std::vector<std::string>& keys, bool create,
                   double now);
  /// False, with nothing done, when the partition lacks one of the samples.
  bool notify(const std::string& partition, const Indexes& indexes,
              const std::vector<size_t>& fields);
  void set_tags(const std::string& partition, const std::map<int64_t, int64_t>& tags);
  void withdraw(const std::string& partition, const Indexes& indexes);
  void clear(const std::string& partition, const Indexes& indexes, double now);
  void clear_partition(const std::string& partition, double now);
  void reset(const std::string& partition, std::optional<size_t> task);
  void consume(Partition& partition, size_t task, const Indexes& indexes, uint64_t fetch);
  void give_back(const std::string& partition, size_t task, uint64_t fetch);

  // ---- what requests ask ----
  /// Samples whose fields are all produced and that the task has not consumed; without a field, the
  /// active ones.
  static Indexes ready(const Partition& partition, const std::vector<size_t>& fields, size_t task);
  /// 1 where all those fields are produced that the partition has; 0 when it has none of them.
  static std::vector<int8_t> production(const Partition& partition, const Indexes& indexes,
                                        const std::vector<size_t>& fields);

  std::map<BatchKey, KeptBatch> kept;
  KeptBatch keep(const std::string& partition, const Indexes& indexes);
  bool is_intact(const std::string& partition, const KeptBatch& batch);

 private:
  Partition& obtain(const std::string& id, double now);
  Indexes allocate(size_t count, double now);
  void free_index(int64_t index, double now) { freed_at_.emplace(index, now); }

  const size_t pre_allocated_;
  const double rest_s_;
  std::list<Partition> partitions_;
  std::map<int64_t, double> freed_at_;
  std::set<int64_t> in_use_;
  int64_t next_ = 0;
  uint64_t births_ = 0;
};

}  // namespace tq::test
