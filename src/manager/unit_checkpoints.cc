// SPDX-License-Identifier: Apache-2.0
// Checkpoints of storage units, seen from the client.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "manager/storage_manager.h"
#include "wire/messages.h"
#include "wire/unpack.h"

namespace tq::manager {
namespace {

constexpr const char* kSocket = "put_get_socket";

template <class Message>
Outgoing outgoing(const std::string& client_id, const ServerInfo& unit, const Message& message,
                  Map more) {
  const wire::Extension extension{wire::Extension::kVersion, new_request_id(), "", std::move(more)};
  Outgoing request{&unit, kSocket, wire::pack_request(client_id, unit.id, message, extension),
                   extension.request_id, Message::kType.data()};
  request.reach_within = kReachWithin;
  return request;
}

// The reply of a unit that did what it was asked; throws its sentence otherwise.
template <class ReplyMessage>
void require_success(Answer& answer, const ServerInfo& unit, std::string_view type) {
  wire::Envelope& reply = answer.value();
  const Value* success = reply.body.find("success");
  const bool* done = success != nullptr ? success->get_if<bool>() : nullptr;
  if (reply.request_type == ReplyMessage::kType && done != nullptr && *done) return;
  const std::string* text = message_of(reply);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} failed at {}: {}", type, describe(unit, kSocket),
                          text != nullptr ? *text : "it answered " + reply.request_type));
}

// Units of the checkpoint that hold samples of `unit` of `units`: a sample's index is congruent to
// both, modulo what the numbers of units have in common.
std::vector<wire::CheckpointFile> files_for(size_t unit, size_t units,
                                            const std::vector<wire::CheckpointFile>& files) {
  const size_t common = std::gcd(units, files.size());
  std::vector<wire::CheckpointFile> wanted;
  for (size_t k = 0; k < files.size(); ++k) {
    if (k % common == unit % common) wanted.push_back(files[k]);
  }
  return wanted;
}

}  // namespace

std::vector<bool> StorageManager::which_are_ours(Deadline deadline) {
  std::vector<Outgoing> greetings;
  for (const ServerInfo& unit : units_) {
    greetings.push_back(outgoing(id_, unit, wire::ClearData{}, {}));
  }
  std::vector<bool> ours;
  for (Answer& answer : exchange(pool_, std::move(greetings), deadline)) {
    ours.push_back(wire::extension_of(answer.value().body).has_value());
  }
  return ours;
}

std::vector<std::optional<wire::CheckpointReceipt>> StorageManager::save_checkpoint(
    const std::vector<std::string>& paths, Deadline deadline) {
  std::vector<Outgoing> requests;
  for (size_t k = 0; k < units_.size(); ++k) {
    requests.push_back(outgoing(id_, units_[k], wire::SaveStorageCheckpoint{paths[k]}, {}));
  }
  std::vector<Answer> answers = exchange(pool_, std::move(requests), deadline);
  std::vector<std::optional<wire::CheckpointReceipt>> receipts;
  for (size_t k = 0; k < units_.size(); ++k) {
    require_success<wire::SaveStorageCheckpointResponse>(answers[k], units_[k],
                                                         wire::SaveStorageCheckpoint::kType);
    receipts.push_back(wire::CheckpointReceipt::of(answers[k]->body));
  }
  return receipts;
}

void StorageManager::ask_to_load(const PreparedLoad& load, std::string_view phase, bool of_ours,
                                 Deadline deadline) {
  std::vector<Outgoing> requests;
  std::vector<size_t> asked;
  for (size_t k = 0; k < units_.size(); ++k) {
    if (load.ours[k] != of_ours) continue;
    Map order;
    if (of_ours) {
      order = wire::CheckpointOrder{std::string(phase),
                                    load.token,
                                    static_cast<int64_t>(k),
                                    static_cast<int64_t>(units_.size()),
                                    static_cast<int64_t>(load.files.size()),
                                    files_for(k, units_.size(), load.files)}
                  .to_extension();
    }
    const std::string& path = load.files[k % load.files.size()].path;
    requests.push_back(
        outgoing(id_, units_[k], wire::LoadStorageCheckpoint{path}, std::move(order)));
    asked.push_back(k);
  }
  std::vector<Answer> answers = exchange(pool_, std::move(requests), deadline);
  for (size_t i = 0; i < asked.size(); ++i) {
    require_success<wire::LoadStorageCheckpointResponse>(answers[i], units_[asked[i]],
                                                         wire::LoadStorageCheckpoint::kType);
  }
}

StorageManager::PreparedLoad StorageManager::prepare_load(std::vector<wire::CheckpointFile> files,
                                                          Deadline deadline) {
  PreparedLoad load{new_request_id() + new_request_id(), std::move(files),
                    which_are_ours(deadline)};
  const bool all_ours = std::find(load.ours.begin(), load.ours.end(), false) == load.ours.end();
  if (!all_ours && load.files.size() != units_.size()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the checkpoint is of {} storage units, and here are {}, with Python "
                            "nodes among them, which load only what one unit saved; start {} units",
                            load.files.size(), units_.size(), load.files.size()));
  }
  try {
    ask_to_load(load, wire::CheckpointOrder::kPrepare, true, deadline);
  } catch (const Error&) {
    abort_load(load, std::min(deadline, std::chrono::steady_clock::now() + kFirstContactMax));
    throw;
  }
  return load;
}

void StorageManager::commit_load(const PreparedLoad& load, Deadline deadline) {
  ask_to_load(load, "", false, deadline);  // Python's know one phase; theirs may fail
  ask_to_load(load, wire::CheckpointOrder::kCommit, true, deadline);
}

void StorageManager::abort_load(const PreparedLoad& load, Deadline deadline) noexcept {
  try {
    ask_to_load(load, wire::CheckpointOrder::kAbort, true, deadline);
  } catch (const std::exception&) {
    // A unit forgets it by itself; the reason for giving up is what the caller is to hear.
  }
}

}  // namespace tq::manager
