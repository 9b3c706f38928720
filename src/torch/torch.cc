// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/torch.h"

#include <sstream>

namespace tq {
namespace {

constexpr std::pair<at::ScalarType, DType> kTypes[] = {
    {at::kByte, DType::uint8},
    {at::kChar, DType::int8},
    {at::kShort, DType::int16},
    {at::kInt, DType::int32},
    {at::kLong, DType::int64},
    {at::kUInt16, DType::uint16},
    {at::kUInt32, DType::uint32},
    {at::kUInt64, DType::uint64},
    {at::kHalf, DType::float16},
    {at::kBFloat16, DType::bfloat16},
    {at::kFloat, DType::float32},
    {at::kDouble, DType::float64},
    {at::kComplexHalf, DType::complex32},
    {at::kComplexFloat, DType::complex64},
    {at::kComplexDouble, DType::complex128},
    {at::kBool, DType::boolean},
    {at::kFloat8_e4m3fn, DType::float8_e4m3fn},
    {at::kFloat8_e5m2, DType::float8_e5m2},
    {at::kFloat8_e4m3fnuz, DType::float8_e4m3fnuz},
    {at::kFloat8_e5m2fnuz, DType::float8_e5m2fnuz},
};

DType dtype_of(const at::Tensor& tensor) {
  for (const auto& [torch_type, dtype] : kTypes) {
    if (torch_type == tensor.scalar_type()) return dtype;
  }
  std::ostringstream name;
  name << tensor.scalar_type();
  throw Error(ErrorCode::kUnsupported,
              "tensors of dtype " + name.str() + " cannot be put; convert it to another dtype");
}

at::ScalarType torch_type_of(DType dtype) {
  for (const auto& [torch_type, known] : kTypes) {
    if (known == dtype) return torch_type;
  }
  throw Error(ErrorCode::kUnsupported,
              "this libtorch has no dtype " + std::string(dtype_name(dtype)));
}

}  // namespace

Tensor from_torch(const at::Tensor& tensor) {
  if (tensor.layout() != at::kStrided || tensor.is_quantized()) {
    throw Error(ErrorCode::kUnsupported,
                "only dense tensors can be put; call to_dense() or dequantize() first");
  }
  const DType dtype = dtype_of(tensor);
  at::Tensor host = tensor.detach().resolve_conj().resolve_neg().to(at::kCPU).contiguous();
  Tensor result{dtype, Shape(host.sizes().begin(), host.sizes().end()), Slice{}};
  result.data.size = host.nbytes();
  result.data.data = static_cast<const std::byte*>(host.const_data_ptr());
  result.data.owner = std::make_shared<const at::Tensor>(std::move(host));
  return result;
}

at::Tensor to_torch(const Tensor& tensor) {
  const auto options = at::TensorOptions().dtype(torch_type_of(tensor.dtype));
  if (tensor.data.empty()) return at::empty(tensor.shape, options);
  // from_blob takes no const memory; the header says who may write.
  void* data = const_cast<std::byte*>(tensor.data.data);
  return at::from_blob(
      data, tensor.shape, [owner = tensor.data.owner](void*) {}, options);
}

Column to_column(const at::Tensor& tensor) { return Column::dense(from_torch(tensor)); }

Column to_column(const std::vector<at::Tensor>& rows) {
  std::vector<Tensor> tensors;
  tensors.reserve(rows.size());
  for (const at::Tensor& row : rows) tensors.push_back(from_torch(row));
  return Column::rows(std::move(tensors));
}

at::Tensor to_torch(const Column& column) { return to_torch(column.to_dense().tensor()); }

at::Tensor row_to_torch(const Column& column, size_t i) { return to_torch(column.row_tensor(i)); }

TorchJagged to_torch_jagged(const Column& column) {
  const JaggedTensor jagged = column.to_jagged();
  return {to_torch(jagged.values), at::tensor(jagged.offsets, at::kLong)};
}

}  // namespace tq
