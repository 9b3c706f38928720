// SPDX-License-Identifier: Apache-2.0
// {"do": "save_checkpoint", "folder": DIR, "metadata": {...}, "deadline_ms": 10000} and so on.
#include "interop/client_checkpoint.h"

#include <map>

#include "interop/client_json.h"
#include "transfer_queue/checkpoint.h"

namespace tq::test {
namespace {

using Client = std::unique_ptr<TransferQueueClient>;

std::chrono::milliseconds deadline_of(const Json& c) {
  return std::chrono::milliseconds(c.value("deadline_ms", 30'000));
}

Json save_all(Client& client, const Json& c) {
  SaveCheckpointOptions options;
  if (c.contains("metadata")) options.metadata = *tag_from(c.at("metadata"));
  options.deadline = deadline_of(c);
  save_checkpoint(*client, c.at("folder").get<std::string>(), options);
  return nullptr;
}

Json load_all(Client& client, const Json& c) {
  return canonical(
      Value(load_checkpoint(*client, c.at("folder").get<std::string>(), deadline_of(c))));
}

Json save_controller(Client& client, const Json& c) {
  client->save_controller_checkpoint(c.at("path").get<std::string>(), deadline_of(c));
  return nullptr;
}

Json load_controller(Client& client, const Json& c) {
  client->load_controller_checkpoint(c.at("path").get<std::string>(), deadline_of(c));
  return nullptr;
}

Json save_storage(Client& client, const Json& c) {
  client->save_storage_checkpoint(c.at("path").get<std::string>(), deadline_of(c));
  return nullptr;
}

Json load_storage(Client& client, const Json& c) {
  client->load_storage_checkpoint(c.at("path").get<std::string>(), deadline_of(c));
  return nullptr;
}

}  // namespace

ClientCommand find_checkpoint_command(const std::string& name) {
  static const std::map<std::string, ClientCommand> table = {
      {"save_checkpoint", save_all},
      {"load_checkpoint", load_all},
      {"save_controller_checkpoint", save_controller},
      {"load_controller_checkpoint", load_controller},
      {"save_storage_checkpoint", save_storage},
      {"load_storage_checkpoint", load_storage},
  };
  const auto found = table.find(name);
  return found != table.end() ? found->second : nullptr;
}

}  // namespace tq::test
