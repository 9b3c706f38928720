// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "transfer_queue/client.h"
#include "transfer_queue/sampler.h"

namespace tq {

/// What LocalNodes starts, and how. The defaults are those of `tq up`, whose --help says more.
struct LocalNodesOptions {
  /// Without a controller, for units that another program's controller shall look after.
  bool with_controller = true;
  int storage_units = 2;  ///< 0 to 1024

  /// Where to listen: an IPv4 or IPv6 address, with ":PORT" for a fixed first port; all other
  /// sockets take the ports after it.
  std::string bind = "127.0.0.1";
  /// The IP address that peers are told, where it is not the one bound. Needed where `bind` means
  /// all addresses.
  std::string advertise{};

  /// The nodes' own secret key, made by `tq keygen`, with which they serve clients that have keys
  /// and no others (not those of Python); empty: they serve anybody who can connect, unencrypted.
  std::filesystem::path curve_key{};
  /// The public keys of the clients that may connect: a file with one a line, or a folder of .pub
  /// files. It goes with `curve_key`; who has the nodes' own key may connect too.
  std::filesystem::path curve_clients{};

  /// Which ready samples a fetch gets; nothing: SequentialSampler.
  std::unique_ptr<Sampler> sampler{};
  /// What clients may choose by name for a request (GetMetaOptions::sampler). Its factories run on
  /// the controller's thread.
  SamplerRegistry samplers = SamplerRegistry::built_in();
  /// Answers a fetch without enough data at once, with an empty batch, instead of letting it wait.
  bool polling_mode = false;
  /// How long a fetch waits for data.
  std::chrono::milliseconds fetch_wait{5'000};
  /// Samples that a new partition reserves before any is produced, so that consumers know how many
  /// to expect.
  size_t pre_alloc_samples = 1;
  /// How long a freed global index rests before it is given out again. Matters to Python clients
  /// 0.1.6 and 0.1.8, which free an index before its data.
  std::chrono::milliseconds index_rest{200'000};

  /// Most samples, and most payload bytes, that a unit holds; nothing: without bound.
  std::optional<int64_t> capacity_samples{};
  std::optional<int64_t> capacity_bytes{};  ///< payload in memory

  /// A folder on an SSD where units keep rows of at least `ssd_threshold_bytes`, in files that end
  /// with the nodes; created if it is not there. Empty: all rows stay in memory.
  std::filesystem::path ssd_path{};
  uint64_t ssd_threshold_bytes = uint64_t{1} << 20;  ///< payload of a row, positive

  /// The folder below which clients may have the nodes save and load checkpoints; empty: nowhere.
  std::filesystem::path checkpoint_root{};
};

/// A controller and storage units inside this process, as `tq up` runs them in one of their own.
/// They serve clients of this and other processes, C++ and Python alike, from construction to
/// destruction. Link TransferQueue::nodes.
///
///     tq::LocalNodes nodes;
///     tq::TransferQueueClient client(nodes.addresses());
///
/// Threads: one a node, which touches the node's state and calls the sampler; signals are blocked
/// in it. addresses() is thread-safe; one thread at a time may call stop() or the destructor.
/// Clients may live longer than their nodes; their calls then throw kUnavailable.
///
/// Ownership: takes the samplers; they die with the object. Data lies in this process's memory, of
/// the allocator that the program chose (README, "Make your own side faster").
///
/// Errors: a bad request is answered, and never ends a node. If the kernel refuses what a node
/// cannot do without (it has no memory for epoll), the process ends with a line that says so.
/// Warnings go to the default logger of spdlog, which writes to stdout unless the program gave it
/// another place.
class LocalNodes {
 public:
  /// Starts the nodes; they serve when it returns. Blocks for the bind only. Throws
  ///   kInvalidArgument  an option that makes no sense; names it
  ///   kNotFound         a checkpoint_root, or a file of keys, that is not there
  ///   kUnavailable      an address or port that cannot be bound, or a folder that cannot be made;
  ///                     nothing is left running
  explicit LocalNodes(LocalNodesOptions options = {});
  /// stop().
  ~LocalNodes();
  LocalNodes(const LocalNodes&) = delete;
  LocalNodes& operator=(const LocalNodes&) = delete;

  /// Where the nodes are, for a TransferQueueClient, also after stop(). Each ServerInfo can be
  /// written to a file for other processes (ServerInfo::write). The controller's is empty where
  /// there is none.
  const Nodes& addresses() const noexcept;

  /// Ends all nodes and joins their threads; their data is gone. Blocks until waiting requests are
  /// answered with an error and the last replies are written, half a second for a peer that does
  /// not read. Calling it again does nothing. Not from a sampler.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tq
