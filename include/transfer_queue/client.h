// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "transfer_queue/column.h"
#include "transfer_queue/endpoint.h"
#include "transfer_queue/error.h"
#include "transfer_queue/metadata.h"

namespace tq {

/// Where the nodes are: one controller and the storage units in the order that all clients share
/// (a sample lives on `storage_units[global_index % storage_units.size()]`).
struct Nodes {
  ServerInfo controller;                  ///< its handshake and request sockets
  std::vector<ServerInfo> storage_units;  ///< in the order of the routing

  /// Reads DIR/controller.json and DIR/storage-N.json, ordered by N. Throws Error(kNotFound) when
  /// the folder or one of them is not there.
  static Nodes read(const std::filesystem::path& directory);
};

/// How a get hands out columns of tensors.
enum class GetForm {
  kContiguous,  ///< dense where the rows have one shape; else rows in one buffer, one after the
                ///< other (rows of unlike dtypes, which no buffer holds, stay rows) Large rows are
                ///< received there; small ones are copied
  kRows,        ///< each row where it was received: no copy is made, and a kept row keeps no other
};

/// Keys for nodes that were started with --curve-key: all that is sent is encrypted then, and both
/// ends prove who they are. Both files or none; nodes with keys serve no client without, and a
/// client with keys talks to no node without.
struct CurveOptions {
  /// The client's own secret key, made by `tq keygen`; nobody else may be able to read it.
  std::filesystem::path key_file{};
  /// The nodes' public key: the .pub file of their key.
  std::filesystem::path server_key_file{};

  /// The files that TQ_CURVE_KEY and TQ_CURVE_SERVER_KEY name, as the commands of `tq` take them.
  static CurveOptions from_environment();
};

/// How a client behaves.
struct ClientOptions {
  std::string client_id;  ///< drawn when empty
  /// Of each question to the nodes, all attempts and all units together. A KV function asks one to
  /// three: the look-up of its keys, the put with its report, the tags.
  std::chrono::milliseconds deadline{10'000};
  /// Python's way where a key is unknown or a field is not ready: leave it out without a word. Off:
  /// an Error that names them.
  bool ignore_missing = false;
  /// Once this is requested, calls that wait at the controller, and later ones, end with
  /// kUnavailable, so that a thread in one can be joined; others end by their deadline.
  std::stop_token stop;
  CurveOptions curve{};  ///< none: unencrypted, to nodes that serve anybody
};

/// How get_meta finds samples (Python: mode).
enum class GetMetaMode {
  kFetch,   ///< ready ones that the task has not had; the sampler chooses; they are consumed then
  kInsert,  ///< new ones
  kForceFetch,  ///< all of the partition, whatever is produced or consumed; any number is asked for
};

/// What get_meta looks for, and how long.
struct GetMetaOptions {
  GetMetaMode mode = GetMetaMode::kFetch;  ///< how samples are found
  std::string task_name;                   ///< in mode fetch: who consumes
  Map sampling_config;  ///< in mode fetch: the sampler's keyword arguments, e.g. dp_rank
  /// In mode fetch: the sampler for this request in place of the controller's own, by name and with
  /// its arguments (transfer_queue/sampler.h). Needs a C++ controller.
  std::string sampler;
  Map sampler_arguments;  ///< of that sampler
  /// In mode fetch: how long to wait at the controller for enough ready samples, at most one hour;
  /// the metadata is empty when there are too few until then. 0 asks what is ready now. Nothing: as
  /// the controller was started.
  std::optional<std::chrono::milliseconds> wait;
};

/// What a task has consumed of a partition.
struct ConsumptionStatus {
  std::vector<int64_t> global_indexes;  ///< ascending; empty where there is no such partition
  std::vector<int8_t> consumed;         ///< 1 or 0, one a sample
};

/// Which fields of a partition's samples are produced.
struct ProductionStatus {
  std::vector<int64_t> global_indexes;  ///< ascending; empty where there is no such partition
  size_t fields = 0;                    ///< in the order in which the partition got to know them
  std::vector<int8_t> produced;         ///< 1 or 0; row-major [samples, fields]
};

/// What changed in the listing of a partition since a revision. To follow a partition, take away
/// the removed keys, then set the changed ones; where it is complete, start anew with the changed
/// ones.
struct KVChanges {
  /// The state that this leads to, for the next call. No more than a text to give back; empty where
  /// there is no such partition.
  std::string revision;
  std::vector<std::pair<std::string, Value>> changed;  ///< key and tags (a Map)
  std::vector<std::string> removed;                    ///< each once; none of them in `changed`
  /// `changed` is the whole listing: the controller cannot tell what changed since, for the
  /// revision is empty or too old, the partition was cleared meanwhile, the controller restarted.
  bool complete = false;
};

/// A client of a controller and its storage units, C++ or Python nodes alike. Many threads may
/// share one: calls do not wait for each other, for every call takes sockets of its own from a
/// pool. All calls block until they are done or a deadline has passed, and throw tq::Error:
/// - kUnavailable: nothing answers at a node's address, or not any more; names node, endpoint,
///   attempts
/// - kTimeout: a node is connected, but did not answer before the deadline
/// - kNotFound: keys, fields or rows that are not there; names them
/// - kInvalidArgument, kWrongType, kCapacity, kLimit, kUnsupported: as the sentence says
///
/// Data passed in is only read. It is referenced until the call returns; after kUnavailable or
/// kTimeout until its owner (Slice::owner) is released, so memory without one must then outlive the
/// client.
class TransferQueueClient {
 public:
  /// Joins the nodes: a handshake with the controller. Throws Error(kUnavailable) within 5 seconds
  /// when nothing, or no controller, answers at its address, or one end has keys that the other
  /// does not know. Reads the files of options.curve: kNotFound for one that is not there,
  /// kInvalidArgument for one that is no key, or a secret one that others may read.
  explicit TransferQueueClient(Nodes nodes, ClientOptions options = {});
  ~TransferQueueClient();
  TransferQueueClient(const TransferQueueClient&) = delete;
  TransferQueueClient& operator=(const TransferQueueClient&) = delete;

