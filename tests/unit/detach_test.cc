// SPDX-License-Identifier: Apache-2.0
#include "controller/detach.h"

#include <memory>
#include <string>

#include "support/canonical.h"
#include "support/catch.h"

namespace tq::controller {
namespace {

TEST_CASE("detach: the same value, on memory of its own") {
  auto frame = std::make_shared<const std::string>(4096, 'x');
  const std::weak_ptr<const std::string> alive = frame;
  const wire::Slice whole{reinterpret_cast<const std::byte*>(frame->data()), frame->size(), frame};
  const wire::Tensor tensor{wire::DType::uint8, {2, 2}, whole.sub(8, 4)};
  const auto opaque = [&] { return wire::Opaque{1, whole.sub(100, 3)}; };
  wire::Value value(wire::Map{
      {"tensor", tensor},
      {"nested", wire::NestedTensor{true, {tensor, tensor}}},
      {"array", wire::NdArray{"uint8", {4}, whole.sub(0, 4)}},
      {opaque(), wire::Array{opaque(), wire::Tuple{{opaque()}}, wire::Set{{opaque()}, true}}},
      {7, wire::PyObject{wire::PyObject::Kind::kCall,
                         "m",
                         "n",
                         {opaque()},
                         {tensor},
                         {opaque()},
                         {{"k", tensor}}}},
      {"plain", wire::Array{wire::Value(), true, 1, 2.5, "text", wire::Bytes{"raw"}}},
  });
  frame.reset();

  const test::Json before = test::canonical(value);
  const wire::Value copy = detach(value);
  CHECK(test::canonical(copy) == before);
  REQUIRE_FALSE(alive.expired());
}

TEST_CASE("detach: the frame is free once the original is gone") {
  auto frame = std::make_shared<const std::string>(4096, 'x');
  const std::weak_ptr<const std::string> alive = frame;
  wire::Value copy;
  {
    const wire::Slice whole{reinterpret_cast<const std::byte*>(frame->data()), frame->size(),
                            std::move(frame)};
    const wire::Tensor tensor{wire::DType::uint8, {4}, whole.sub(8, 4)};
    const wire::Opaque opaque{1, whole.sub(20, 4)};
    copy =
        detach(wire::Map{
            {"a", wire::Array{
                      tensor, wire::NestedTensor{false, {tensor}}, opaque,
                      wire::NdArray{"uint8", {4}, whole.sub(0, 4)}, wire::Tuple{{opaque}},
                      wire::Set{{opaque}},
                      wire::PyObject{
                          wire::PyObject::Kind::kObject, "m", "n", {tensor}, {opaque}, {}, {}}}}});
  }
  CHECK(alive.expired());
  CHECK(copy.find("a")->get_if<wire::Array>()->at(0).get_if<wire::Tensor>()->data.view() == "xxxx");
}

}  // namespace
}  // namespace tq::controller
