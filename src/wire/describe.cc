// SPDX-License-Identifier: Apache-2.0
#include "wire/describe.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "wire/messages.h"

namespace tq::wire {
namespace {

template <class T>
struct TypeName;
template <>
struct TypeName<bool> {
  static std::string get() { return "bool"; }
};
template <>
struct TypeName<int64_t> {
  static std::string get() { return "int"; }
};
template <>
struct TypeName<std::string> {
  static std::string get() { return "str"; }
};
template <>
struct TypeName<Value> {
  static std::string get() { return "any"; }
};
template <>
struct TypeName<Tensor> {
  static std::string get() { return "tensor"; }
};
template <>
struct TypeName<BatchMeta> {
  static std::string get() { return "BatchMeta"; }
};
template <>
struct TypeName<FieldUpdate> {
  static std::string get() { return "{dtype, shape, is_nested, is_non_tensor, per_sample_shapes}"; }
};
template <class T>
struct TypeName<std::optional<T>> {
  static std::string get() { return TypeName<T>::get() + " or nil"; }
};
template <class T>
struct TypeName<std::vector<T>> {
  static std::string get() { return fmt::format("[{}]", TypeName<T>::get()); }
};
template <class K, class V>
struct TypeName<std::vector<std::pair<K, V>>> {
  static std::string get() {
    return fmt::format("{{{}: {}}}", TypeName<K>::get(), TypeName<V>::get());
  }
};

struct FieldDescriber {
  std::string text;
  void add(const char* name, const char* mark, const std::string& type) {
    text += fmt::format("{}`{}{}: {}`", text.empty() ? "" : ", ", name, mark, type);
  }
  template <class T>
  void required(const char* name, const T&) {
    add(name, "", TypeName<T>::get());
  }
  template <class T>
  void optional(const char* name, const T&) {
    add(name, "?", TypeName<T>::get());
  }
};

struct TableWriter {
  std::string& out;
  template <class Message>
  void operator()() const {
    const Message message{};
    FieldDescriber fields;
    Message::fields(message, fields);
    out += fmt::format("| `{}` | {} |\n", Message::kType,
                       fields.text.empty() ? "(nothing)" : fields.text);
  }
};

template <class List>
void write_table(std::string& out, const char* title) {
  out += fmt::format("**{}**\n\n| type | body |\n|---|---|\n", title);
  List::for_each(TableWriter{out});
  out += "\n";
}

}  // namespace

std::string describe_messages() {
  std::string out;
  write_table<ControllerRequests>(out, "Requests to a controller");
  write_table<StorageRequests>(out, "Requests to a storage unit");
  write_table<Replies>(out, "Replies");
  return out;
}

}  // namespace tq::wire
