// SPDX-License-Identifier: Apache-2.0
#include "interop/client_waiting.h"

#include <chrono>
#include <map>

#include "interop/client_json.h"

namespace tq::test {
namespace {

using Client = std::unique_ptr<TransferQueueClient>;
using std::chrono::milliseconds;

milliseconds wait_of(const Json& c) { return milliseconds(c.value("wait_ms", int64_t{0})); }

Json json_of_changes(const KVChanges& changes) {
  Json changed = Json::array();
  for (const auto& [key, tag] : changes.changed) {
    changed.push_back(Json::array({key, canonical(tag)}));
  }
  return {{"revision", changes.revision},
          {"changed", std::move(changed)},
          {"removed", changes.removed},
          {"complete", changes.complete}};
}

Json changes(Client& client, const Json& c) {
  return json_of_changes(
      kv_list_changes(*client, c.at("partition"), c.value("since", ""), wait_of(c)));
}

/// One function by its blocking, its future or its callback form.
class Form {
 public:
  Form(TransferQueueClient& client, std::string via) : client_(client), via_(std::move(via)) {}

  template <class Call, class Async, class... Args>
  auto operator()(Call call, const Async& async_form, Args... args) const {
    using T = std::invoke_result_t<Call, TransferQueueClient&, Args...>;
    if (via_ == "future") return async_form(client_, args...).get();
    if (via_ == "callback") {
      Received<std::conditional_t<std::is_void_v<T>, std::monostate, T>> received;
      async_form(client_, args..., received.callback());
      if constexpr (std::is_void_v<T>) {
        received.wait();
        return;
      } else {
        return received.wait();
      }
    }
    return std::invoke(call, client_, args...);
  }

 private:
  TransferQueueClient& client_;
  const std::string via_;
};

Batch numbers(int64_t first, int64_t rows) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < rows; ++i) values.push_back(first + i);
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * 8);
  return {{"x", Column::dense({DType::int64, {rows}, Slice::copy_of(bytes)})}};
}

Json json_of_meta(const BatchMeta& meta) {
  return {{"global_indexes", meta.global_indexes}, {"ready", meta.is_ready()}};
}

// Every low-level function once, in the form that `via` names: what each gave.
Json every_function(Client& client, const Json& c) {
  using C = TransferQueueClient;
  using Names = std::vector<std::string>;
  using Keys = std::vector<std::optional<std::string>>;
  const Form form(*client, c.at("via"));
  const std::string p = c.at("partition");
  const Names x = {"x"};
  Json said = Json::array();
  const auto say = [&](const auto& value) { said.push_back(value); };
  const auto put_rows = [](C& k, const Batch& b, const BatchMeta& m) { k.put(b, m); };
  const auto put_new = [](C& k, const Batch& b, const std::string& name) { return k.put(b, name); };

  BatchMeta meta = form(&C::kv_retrieve_meta, async_kv_retrieve_meta, Names{"a", "b"}, p, true);
  say(json_of_meta(meta));
  form(put_rows, async_put, numbers(10, 2), meta);
  say(json_of_meta(form(put_new, async_put, numbers(20, 2), p)));
  say(form(&C::check_production_status, async_check_production_status, x, p));
  say(form(&C::get_production_status, async_get_production_status, x, p).produced);
  GetMetaOptions train;
  train.task_name = "train";
  train.wait = milliseconds(60'000);
  const BatchMeta got = form(&C::get_meta, async_get_meta, x, size_t{3}, p, train);
  say(json_of_meta(got));
  say(json_of(form(&C::get_data, async_get_data, got, x, GetForm::kContiguous)));
  say(form(&C::check_consumption_status, async_check_consumption_status, std::string("train"), p));
  say(form(&C::get_consumption_status, async_get_consumption_status, std::string("train"), p)
          .consumed);
  form(&C::reset_consumption, async_reset_consumption, p, std::optional<std::string>("train"));
  say(client->get_consumption_status("train", p).consumed);
  for (Value& tag : meta.custom_meta) tag = Map{{"score", 1}};
  form(&C::set_custom_meta, async_set_custom_meta, meta);
  const KVChanges listed =
      form(&C::kv_list_changes, async_kv_list_changes, p, std::string(), milliseconds(60'000));
  say(json_of_changes(listed).at("changed"));
  const Keys keys = form(&C::kv_retrieve_keys, async_kv_retrieve_keys,
                         std::vector<int64_t>(meta.global_indexes), p);
  for (const auto& key : keys) say(key.value_or("none"));
  form(&C::clear_samples, async_clear_samples, meta);
  say(form(&C::get_partition_list, async_get_partition_list));
  form(&C::clear_partition, async_clear_partition, p);
  say(client->get_partition_list());
  return said;
}

// The forms that leave arguments out, and one that fails.
Json short_forms(Client& client, const Json& c) {
  const std::string p = c.at("partition");
  const BatchMeta meta = async_put(*client, numbers(1, 2), p).get();
  const Batch got = async_get_data(*client, meta, std::vector<std::string>{"x"}).get();
  async_reset_consumption(*client, p).get();
  const KVChanges listed = async_kv_list_changes(*client, p).get();
  const size_t units =
      async(*client, [](TransferQueueClient& k) { return k.nodes().storage_units.size(); }).get();
  Received<std::monostate> failed;
  async_clear_partition(*client, "nowhere", failed.callback());
  Json error;
  try {
    failed.wait();
  } catch (const Error& caught) {
    error = json_of(caught);
  }
  return {{"rows", got.size()}, {"complete", listed.complete}, {"units", units}, {"error", error}};
}

// Calls that wait while others go on beside them; then the client is destroyed under those that
// wait.
Json end_while_waiting(Client& client, const Json& c) {
  const size_t count = c.at("calls");
  const std::string p = c.at("partition");
  GetMetaOptions options;
  options.task_name = "train";
  options.wait = milliseconds(3'600'000);
  std::vector<std::future<BatchMeta>> fetches;
  std::vector<std::future<KVChanges>> watches;
  for (size_t i = 0; i < count; ++i) {
    fetches.push_back(async_get_meta(*client, {"x"}, 5, p, options));
    watches.push_back(async_kv_list_changes(*client, "no partition", "", milliseconds(3'600'000)));
  }
  Received<BatchMeta> called_back;
  async_get_meta(*client, {"x"}, 5, p, options, called_back.callback());
  const size_t others = async_kv_list(*client).get().size();
  auto put = async_put(*client, numbers(0, 2), p);
  const auto start = std::chrono::steady_clock::now();
  client.reset();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::map<std::string, size_t> ends;
  const auto end = [&](auto&& wait) {
    try {
      wait();
      ++ends["answered"];
    } catch (const Error& error) {
      ++ends[python_name(error.code()) + std::string(": ") + error.what()];
    }
  };
  for (auto& fetch : fetches) end([&] { fetch.get(); });
  for (auto& watch : watches) end([&] { watch.get(); });
  end([&] { called_back.wait(); });
  return {{"others", others},
          {"put_rows", put.get().size()},
          {"ends", ends},
          {"destructor_seconds", took.count()}};
}

}  // namespace

ClientCommand find_waiting_command(const std::string& name) {
  static const std::map<std::string, ClientCommand> table = {
      {"changes", changes},
      {"every_function", every_function},
      {"short_forms", short_forms},
      {"end_while_waiting", end_while_waiting},
  };
  const auto found = table.find(name);
  return found != table.end() ? found->second : nullptr;
}

}  // namespace tq::test
