// SPDX-License-Identifier: Apache-2.0
// Each case was run with upstream's DataPartitionStatus (0.1.11): what it showed stands here,
// unless the case says that we differ.
#include "controller/field_metadata.h"

#include "support/catch.h"
#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

using Shapes = std::vector<std::optional<wire::Shape>>;

wire::Value torch_dtype(const std::string& name) {
  return wire::PyObject{wire::PyObject::Kind::kGlobal, "torch", name, {}, {}, {}, {}};
}

wire::FieldUpdate dense(wire::Shape shape, const std::string& dtype = "float32") {
  return {torch_dtype(dtype), std::move(shape), false, false, std::nullopt};
}

wire::FieldUpdate nested(std::vector<std::pair<int64_t, wire::Shape>> shapes) {
  return {torch_dtype("float32"), shapes.front().second, true, false, std::move(shapes)};
}

wire::FieldUpdate no_tensor() { return {{}, std::nullopt, false, true, std::nullopt}; }

wire::FieldSchema schema_of(const FieldMetadata& field) {
  static const std::vector<int64_t> batch = {0, 1, 2, 3};
  return field.to_batch_schema(batch);
}

void take(FieldMetadata& field, const wire::FieldUpdate& update, std::vector<int64_t> rows) {
  CHECK_FALSE(field.update(update, IndexSet(rows)).has_value());
}

void check_nested(const FieldMetadata& field, std::optional<wire::Shape> shape,
                  const Shapes& rows) {
  const wire::FieldSchema schema = schema_of(field);
  CHECK(schema.is_nested == true);
  CHECK(schema.shape == shape);
  REQUIRE(schema.per_sample_shapes.has_value());
  CHECK(*schema.per_sample_shapes == rows);
}

void check_dense(const FieldMetadata& field, std::optional<wire::Shape> shape, bool tuple) {
  const wire::FieldSchema schema = schema_of(field);
  CHECK(schema.is_nested == false);
  CHECK(schema.shape == shape);
  CHECK(schema.shape_is_tuple == tuple);
  CHECK_FALSE(schema.per_sample_shapes.has_value());
}

TEST_CASE("FieldMetadata: a field that comes nested keeps its first row's shape") {
  FieldMetadata field;
  take(field, nested({{0, {3}}, {1, {5}}}), {0, 1});
  check_nested(field, wire::Shape{3}, {{{3}}, {{5}}, std::nullopt, std::nullopt});
}

TEST_CASE("FieldMetadata: nested rows after dense ones, and dense after nested") {
  FieldMetadata field;
  take(field, dense({2}), {0, 1});
  check_dense(field, wire::Shape{2}, false);
  take(field, nested({{2, {3}}, {3, {4}}}), {2, 3});
  check_nested(field, std::nullopt, {{{2}}, {{2}}, {{3}}, {{4}}});

  FieldMetadata other;
  take(other, nested({{0, {3}}, {1, {4}}}), {0, 1});
  take(other, dense({7}), {2});
  check_nested(other, wire::Shape{3}, {{{3}}, {{4}}, {{7}}, std::nullopt});
}

TEST_CASE("FieldMetadata: dense rows of another shape make it nested, even the same rows anew") {
  FieldMetadata field;
  take(field, dense({2}), {0, 1});
  take(field, dense({4}), {2});
  check_nested(field, std::nullopt, {{{2}}, {{2}}, {{4}}, std::nullopt});

  FieldMetadata again;
  take(again, dense({2}), {0, 1});
  take(again, dense({4}), {0, 1});
  check_nested(again, std::nullopt, {{{4}}, {{4}}, std::nullopt, std::nullopt});
}

TEST_CASE("FieldMetadata: one shape left after a clear makes it dense, with a tuple") {
  FieldMetadata field;
  take(field, nested({{0, {3}}, {1, {4}}}), {0, 1});
  field.remove_samples(IndexSet({1}));
  check_dense(field, wire::Shape{3}, true);

  FieldMetadata uniform;  // any clear does, even of samples without the field
  take(uniform, nested({{0, {3}}, {1, {3}}}), {0, 1});
  check_nested(uniform, wire::Shape{3}, {{{3}}, {{3}}, std::nullopt, std::nullopt});
  uniform.remove_samples(IndexSet({77}));
  check_dense(uniform, wire::Shape{3}, true);
}

// Upstream compares its tuple with the list that came and takes them for two shapes.
TEST_CASE("FieldMetadata: a field that became dense stays so for rows of its shape (we differ)") {
  FieldMetadata field;
  take(field, nested({{0, {3}}, {1, {4}}}), {0, 1});
  field.remove_samples(IndexSet({1}));
  take(field, dense({3}), {2});
  check_dense(field, wire::Shape{3}, true);
  take(field, dense({9}), {3});
  check_nested(field, std::nullopt, {{{3}}, std::nullopt, {{3}}, {{9}}});
}

