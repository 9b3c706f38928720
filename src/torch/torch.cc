// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/torch.h"

#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

// No fmt here, nor a header that includes it: pip's libtorch ships one of its own, of another
// version than the rest of the program uses.
namespace tq {
namespace {

// The type of that name in libtorch's C++ API; Undefined where this libtorch is too old for it.
constexpr at::ScalarType torch_type(std::string_view name) {
#define TQ_TORCH_TYPE(ctype, type) \
  if (name == #type) return at::ScalarType::type;
  AT_FORALL_SCALAR_TYPES_WITH_COMPLEX_AND_QINTS(TQ_TORCH_TYPE)
#undef TQ_TORCH_TYPE
  return at::ScalarType::Undefined;
}

struct TypePair {
  DType dtype;
  at::ScalarType torch_type;
};

constexpr TypePair kTypes[] = {
    {DType::uint8, torch_type("Byte")},
    {DType::int8, torch_type("Char")},
    {DType::int16, torch_type("Short")},
    {DType::int32, torch_type("Int")},
    {DType::int64, torch_type("Long")},
    {DType::uint16, torch_type("UInt16")},
    {DType::uint32, torch_type("UInt32")},
    {DType::uint64, torch_type("UInt64")},
    {DType::float16, torch_type("Half")},
    {DType::bfloat16, torch_type("BFloat16")},
    {DType::float32, torch_type("Float")},
    {DType::float64, torch_type("Double")},
    {DType::complex32, torch_type("ComplexHalf")},
    {DType::complex64, torch_type("ComplexFloat")},
    {DType::complex128, torch_type("ComplexDouble")},
    {DType::boolean, torch_type("Bool")},
    {DType::float8_e4m3fn, torch_type("Float8_e4m3fn")},
    {DType::float8_e5m2, torch_type("Float8_e5m2")},
    {DType::float8_e4m3fnuz, torch_type("Float8_e4m3fnuz")},
    {DType::float8_e5m2fnuz, torch_type("Float8_e5m2fnuz")},
    {DType::float8_e8m0fnu, torch_type("Float8_e8m0fnu")},
    {DType::float4_e2m1fn_x2, torch_type("Float4_e2m1fn_x2")},
};

#define TQ_DTYPE(name, bytes) DType::name,
constexpr DType kDtypes[] = {
#include "transfer_queue/dtype.def"
};
#undef TQ_DTYPE
static_assert(std::size(kTypes) == std::size(kDtypes),
              "a dtype of the wire has no counterpart here");

template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(code, message.str());
}

DType dtype_of(at::ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.torch_type == type) return pair.dtype;
  }
  fail(ErrorCode::kUnsupported, "the protocol has no name for tensors of dtype ",
       at::toString(type), "; convert the tensor to another dtype");
}

at::ScalarType torch_type_of(DType dtype) {
  for (const TypePair& pair : kTypes) {
    if (pair.dtype == dtype && pair.torch_type != at::ScalarType::Undefined) return pair.torch_type;
  }
  fail(ErrorCode::kUnsupported, "libtorch ", TORCH_VERSION, " has no dtype ", dtype_name(dtype),
       "; a newer one has");
}

std::string text(at::IntArrayRef shape) {
  std::ostringstream stream;
  stream << shape;  // [2, 3]
  return stream.str();
}

// The first sentence of what libtorch says; the rest is advice to its own developers and a trace.
std::string first_sentence(const c10::Error& error) {
  const std::string words = error.what_without_backtrace();
  return words.substr(0, std::min(words.find('\n'), words.find(". ")));
}