  /// As given, with the drawn client_id.
  const ClientOptions& options() const noexcept;
  /// As given.
  const Nodes& nodes() const noexcept;

  /// Metadata of `batch_size` samples with these fields, all or none. In mode fetch too few ready
  /// samples are waited for at the controller: with options.wait so long, then the metadata is
  /// empty; else as long as it was started with (5 s), then it is kTimeout, and a controller in
  /// polling mode gives empty metadata at once. options.wait means the same on a Python controller,
  /// which is asked again and again (its own waiting, which stops all its service, comes on top
  /// where it is not in polling mode). Who waits first is served first, where there is enough for
  /// both. ClientOptions::deadline begins when options.wait ends.
  ///
  /// A fetch consumes and an insert registers, so neither is sent twice: where the connection
  /// breaks before the reply, it is kUnavailable. A controller that cannot deliver a reply takes
  /// back what it handed out; a client that ends while it waits has consumed nothing.
  BatchMeta get_meta(const std::vector<std::string>& data_fields, size_t batch_size,
                     const std::string& partition_id, const GetMetaOptions& options = {});
  /// Which samples of the partition the task has consumed. Creates the task, as Python's does.
  ConsumptionStatus get_consumption_status(const std::string& task_name,
                                           const std::string& partition_id);
  /// Whether the task has consumed every sample; false for a partition that is empty or not there.
  bool check_consumption_status(const std::string& task_name, const std::string& partition_id);
  /// Which of these fields of each sample are produced; empty where one of them is unknown.
  ProductionStatus get_production_status(const std::vector<std::string>& data_fields,
                                         const std::string& partition_id);
  /// Whether these fields of every sample are produced; false for a partition that is not there, or
  /// a field that it does not know.
  bool check_production_status(const std::vector<std::string>& data_fields,
                               const std::string& partition_id);
  /// What the task consumed may be fetched again; of all tasks when none is named. A partition that
  /// is not there has nothing to reset.
  void reset_consumption(const std::string& partition_id,
                         const std::optional<std::string>& task_name = std::nullopt);