TEST_CASE("FieldMetadata: rows that are no tensors") {
  FieldMetadata field;
  take(field, no_tensor(), {0});
  CHECK(schema_of(field).dtype.is_nil());
  take(field, dense({2}), {1});
  check_dense(field, std::nullopt, false);
  CHECK(schema_of(field).is_non_tensor == true);
  CHECK_FALSE(schema_of(field).dtype.is_nil());

  FieldMetadata tensors;
  take(tensors, dense({2}), {0});
  take(tensors, no_tensor(), {1});
  check_dense(tensors, wire::Shape{2}, false);
  CHECK(schema_of(tensors).is_non_tensor == false);

  FieldMetadata ragged;
  take(ragged, nested({{0, {2}}}), {0});
  take(ragged, no_tensor(), {1});
  check_nested(ragged, wire::Shape{2}, {{{2}}, std::nullopt, std::nullopt, std::nullopt});
}

// Upstream fails an assertion here, after it has marked the rows as ready.
TEST_CASE("FieldMetadata: nested rows in a column of no tensors are taken in (we differ)") {
  FieldMetadata field;
  take(field, no_tensor(), {0});
  take(field, nested({{1, {2}}}), {1});
  check_nested(field, std::nullopt, {std::nullopt, {{2}}, std::nullopt, std::nullopt});
  CHECK(schema_of(field).is_non_tensor == true);
}

TEST_CASE("FieldMetadata: another dtype changes nothing, and the conflict says which") {
  FieldMetadata field;
  take(field, dense({2}), {0});
  const std::optional<std::string> conflict = field.update(dense({5}, "int64"), IndexSet({1}));
  REQUIRE(conflict.has_value());
  CHECK(conflict->find("torch.float32") != std::string::npos);
  CHECK(conflict->find("torch.int64") != std::string::npos);
  check_dense(field, wire::Shape{2}, false);
  field.remove_samples(IndexSet({0}));  // the row of the conflict was never one of its rows
  CHECK(field.empty());
}

TEST_CASE("FieldMetadata: dtypes that are no names compare by their bytes") {
  const auto opaque = [](const char* bytes) {
    return wire::Value(wire::Opaque{1, wire::Slice::copy_of(bytes)});
  };
  FieldMetadata field;
  wire::FieldUpdate update = dense({2});
  update.dtype = opaque("one");
  take(field, update, {0});
  take(field, update, {1});
  update.dtype = opaque("two");
  CHECK(field.update(update, IndexSet({2})).has_value());
  update.dtype = {};
  take(field, update, {2});
}

TEST_CASE("FieldMetadata: after its last sample everything is forgotten") {
  FieldMetadata field;
  take(field, dense({2}), {0});
  field.remove_samples(IndexSet({0}));
  CHECK(field.empty());
  take(field, dense({7}, "int64"), {1});
  check_dense(field, wire::Shape{7}, false);
}

TEST_CASE("FieldMetadata: an update of no rows changes nothing") {
  FieldMetadata field;
  take(field, dense({2}), {});
  CHECK(field.empty());
}

std::string refusal(const wire::FieldUpdate& update) {
  try {
    FieldMetadata::validate("age", update, IndexSet({0, 1}), wire::Limits{});
  } catch (const Error& error) {
    return error.what();
  }
  return "taken in";
}

TEST_CASE("FieldMetadata: what does not fit together is refused and named") {
  CHECK(refusal(dense({2})) == "taken in");
  CHECK(refusal(nested({{0, {3}}})) == "taken in");  // a row whose shape nobody tells
  CHECK(refusal(no_tensor()) == "taken in");
  wire::FieldUpdate update = dense({2});
  update.shape.reset();
  CHECK(refusal(update).find("age.shape") != std::string::npos);
  update = dense({2});
  update.is_nested = true;
  CHECK(refusal(update).find("age.per_sample_shapes") != std::string::npos);
  for (int64_t stranger : {int64_t{2}, int64_t{-1}, int64_t{1} << 60}) {
    CHECK(refusal(nested({{stranger, {3}}})).find(std::to_string(stranger)) != std::string::npos);
  }
  CHECK(refusal(dense(wire::Shape(65, 1))).find("65 dimensions") != std::string::npos);
  CHECK(refusal(nested({{0, wire::Shape(65, 1)}})).find("65 dimensions") != std::string::npos);
}

}  // namespace
}  // namespace tq::controller