void require_plain(const at::Tensor& tensor) {
  if (!tensor.defined()) fail(ErrorCode::kInvalidArgument, "the tensor is undefined");
  if (tensor.is_nested()) {
    fail(ErrorCode::kInvalidArgument,
         "a nested tensor is a column, not one tensor; use to_column, or its rows after unbind()");
  }
  if (tensor.layout() != at::kStrided) {
    fail(ErrorCode::kUnsupported, "a tensor of layout ", tensor.layout(),
         " cannot be put; call to_dense() first");
  }
  if (tensor.is_quantized()) {
    fail(ErrorCode::kUnsupported, "a quantized tensor cannot be put; call dequantize() first");
  }
  if (tensor.is_meta()) {
    fail(ErrorCode::kInvalidArgument, "the tensor of shape ", text(tensor.sizes()),
         " is on device meta, where it has no data to put");
  }
}

// Row-major on the host, with conjugates and signs that were lazy written out.
at::Tensor host_memory(const at::Tensor& tensor) {
  try {
    at::Tensor host = tensor.detach().resolve_conj().resolve_neg().to(at::kCPU).contiguous();
    if (host.numel() > 0 && host.data_ptr() == nullptr) host = host.clone();  // lazy zeros
    return host;
  } catch (const c10::Error& error) {
    fail(ErrorCode::kInvalidArgument, "the tensor on device ", tensor.device().str(),
         " cannot be copied to the host: ", first_sentence(error));
  }
}

// Whether dtype and shape say as many bytes as there are; a shape may be too large to multiply.
bool fits(const Tensor& tensor) {
  const Shape& shape = tensor.shape;
  if (std::any_of(shape.begin(), shape.end(), [](int64_t d) { return d < 0; })) return false;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return tensor.data.empty();
  uint64_t size_bytes = dtype_size(tensor.dtype);
  for (const int64_t dimension : shape) {
    const auto factor = static_cast<uint64_t>(dimension);
    if (__builtin_mul_overflow(size_bytes, factor, &size_bytes)) return false;
  }
  return tensor.data.size == size_bytes;
}

// libtorch's kernels rely on it; a complex number is a pair of its parts.
bool is_aligned(const std::byte* data, at::ScalarType type) {
  const size_t size = at::elementSize(type);
  const size_t alignment = at::isComplexType(type) ? size / 2 : size;
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

// Dimensions after the first, which all rows of a TorchJagged share.
Shape inner_shape(const JaggedTensor& jagged) {
  const Shape* first = nullptr;
  for (const Shape& shape : jagged.shapes) {
    if (shape.empty()) {
      fail(ErrorCode::kInvalidArgument,
           "the column has 0-d rows, which have no length; to_torch makes them one tensor");
    }
    if (first == nullptr) first = &shape;
    if (!std::equal(shape.begin() + 1, shape.end(), first->begin() + 1, first->end())) {
      fail(ErrorCode::kInvalidArgument, "the column has rows of shape ", text(*first), " and of ",
           text(shape), ", which differ not in their first dimension only; use row_to_torch");
    }
  }
  return first == nullptr ? Shape{} : Shape(first->begin() + 1, first->end());
}

// Offsets as int64 on the host, after all that can be wrong with them was checked.
std::vector<int64_t> checked_offsets(const TorchJagged& jagged) {
  require_plain(jagged.values);
  require_plain(jagged.offsets);
  if (jagged.values.dim() == 0) {
    fail(ErrorCode::kInvalidArgument, "the values are 0-d; rows of a length need a dimension");
  }
  const bool list = jagged.offsets.dim() == 1 && jagged.offsets.numel() > 0 &&
                    at::isIntegralType(jagged.offsets.scalar_type(), false);
  if (!list) {
    fail(ErrorCode::kInvalidArgument, "the offsets are ", jagged.offsets.scalar_type(),
         " of shape ", text(jagged.offsets.sizes()), "; N rows need N + 1 integers");
  }
  const at::Tensor host = host_memory(jagged.offsets).to(at::kLong);
  const auto* begin = static_cast<const int64_t*>(host.data_ptr());
  std::vector<int64_t> offsets(begin, begin + host.numel());
  const int64_t length = jagged.values.size(0);
  if (offsets.front() != 0 || offsets.back() != length ||
      !std::is_sorted(offsets.begin(), offsets.end())) {
    fail(ErrorCode::kInvalidArgument, "the offsets do not ascend from 0 to ", length,
         ", the length of the values");
  }
  return offsets;
}

}  // namespace

