// SPDX-License-Identifier: Apache-2.0
// Tutorial 3: metadata, the same story as Python's tutorial/03_metadata_concepts.py.
//
// A BatchMeta says of a batch what must be known before its data is there: which samples
// (global_indexes, partition_ids), what their fields look like (field_schema), whether they are
// produced, and what users attached to each sample (custom_meta) or to the batch (extra_info). It
// is a plain value, column by column, and cheap to cut, join and send about:
//
//   select_fields, select_samples, reorder, chunk   less of it, or in another order
//   concat                                          more samples of the same fields
//   merged_with (Python: union)                     more fields of the same samples
//
// Python's operations change the batch in part; here all give a new one.
//
//   build/release/bin/tutorial_03_metadata_concepts
#include <torch/torch.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "transfer_queue/client.h"
#include "transfer_queue/nodes.h"
#include "transfer_queue/torch.h"

namespace {

std::string joined(const auto& items) {
  std::ostringstream line;
  for (const auto& item : items) line << (line.tellp() == 0 ? "" : ", ") << item;
  return line.str();
}

std::string text(bool truth) { return truth ? "yes" : "no"; }

// A Value as these stories have them: a dict of text and numbers.
std::string text(const tq::Value& value) {
  if (const auto* map = value.get_if<tq::Map>()) {
    std::vector<std::string> entries;
    for (const auto& [name, entry] : *map) entries.push_back(text(name) + ": " + text(entry));
    return "{" + joined(entries) + "}";
  }
  if (const auto* number = value.get_if<int64_t>()) return std::to_string(*number);
  if (const auto* words = value.get_if<std::string>()) return *words;
  return std::string(value.kind_name());
}

// The schema of a field of dense rows. A dtype is a name of torch's, as Python would pickle it.
tq::FieldSchema int64_rows(int64_t length) {
  tq::FieldSchema schema;
  schema.dtype = tq::PyObject{tq::PyObject::Kind::kGlobal, "torch", "int64", {}, {}, {}, {}};
  schema.shape = tq::Shape{length};  // of ONE sample: there is no batch dimension
  schema.is_nested = false;      // true: rows of unlike shapes, which stand in per_sample_shapes
  schema.is_non_tensor = false;  // true: text and other Values
  return schema;
}

// A batch made by hand, of samples that are not produced yet. You will seldom do this: put and
// get_meta give you one.
tq::BatchMeta make_batch(std::vector<int64_t> global_indexes,
                         const std::vector<std::string>& fields) {
  tq::BatchMeta batch;
  batch.production_status.assign(global_indexes.size(), 0);
  batch.custom_meta.resize(global_indexes.size());
  batch.custom_backend_meta.resize(global_indexes.size());
  batch.partition_ids.assign(global_indexes.size(), "train_0");
  batch.global_indexes = std::move(global_indexes);
  for (const std::string& name : fields) {
    batch.field_schema.emplace_back(name, int64_rows(name == "responses" ? 128 : 512));
  }
  return batch;
}

void show_schema(const tq::BatchMeta& batch, const std::string& name) {
  const tq::FieldSchema& schema = *batch.find_field(name);
  std::cout << "  " << name << ": dtype " << schema.dtype.get_if<tq::PyObject>()->name << ", shape "
            << joined(*schema.shape) << ", nested " << text(*schema.is_nested) << ", non-tensor "
            << text(*schema.is_non_tensor) << "\n"
            << "  ready: " << text(batch.is_ready()) << "\n";
}

void schemas() {
  std::cout << "\nThe schema of a field\n";
  const tq::BatchMeta batch = make_batch({0, 1, 2}, {"input_ids"});
  show_schema(batch, "input_ids");
  show_schema(make_batch({0, 1, 2}, {"attention_mask"}), "attention_mask");

  tq::BatchMeta produced = make_batch({0, 1, 2}, {"input_ids", "attention_mask"});
  produced.production_status = {1, 1, 1};  // a batch is ready when all its samples are produced
  std::cout << "  produced, it is ready: " << text(produced.is_ready()) << "\n";

  const tq::SampleView sample = produced.sample(0);  // looks into the batch, copies nothing
  std::cout << "  sample " << sample.global_index() << " of " << sample.partition_id()
            << " has input_ids of shape " << joined(*sample.shape("input_ids")) << "\n";
}

// New fields with with_data_fields, and what users may attach.
tq::BatchMeta grow(const tq::BatchMeta& batch) {
  std::cout << "  1: samples " << joined(batch.global_indexes) << " with "
            << joined(batch.field_names()) << "; ready: " << text(batch.is_ready()) << "\n";

  const tq::BatchMeta more =
      batch.with_data_fields({{"responses", tq::to_column(torch::randint(0, 1000, {5, 128}))},
                              {"log_probs", tq::to_column(torch::randn({5, 128}))}});
  std::cout << "  2: with data for two fields it has " << joined(more.field_names())
            << "; ready: " << text(more.is_ready()) << "\n";

  std::vector<tq::Map> notes;
  for (int i = 0; i < 5; ++i) {
    notes.push_back({{"uid", "prompt@" + std::to_string(i)}, {"session_id", "session@0"}});
  }
  tq::BatchMeta noted = more.with_custom_meta(notes);   // sample by sample: kept by the controller
  noted.extra_info = {{"epoch", 1}, {"batch_idx", 0}};  // of the batch: travels with it alone
  std::cout << "  3: extra_info " << text(noted.extra_info) << ", custom_meta of the first sample "
            << text(noted.custom_meta[0]) << "\n";
  return noted;
}

void operations() {
  std::cout << "\nWhat can be done with a batch\n";
  const tq::BatchMeta batch = grow(make_batch({0, 1, 2, 3, 4}, {"input_ids", "attention_mask"}));

  std::cout << "  4: select_fields gives "
            << joined(batch.select_fields({"input_ids", "responses"}).field_names()) << "\n";
  std::cout << "  5: select_samples gives "
            << joined(batch.select_samples(std::vector<size_t>{0, 2, 4}).global_indexes) << "\n";
  std::cout << "  6: reorder gives "
            << joined(batch.reorder(std::vector<size_t>{4, 3, 2, 1, 0}).global_indexes) << "\n";

  const std::vector<std::string> fields = {"input_ids", "attention_mask", "responses"};
  for (const tq::BatchMeta& part : make_batch({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, fields).chunk(3)) {
    std::cout << "  7: a chunk of " << part.size() << ": " << joined(part.global_indexes) << "\n";
  }

  const std::vector<tq::BatchMeta> two = {make_batch({0, 1, 2}, fields),
                                          make_batch({3, 4, 5}, fields)};
  std::cout << "  8: concat gives " << joined(tq::BatchMeta::concat(two).global_indexes) << "\n";

  // Where both have a field, the other's schema stands.
  const tq::BatchMeta merged =
      make_batch({0, 1, 2}, {"input_ids", "attention_mask"})
          .merged_with(make_batch({0, 1, 2}, {"attention_mask", "responses"}));
  std::cout << "  9: merged_with gives " << joined(merged.field_names()) << " of "
            << joined(merged.global_indexes) << "\n";

  const tq::BatchMeta empty;
  std::cout << "  10: an empty one has size " << empty.size()
            << "; ready: " << text(empty.is_ready()) << "\n";
}

// The batch as other processes find it.
tq::BatchMeta fetch(tq::TransferQueueClient& client, const std::string& partition) {
  tq::GetMetaOptions task;
  task.task_name = "demo_task";  // which gets these samples once
  tq::BatchMeta meta = client.get_meta({"input_ids", "attention_mask"}, 8, partition, task);
  std::cout << "  3: fetched " << meta.size() << " samples: " << joined(meta.global_indexes)
            << " of " << meta.partition_of(0) << " with " << joined(meta.field_names()) << "\n";
  std::cout << "     the custom_meta of the first: " << text(meta.custom_meta[0]) << "\n";
  return meta;
}

void workflow(tq::TransferQueueClient& client) {
  std::cout << "\nA batch at work\n";
  const std::string partition = "demo_partition";
  const torch::Tensor input_ids = torch::randint(0, 1000, {8, 512});
  const tq::BatchMeta put = client.put({{"input_ids", tq::to_column(input_ids)},
                                        {"attention_mask", tq::to_column(torch::ones({8, 512}))}},
                                       partition);
  std::cout << "  1: put " << put.size() << " samples into " << partition << "\n";

  std::vector<tq::Map> notes;
  for (int i = 0; i < 8; ++i) {
    notes.push_back({{"uid", "prompt@" + std::to_string(i)}, {"model_version", 0}});
  }
  client.set_custom_meta(put.with_custom_meta(notes));  // from here on, anybody can read it
  std::cout << "  2: attached custom_meta to each\n";
  const tq::BatchMeta meta = fetch(client, partition);

  const tq::BatchMeta ids = meta.select_fields({"input_ids"});
  const tq::Batch data = client.get_data(ids, ids.field_names());
  std::cout << "  4: of " << joined(ids.global_indexes) << " only " << joined(ids.field_names())
            << ": got " << data.columns().size() << " field\n";

  const tq::BatchMeta even = meta.select_samples(std::vector<size_t>{0, 2, 4, 6});
  const torch::Tensor rows = tq::to_torch(client.get_data(even, {"input_ids"}).at("input_ids"));
  const bool same = torch::equal(rows, input_ids.slice(0, 0, 8, 2));
  std::cout << "  5: of " << even.size() << " samples: " << joined(even.global_indexes)
            << "; their rows are those that were put: " << text(same) << "\n";

  for (const tq::BatchMeta& part : meta.chunk(2)) {  // one for each of two trainers, say
    const tq::Batch rows_of_part = client.get_data(part, part.field_names());
    std::cout << "  6: a chunk of " << part.size() << ": " << joined(part.global_indexes)
              << "; got " << rows_of_part.size() << " rows\n";
  }
  client.clear_partition(partition);
}

}  // namespace

int main() {
  try {
    schemas();
    operations();
    tq::LocalNodes nodes({.storage_units = 2});
    tq::TransferQueueClient client(nodes.addresses());
    workflow(client);
  } catch (const std::exception& error) {
    std::cerr << "tutorial_03_metadata_concepts: " << error.what() << "\n";
    return 1;
  }
  std::cout << "\nThe end. Metadata says which samples, what fields, what state; the data follows "
               "when you ask.\n";
  return 0;
}
