// SPDX-License-Identifier: Apache-2.0
// The requests of a storage unit that concern checkpoints.
#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "storage/storage_unit.h"
#include "storage/store_file.h"
#include "wire/utf8.h"

namespace tq::storage {
namespace {

using runtime::Reply;
using wire::CheckpointOrder;
using wire::Envelope;

// How long a unit keeps what it prepared for a client that does not come back.
constexpr std::chrono::minutes kPreparedFor{15};

template <class Message>
Reply failure(const std::string& id, const Envelope& request, const char* what,
              const Error& error) {
  return runtime::make_reply(
      id, request,
      Message{false, fmt::format("storage unit {} cannot {}: {}", id, what, error.what())});
}

std::unique_ptr<Store> read_files(const StorageConfig& config, const SsdPointer& offload,
                                  const CheckpointOrder& order) {
  auto store = std::make_unique<Store>(Capacity{config.capacity_samples, config.capacity_bytes},
                                       config.limits, offload);
  for (const wire::CheckpointFile& file : order.files) {
    const checkpoint::Root& root = checkpoint::require(config.checkpoint_root, file.path);
    // The same number of units: whatever the file has is this unit's.
    const bool all = order.units == order.saved_units;
    const Share written = all ? Share{} : Share{file.unit, order.saved_units};
    const Share wanted = all ? Share{} : Share{order.unit, order.units};
    checkpoint::load_file(
        root, file.path, checkpoint::Kind::kStorageUnit, config.limits, file.checksum,
        [&](checkpoint::Reader& reader) { read_store(reader, written, wanted, *store); });
  }
  return store;
}

}  // namespace

runtime::Outcome StorageUnit::serve(const Envelope& request, wire::SaveStorageCheckpoint save) {
  constexpr const char* kWhat = "save its checkpoint";
  std::shared_ptr<const StoreSnapshot> snapshot;
  try {
    checkpoint::require(config_.checkpoint_root, save.path);
    snapshot = std::make_shared<const StoreSnapshot>(store_.snapshot());
    jobs_.begin();
  } catch (const Error& error) {
    return failure<wire::SaveStorageCheckpointResponse>(id_, request, kWhat, error);
  }
  auto work = [root = config_.checkpoint_root, path = save.path, id = id_,
               snapshot = std::move(snapshot)] {
    return checkpoint::save_file(
        *root, path, checkpoint::Kind::kStorageUnit,
        [&](checkpoint::Writer& writer) { write_store(*snapshot, id, writer); });
  };
  auto done = [this, request](Result<checkpoint::Summary> saved) -> Reply {
    jobs_.end();
    if (!saved) {
      return failure<wire::SaveStorageCheckpointResponse>(id_, request, kWhat, saved.error());
    }
    const wire::CheckpointReceipt receipt{static_cast<int64_t>(saved->size_bytes),
                                          saved->checksum_text()};
    return {wire::pack_reply(id_, request, wire::SaveStorageCheckpointResponse{true, {}},
                             receipt.to_extension()),
            {}};
  };
  return checkpoint::make_job<checkpoint::Summary>(std::move(work), std::move(done));
}

runtime::Job StorageUnit::load(const Envelope& request, CheckpointOrder order,
                               std::function<void(StorageUnit&, std::unique_ptr<Store>)> take) {
  jobs_.begin();
  auto work = [config = config_, offload = ssd_, order = std::move(order)] {
    return read_files(config, offload, order);
  };
  auto done = [this, request,
               take = std::move(take)](Result<std::unique_ptr<Store>> loaded) -> Reply {
    jobs_.end();
    if (!loaded) {
      return failure<wire::LoadStorageCheckpointResponse>(id_, request, "load a checkpoint",
                                                          loaded.error());
    }
    take(*this, std::move(*loaded));
    return runtime::make_reply(id_, request, wire::LoadStorageCheckpointResponse{true, {}});
  };
  return checkpoint::make_job<std::unique_ptr<Store>>(std::move(work), std::move(done));
}

void StorageUnit::commit(const std::string& token) {
  if (token == committed_ && !token.empty()) return;  // the order came twice
  if (!prepared_ || prepared_->token != token) {
    throw Error(ErrorCode::kNotFound,
                "nothing is prepared under this token any more; load the checkpoint again");
  }
  store_ = std::move(*prepared_->store);
  prepared_.reset();
  committed_ = token;
}

runtime::Outcome StorageUnit::serve(const Envelope& request, wire::LoadStorageCheckpoint load_it) {
  try {
    checkpoint::require(config_.checkpoint_root, load_it.path);
    CheckpointOrder order =
        CheckpointOrder::of(request.body, config_.limits).value_or(CheckpointOrder{});
    if (order.files.empty()) order.files.push_back({load_it.path, 0, std::nullopt});
    if (order.phase.empty()) {
      return load(request, std::move(order), [](StorageUnit& unit, std::unique_ptr<Store> store) {
        unit.store_ = std::move(*store);
      });
    }
    if (order.phase == CheckpointOrder::kPrepare) {
      prepared_.reset();  // of a client that gave up, or tries again
      return load(
          request, order,
          [order, until = now_ + kPreparedFor](StorageUnit& unit, std::unique_ptr<Store> store) {
            unit.prepared_ = Prepared{order.token, std::move(store), until};
          });
    }
    if (order.phase == CheckpointOrder::kCommit) {
      commit(order.token);
    } else if (order.phase != CheckpointOrder::kAbort) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("body.x_tq.checkpoint.phase is '{}'; it must be prepare, commit or "
                              "abort",
                              wire::printable(order.phase)));
    } else if (prepared_ && prepared_->token == order.token) {
      prepared_.reset();
    }
    return runtime::make_reply(id_, request, wire::LoadStorageCheckpointResponse{true, {}});
  } catch (const Error& error) {
    return failure<wire::LoadStorageCheckpointResponse>(id_, request, "load a checkpoint", error);
  }
}

}  // namespace tq::storage