Tensor from_torch(const at::Tensor& tensor) {
  require_plain(tensor);
  const DType dtype = dtype_of(tensor.scalar_type());
  auto host = std::make_shared<const at::Tensor>(host_memory(tensor));
  const auto* data = static_cast<const std::byte*>(host->data_ptr());
  const at::IntArrayRef shape = host->sizes();
  const size_t size_bytes = host->nbytes();
  return {dtype, Shape(shape.begin(), shape.end()), Slice{data, size_bytes, std::move(host)}};
}

at::Tensor to_torch(const Tensor& tensor) {
  const at::ScalarType type = torch_type_of(tensor.dtype);
  if (!fits(tensor)) {
    fail(ErrorCode::kInvalidArgument, "a tensor of dtype ", dtype_name(tensor.dtype), " and shape ",
         text(tensor.shape), " does not fit its ", tensor.data.size, " bytes");
  }
  if (!tensor.data.empty() && is_aligned(tensor.data.data, type)) {
    // from_blob takes no const memory; the header says who may write.
    void* data = const_cast<std::byte*>(tensor.data.data);
    return at::from_blob(
        data, tensor.shape, [owner = tensor.data.owner](void*) {}, type);
  }
  at::Tensor copy = at::empty(tensor.shape, type);
  if (!tensor.data.empty()) std::memcpy(copy.data_ptr(), tensor.data.data, tensor.data.size);
  return copy;
}

Column to_column(const at::Tensor& tensor) {
  if (tensor.defined() && tensor.is_nested()) return rows_to_column(tensor.unbind());
  return Column::dense(from_torch(tensor));
}

Column rows_to_column(const std::vector<at::Tensor>& rows) {
  std::vector<Tensor> tensors;
  tensors.reserve(rows.size());
  for (const at::Tensor& row : rows) {
    try {
      tensors.push_back(from_torch(row));
    } catch (const Error& error) {
      fail(error.code(), "row ", tensors.size(), ": ", error.what());
    }
  }
  return Column::rows(std::move(tensors));
}

at::Tensor to_torch(const Column& column) { return to_torch(column.to_dense().tensor()); }

at::Tensor row_to_torch(const Column& column, size_t i) { return to_torch(column.row_tensor(i)); }

TorchJagged to_torch_jagged(const Column& column) {
  JaggedTensor jagged = column.to_jagged();
  const Shape inner = inner_shape(jagged);
  at::Tensor offsets = at::empty({static_cast<int64_t>(jagged.rows()) + 1}, at::kLong);
  auto* offset = static_cast<int64_t*>(offsets.data_ptr());
  *offset = 0;
  for (const Shape& shape : jagged.shapes) {
    offset[1] = offset[0] + shape[0];
    ++offset;
  }
  jagged.values.shape = {*offset};
  jagged.values.shape.insert(jagged.values.shape.end(), inner.begin(), inner.end());
  return {to_torch(jagged.values), std::move(offsets)};
}

Column jagged_to_column(const TorchJagged& jagged) {
  const std::vector<int64_t> offsets = checked_offsets(jagged);
  Tensor values = from_torch(jagged.values);
  const Shape inner(values.shape.begin() + 1, values.shape.end());
  JaggedTensor result;
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    result.shapes.push_back({offsets[i + 1] - offsets[i]});
    result.shapes.back().insert(result.shapes.back().end(), inner.begin(), inner.end());
  }
  for (const int64_t offset : offsets) result.offsets.push_back(offset * element_count(inner));
  values.shape = {element_count(values.shape)};
  result.values = std::move(values);
  return Column::jagged(std::move(result));
}

}  // namespace tq
