// SPDX-License-Identifier: Apache-2.0
// libtorch judges: what comes back must be equal to what went in by torch::equal, in dtype and in
// shape. No fmt here: pip's libtorch brings another one.
#include <link.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <filesystem>
#include <set>
#include <string>

#include "transfer_queue/kv.h"
#include "transfer_queue/torch.h"
#undef CHECK  // libtorch's own
#include "support/catch.h"
#include "support/up_nodes.h"

// What older ones lack is left out below.
#define TQ_LIBTORCH (TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR)

namespace tq::test {
namespace {

#define TQ_DTYPE(name, bytes) DType::name,
constexpr DType kAllDTypes[] = {
#include "transfer_queue/dtype.def"
};
#undef TQ_DTYPE

// Random bytes, which are 0 or 1 where a bool must be.
Tensor random_tensor(DType dtype, const Shape& shape) {
  const auto size = static_cast<int64_t>(dtype_size(dtype)) * element_count(shape);
  const at::Tensor bytes = torch::randint(dtype == DType::boolean ? 2 : 256, {size}, torch::kUInt8);
  Tensor tensor = from_torch(bytes);
  tensor.dtype = dtype;
  tensor.shape = shape;
  return tensor;
}

// Some kernels of torch::equal lack the rarer dtypes, and a NaN is unlike itself: bytes decide.
bool same(const at::Tensor& a, const at::Tensor& b) {
  const auto bytes = [](const at::Tensor& tensor) {
    at::Tensor flat = tensor.resolve_conj().contiguous().reshape({-1});
    return flat.numel() == 0 ? at::empty({0}, torch::kUInt8) : flat.view(torch::kUInt8);
  };
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         torch::equal(bytes(a), bytes(b));
}

at::Tensor there_and_back(const at::Tensor& tensor) { return to_torch(from_torch(tensor)); }

bool known_to_this_libtorch(DType dtype) {
  try {
    to_torch(Tensor{dtype, {0}, Slice{}});
    return true;
  } catch (const Error& error) {
    REQUIRE(error.code() == ErrorCode::kUnsupported);
    return false;
  }
}

template <class F>
std::string message_of(ErrorCode code, F&& call) {
  try {
    call();
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.code() == code);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  FAIL("no tq::Error was thrown");
  return {};
}

bool mentions(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

TEST_CASE("each dtype of the wire is libtorch's dtype of that name and comes back") {
  size_t known = 0;
  for (const DType dtype : kAllDTypes) {
    INFO(dtype_name(dtype));
    if (!known_to_this_libtorch(dtype)) continue;
    ++known;
    const Tensor tensor = random_tensor(dtype, {3, 5});
    const at::Tensor out = to_torch(tensor);
    CHECK(out.sizes() == at::IntArrayRef({3, 5}));
    CHECK(out.element_size() == static_cast<int64_t>(dtype_size(dtype)));
    const Tensor back = from_torch(out);
    CHECK(back.dtype == dtype);
    CHECK(back.shape == tensor.shape);
    CHECK(back.data.view() == tensor.data.view());
#if TQ_LIBTORCH >= 206
    CHECK(c10::getDtypeNames(out.scalar_type()).first == dtype_name(dtype));
#endif
  }
#if TQ_LIBTORCH >= 208
  CHECK(known == std::size(kAllDTypes));
#else
  CHECK(known >= 13);  // what libtorch 1.13 has
#endif
}

TEST_CASE("memory is shared where it can be, and outlives the tensor that it came from") {
  at::Tensor tensor = torch::arange(6, torch::kInt64).reshape({2, 3});
  const Tensor ours = from_torch(tensor);
  CHECK(static_cast<const void*>(ours.data.data) == tensor.data_ptr());
  const at::Tensor back = to_torch(ours);
  CHECK(back.data_ptr() == tensor.data_ptr());
  tensor = at::Tensor();
  CHECK(same(back, torch::arange(6, torch::kInt64).reshape({2, 3})));
}

TEST_CASE("a copy is taken of what is not row-major on the host, and its values are right") {
  const at::Tensor matrix = torch::arange(12.0).reshape({3, 4});
  CHECK(same(there_and_back(matrix.t()), matrix.t()));
  CHECK(same(there_and_back(matrix.slice(1, 1, 4, 2)), matrix.slice(1, 1, 4, 2)));
  CHECK(same(there_and_back(matrix[0].expand({5, 4})), matrix[0].expand({5, 4})));
  const at::Tensor image = torch::rand({2, 3, 4, 5}).contiguous(torch::MemoryFormat::ChannelsLast);
  CHECK(same(there_and_back(image), image));
  CHECK(same(there_and_back(at::_efficientzerotensor({2, 3})), torch::zeros({2, 3})));

  const at::Tensor complex = torch::complex(torch::rand({4}), torch::rand({4}));
  CHECK(torch::equal(there_and_back(complex.conj()), complex.conj()));
  CHECK(torch::equal(there_and_back(torch::imag(complex.conj())),
                     torch::imag(complex.conj())));             // lazy sign
  const at::Tensor negative = at::_neg_view(torch::rand({4}));  // contiguous, its signs lazy
  CHECK(torch::equal(there_and_back(negative), negative));
  const at::Tensor half = complex.to(torch::kComplexHalf);
  CHECK(same(there_and_back(half.conj()), half.conj().resolve_conj()));
}

TEST_CASE("gradients are left behind") {
  const at::Tensor weight = torch::rand({3}, torch::requires_grad());
  const at::Tensor back = there_and_back(weight * 2);
  CHECK_FALSE(back.requires_grad());
  CHECK(torch::equal(back, (weight * 2).detach()));
}

TEST_CASE("0-d and empty tensors come back as they were") {
  for (const at::Tensor& tensor :
       {torch::tensor(2.5), torch::tensor(true), torch::empty({0}), torch::empty({2, 0, 3}),
        torch::empty({0, 7}, torch::kInt8), torch::empty({1LL << 40, 1LL << 20, 0})}) {
    INFO(tensor.sizes());
    CHECK(same(there_and_back(tensor), tensor));
  }
}

TEST_CASE("misaligned memory, as a row inside a received message may be, is copied") {
  const at::Tensor source = torch::randint(256, {1 + 16 * 4}, torch::kUInt8);
  for (const DType dtype : {DType::int16, DType::float32, DType::float64, DType::complex128}) {
    Tensor tensor{dtype, {4}, Slice{}};
    tensor.data = from_torch(source).data.sub(1, 4 * dtype_size(dtype));
    const at::Tensor out = to_torch(tensor);
    INFO(dtype_name(dtype));
    CHECK(reinterpret_cast<uintptr_t>(out.data_ptr()) % dtype_size(dtype) == 0);
    CHECK(same(out.view(torch::kUInt8), source.slice(0, 1, 1 + 4 * dtype_size(dtype))));
  }
}

TEST_CASE("a tensor that cannot be put is refused in one sentence that says why") {
  const auto put = [](const at::Tensor& tensor) { return [tensor] { from_torch(tensor); }; };
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

  const at::Tensor meta = torch::empty({2, 3}, torch::device(torch::kMeta));
  const std::string on_meta = message_of(kInvalid, put(meta));
  CHECK(mentions(on_meta, "meta"));
  CHECK(mentions(on_meta, "[2, 3]"));
  CHECK(mentions(message_of(kInvalid, [&] { rows_to_column({torch::ones(1), meta}); }), "row 1"));

  CHECK(mentions(message_of(kInvalid, put({})), "undefined"));
  CHECK(mentions(message_of(kUnsupported, put(torch::eye(2).to_sparse())), "Sparse"));
  CHECK(mentions(message_of(kUnsupported, put(torch::eye(2).to_sparse_csr())), "SparseCsr"));
  const at::Tensor quantized = torch::quantize_per_tensor(torch::ones(2), 0.1, 0, torch::kQInt8);
  CHECK(mentions(message_of(kUnsupported, put(quantized)), "dequantize()"));
#if TQ_LIBTORCH >= 201
  CHECK(mentions(message_of(kUnsupported, put(torch::empty({2}, at::ScalarType::Bits8))), "Bits8"));
#endif
  CHECK(mentions(message_of(kInvalid, [] { to_column(torch::tensor(1)); }), "0-d"));
}

TEST_CASE("a tensor of ours whose bytes do not fit is refused") {
  const auto refuse = [](const Shape& shape, size_t size_bytes) {
    const Slice data = Slice::own(std::string(size_bytes, 'x'));
    const std::string message = message_of(ErrorCode::kInvalidArgument, [&] {
      to_torch(Tensor{DType::float32, shape, data});
    });
    CHECK(mentions(message, std::to_string(size_bytes) + " bytes"));
  };
  refuse({4}, 12);
  refuse({}, 12);
  refuse({-1, -3}, 12);
  refuse({1LL << 62, 4}, 0);  // 0 bytes modulo 2^64
  refuse({0, 3}, 12);
}

TEST_CASE("columns of like rows become one tensor, from where the rows lie") {
  const at::Tensor dense = torch::rand({4, 2, 3});
  CHECK(same(to_torch(to_column(dense)), dense));
  CHECK(same(row_to_torch(to_column(dense), 2), dense[2]));
  CHECK(same(to_torch(rows_to_column({dense[0], dense[1], dense[2], dense[3]})), dense));
  CHECK(same(to_torch(rows_to_column({torch::tensor(1.5), torch::tensor(2.5)})),
             torch::tensor({1.5, 2.5})));
  message_of(ErrorCode::kInvalidArgument, [] {
    to_torch(rows_to_column({torch::ones(2), torch::ones(3)}));
  });
  message_of(ErrorCode::kWrongType, [] { row_to_torch(Column::values({"text"}), 0); });
}

TEST_CASE("a nested tensor is a column of its tensors") {
  const std::vector<at::Tensor> rows = {torch::rand({2, 3}), torch::rand({4, 3})};
  const Column column = to_column(torch::nested::nested_tensor(rows));
  REQUIRE(column.size() == 2);
  CHECK(same(row_to_torch(column, 0), rows[0]));
  CHECK(same(row_to_torch(column, 1), rows[1]));
  message_of(ErrorCode::kInvalidArgument, [&] { from_torch(torch::nested::nested_tensor(rows)); });
}

TEST_CASE("rows of different lengths become values and offsets, and come back") {
  const std::vector<at::Tensor> rows = {torch::rand({3, 2}), torch::rand({0, 2}),
                                        torch::rand({1, 2})};
  const TorchJagged jagged = to_torch_jagged(rows_to_column(rows));
  CHECK(same(jagged.values, torch::cat(rows)));
  CHECK(torch::equal(jagged.offsets, torch::tensor({0, 3, 3, 4}, torch::kInt64)));

  for (const at::Tensor& offsets : {jagged.offsets, jagged.offsets.to(torch::kInt32)}) {
    const Column back = jagged_to_column({jagged.values, offsets});
    REQUIRE(back.kind() == Column::Kind::kJagged);
    REQUIRE(back.size() == rows.size());
    for (size_t i = 0; i < rows.size(); ++i) CHECK(same(row_to_torch(back, i), rows[i]));
  }
  const at::Tensor dense = torch::rand({2, 3});
  CHECK(same(to_torch_jagged(to_column(dense)).values, dense.reshape({6})));
  CHECK(
      torch::equal(to_torch_jagged(rows_to_column({})).offsets, torch::zeros({1}, torch::kInt64)));
}

TEST_CASE("what is not jagged is refused") {
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  const auto to = [](const std::vector<at::Tensor>& rows) {
    return [rows] { to_torch_jagged(rows_to_column(rows)); };
  };
  const std::string inner = message_of(kInvalid, to({torch::ones({1, 2}), torch::ones({1, 3})}));
  CHECK((mentions(inner, "[1, 2]") && mentions(inner, "[1, 3]")));
  CHECK(mentions(message_of(kInvalid, to({torch::tensor(1), torch::tensor(2)})), "0-d"));
  message_of(kInvalid, to({torch::ones(1), torch::ones(1, torch::kInt8)}));
  message_of(ErrorCode::kWrongType, [] { to_torch_jagged(Column::values({"text"})); });

  const at::Tensor values = torch::ones({4});
  for (const at::Tensor& offsets :
       {torch::tensor({0, 3}), torch::tensor({1, 4}), torch::tensor({0, 3, 2, 4}),
        torch::tensor({0.0, 4.0}), torch::tensor(4), torch::empty({0}, torch::kInt64)}) {
    INFO(offsets);
    message_of(kInvalid, [&] { jagged_to_column({values, offsets}); });
  }
  message_of(kInvalid, [] { jagged_to_column({torch::tensor(1), torch::tensor({0, 1})}); });
}

// The folders of the libtorch and libc10 libraries that this process runs with.
TEST_CASE("all of libtorch comes from one place") {
  std::multiset<std::string> names;
  std::set<std::string> folders;
  std::pair<std::multiset<std::string>*, std::set<std::string>*> found{&names, &folders};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        const std::filesystem::path file = info->dlpi_name;
        const std::string name = file.filename().string();
        if (name.rfind("libc10", 0) == 0 || name.rfind("libtorch", 0) == 0) {
          auto* sets = static_cast<decltype(found)*>(context);
          sets->first->insert(name.substr(0, name.find('.')));
          sets->second->insert(std::filesystem::canonical(file.parent_path()).string());
        }
        return 0;
      },
      &found);
  CHECK(names.count("libc10") == 1);
  CHECK(names.count("libtorch_cpu") == 1);
  CHECK(folders.size() == 1);
}

TEST_CASE("real nodes carry each libtorch dtype in each form of column") {
  UpNodes nodes(TQ_PROGRAM);
  {
    TransferQueueClient client(Nodes::read(nodes.folder()));
    const std::vector<std::string> keys = {"a", "b", "c"};
    Batch batch;
    for (const DType dtype : kAllDTypes) {
      if (!known_to_this_libtorch(dtype)) continue;
      const std::string name(dtype_name(dtype));
      batch.set(name, to_column(to_torch(random_tensor(dtype, {3, 2, 5}))));
      batch.set(name + " scalar", to_column(to_torch(random_tensor(dtype, {3}))));
      batch.set(name + " large", to_column(to_torch(random_tensor(dtype, {3, 20'000}))));
      batch.set(name + " ragged", rows_to_column({to_torch(random_tensor(dtype, {1, 3})),
                                                  to_torch(random_tensor(dtype, {4, 3})),
                                                  to_torch(random_tensor(dtype, {2, 3}))}));
    }
    kv_batch_put(client, keys, "train", batch);
    const Batch got = kv_batch_get(client, keys, "train");
    REQUIRE(got.columns().size() == batch.columns().size());
    for (const auto& [name, column] : batch.columns()) {
      INFO(name);
      const Column& back = got.at(name);
      REQUIRE(back.size() == keys.size());
      for (size_t i = 0; i < keys.size(); ++i) {
        CHECK(same(row_to_torch(back, i), row_to_torch(column, i)));
      }
      if (mentions(name, "ragged")) {
        CHECK(same(to_torch_jagged(back).values, to_torch_jagged(column).values));
      } else {
        CHECK(same(to_torch(back), to_torch(column)));
      }
    }
  }
  CHECK(nodes.stop() == 0);
}

}  // namespace
}  // namespace tq::test