  /// Metadata of keys; with `create`, unknown keys and the partition are registered. Without it,
  /// unknown keys are left out.
  BatchMeta kv_retrieve_meta(const std::vector<std::string>& keys, const std::string& partition_id,
                             bool create);
  /// Keys of global indexes; nothing where an index has none.
  std::vector<std::optional<std::string>> kv_retrieve_keys(
      const std::vector<int64_t>& global_indexes, const std::string& partition_id);
  /// partition -> key -> tags (a Map), of one partition or of all.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, Value>>>> kv_list(
      const std::optional<std::string>& partition_id);
  /// The keys of a partition that changed since a revision that an earlier call gave; with an empty
  /// one, all keys. A key changes when it is registered, when its tags are set, when a field of it
  /// is reported as produced, and when it is cleared. Where nothing changed it waits at the
  /// controller, at most an hour, until something does; with an empty revision, until there is such
  /// a partition. Without a change until then `changed` and `removed` are empty. An answer costs
  /// what changed, not what the partition holds; the controller keeps some 30 bytes for each key
  /// that changed since the partition was first asked about in this way.
  ///
  /// A Python controller is asked for its listing again and again: what it answers is complete, and
  /// a field that is produced is no change there. ClientOptions::deadline begins when `wait` ends.
  KVChanges kv_list_changes(const std::string& partition_id, const std::string& since = {},
                            std::chrono::milliseconds wait = std::chrono::milliseconds(0));

  /// Stores row i of each column under meta.global_indexes[i] at its unit, then reports it to the
  /// controller. Rows of one partition. Throws PartialPutError when units failed: it has the rows.
  void put(const Batch& data, const BatchMeta& meta);
  /// The same of new samples, which it registers first; returns their metadata.
  BatchMeta put(const Batch& data, const std::string& partition_id);
  /// The rows of the fields in the order of meta.global_indexes.
  Batch get_data(const BatchMeta& meta, const std::vector<std::string>& fields,
                 GetForm form = GetForm::kContiguous);
  /// Replaces the whole tags of each sample of `meta` by meta.custom_meta.
  void set_custom_meta(const BatchMeta& meta);
  /// Ends samples: no longer ready, then their rows, then their keys and metadata.
  void clear_samples(const BatchMeta& meta);
  /// Ends all samples of the partition, and the partition. Throws Error(kNotFound) when it is not
  /// there.
  void clear_partition(const std::string& partition_id);
  /// The partitions, in order of creation.
  std::vector<std::string> get_partition_list();

  // Checkpoints piece by piece; transfer_queue/checkpoint.h has both in one. Paths are those of the
  // nodes' machines, below their --checkpoint-root. A relative one counts from this process's
  // working directory. A deadline of 0 stands for kCheckpointDeadline.
  static constexpr std::chrono::minutes kCheckpointDeadline{10};  ///< when none is given
  /// Has the controller save what it knows, as it is now, to a file. Its folder must be there.
  void save_controller_checkpoint(const std::filesystem::path& file,
                                  std::chrono::milliseconds deadline = {});
  /// Has the controller take what it saved to a file, in place of what it knows.
  void load_controller_checkpoint(const std::filesystem::path& file,
                                  std::chrono::milliseconds deadline = {});
  /// Has every unit save its rows, as they are now, below a folder, which is made if it is not
  /// there: simple_storage/su_POSITION_ID.pkl, and who saved them in storage_unit_info.json.
  void save_storage_checkpoint(const std::filesystem::path& folder,
                               std::chrono::milliseconds deadline = {});
  /// Has every unit take its rows out of what was saved below a folder, in place of those it has.
  /// All units read and check theirs before the first one takes them. Another number of units than
  /// saved may load, where all are C++ nodes.
  void load_storage_checkpoint(const std::filesystem::path& folder,
                               std::chrono::milliseconds deadline = {});

  /// Runs work of the asynchronous functions on a thread of this client. Does not block.
  void run_async(std::function<void()> work);

 private:
  struct Impl;
  /// For what belongs to the client and stands in a file of its own. Not for users.
  Impl& impl() noexcept { return *impl_; }
  friend class CheckpointFolder;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tq
