// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "transfer_queue/client.h"

/// The low-level functions without blocking, with a future or a callback:
///
///     std::future<tq::BatchMeta> meta =
///         tq::async_get_meta(client, {"ids"}, 8, "train", {.task_name = "train"});
///     tq::async_get_partition_list(client, [](tq::Result<std::vector<std::string>> names) { ...
///     });
///
/// Each runs on a thread of the client, which has as many as calls run at once: one that waits
/// holds up no other. Arguments are copied, payloads are shared. The future throws what the
/// function would have thrown. A callback is called once, on that thread, with the result or the
/// error; it must not throw and must not destroy the client. Throws Error(kUnavailable) when the
/// process may start no more threads; the call does not run then.
///
/// The client may be destroyed before its calls are done: its destructor waits for them. Those that
/// wait at the controller (get_meta with `wait`, kv_list_changes) end with Error(kUnavailable) and
/// have taken nothing, unless the controller answers in that moment; all others run to their end.
namespace tq {

/// Is given the result or the error, once, on a thread of the client. It must not throw and must
/// not destroy the client.
template <class T>
using Callback = std::function<void(Result<T>)>;

/// Any work of a client: `call` is given the client, and what it returns or throws is the future's.
template <class Call>
auto async(TransferQueueClient& client, Call call)
    -> std::future<std::invoke_result_t<Call&, TransferQueueClient&>>;
/// The same with a callback, of std::monostate where `call` returns nothing.
template <class Call, class T>
void async(TransferQueueClient& client, Call call, Callback<T> done);

namespace internal {

template <class Call>
auto result_of(Call& call, TransferQueueClient& client) {
  using T = std::invoke_result_t<Call&, TransferQueueClient&>;
  using Answer = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  try {
    if constexpr (std::is_void_v<T>) {
      call(client);
      return Result<Answer>(Answer());
    } else {
      return Result<Answer>(call(client));
    }
  } catch (const Error& error) {
    return Result<Answer>(error);
  } catch (const std::exception& error) {
    return Result<Answer>(Error(ErrorCode::kInternal, error.what()));
  }
}

/// Both forms of one function of a client. The last kOptional arguments may be left out with a
/// future; they are then what the function itself would take.
template <auto kFunction, size_t kOptional, class T, class... Args>
class AsyncCalls {
  using Arguments = std::tuple<std::decay_t<Args>...>;
  using Answer = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  /// With a future.
  std::future<T> operator()(TransferQueueClient& client, std::decay_t<Args>... args) const {
    return async(client, bound(Arguments(std::move(args)...)));
  }
  /// With a callback.
  void operator()(TransferQueueClient& client, std::decay_t<Args>... args,
                  Callback<Answer> done) const {
    async(client, bound(Arguments(std::move(args)...)), std::move(done));
  }
  /// With a future, the last arguments left out.
  template <class... Given>
  requires(sizeof...(Given) < sizeof...(Args) &&
           sizeof...(Given) + kOptional >= sizeof...(Args)) std::future<T>
  operator()(TransferQueueClient& client, Given&&... given) const {
    Arguments arguments{};
    set(arguments, std::index_sequence_for<Given...>(), std::forward<Given>(given)...);
    return async(client, bound(std::move(arguments)));
  }

 private:
  static auto bound(Arguments arguments) {
    return [arguments = std::move(arguments)](TransferQueueClient& client) -> T {
      return std::apply(
          [&](const auto&... args) -> T { return std::invoke(kFunction, client, args...); },
          arguments);
    };
  }
  template <size_t... kPlaces, class... Given>
  static void set(Arguments& arguments, std::index_sequence<kPlaces...>, Given&&... given) {
    ((std::get<kPlaces>(arguments) = std::forward<Given>(given)), ...);
  }
};

template <auto kFunction, size_t kOptional, class Signature = decltype(kFunction)>
class Async;
template <auto kFunction, size_t kOptional, class T, class... Args>
class Async<kFunction, kOptional, T (TransferQueueClient::*)(Args...)>
    : public AsyncCalls<kFunction, kOptional, T, Args...> {};
template <auto kFunction, size_t kOptional, class T, class... Args>
class Async<kFunction, kOptional, T (*)(TransferQueueClient&, Args...)>
    : public AsyncCalls<kFunction, kOptional, T, Args...> {};

inline constexpr auto kPutRows =
    static_cast<void (TransferQueueClient::*)(const Batch&, const BatchMeta&)>(
        &TransferQueueClient::put);
inline constexpr auto kPutNew =
    static_cast<BatchMeta (TransferQueueClient::*)(const Batch&, const std::string&)>(
        &TransferQueueClient::put);

struct AsyncPut : Async<kPutRows, 0>, Async<kPutNew, 0> {
  using Async<kPutRows, 0>::operator();
  using Async<kPutNew, 0>::operator();
};

}  // namespace internal

template <class Call>
auto async(TransferQueueClient& client, Call call)
    -> std::future<std::invoke_result_t<Call&, TransferQueueClient&>> {
  using T = std::invoke_result_t<Call&, TransferQueueClient&>;
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  client.run_async([&client, promise, call = std::move(call)]() mutable {
    try {
      if constexpr (std::is_void_v<T>) {
        call(client);
        promise->set_value();
      } else {
        promise->set_value(call(client));
      }
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  });
  return future;
}

template <class Call, class T>
void async(TransferQueueClient& client, Call call, Callback<T> done) {
  client.run_async([&client, call = std::move(call), done = std::move(done)]() mutable {
    done(internal::result_of(call, client));
  });
}

///@{
/// The member function of that name, with its arguments; those that it has a default for may be
/// left out with a future.
inline constexpr internal::Async<&TransferQueueClient::get_meta, 1> async_get_meta{};
inline constexpr internal::Async<&TransferQueueClient::get_consumption_status, 0>
    async_get_consumption_status{};
inline constexpr internal::Async<&TransferQueueClient::check_consumption_status, 0>
    async_check_consumption_status{};
inline constexpr internal::Async<&TransferQueueClient::get_production_status, 0>
    async_get_production_status{};
inline constexpr internal::Async<&TransferQueueClient::check_production_status, 0>
    async_check_production_status{};
inline constexpr internal::Async<&TransferQueueClient::reset_consumption, 1>
    async_reset_consumption{};
inline constexpr internal::Async<&TransferQueueClient::kv_retrieve_meta, 0>
    async_kv_retrieve_meta{};
inline constexpr internal::Async<&TransferQueueClient::kv_retrieve_keys, 0>
    async_kv_retrieve_keys{};
inline constexpr internal::Async<&TransferQueueClient::kv_list_changes, 2> async_kv_list_changes{};
inline constexpr internal::AsyncPut async_put{};  ///< with metadata, or by partition
inline constexpr internal::Async<&TransferQueueClient::get_data, 1> async_get_data{};
inline constexpr internal::Async<&TransferQueueClient::set_custom_meta, 0> async_set_custom_meta{};
inline constexpr internal::Async<&TransferQueueClient::clear_samples, 0> async_clear_samples{};
inline constexpr internal::Async<&TransferQueueClient::clear_partition, 0> async_clear_partition{};
inline constexpr internal::Async<&TransferQueueClient::get_partition_list, 0>
    async_get_partition_list{};
inline constexpr internal::Async<&TransferQueueClient::save_controller_checkpoint, 1>
    async_save_controller_checkpoint{};
inline constexpr internal::Async<&TransferQueueClient::load_controller_checkpoint, 1>
    async_load_controller_checkpoint{};
inline constexpr internal::Async<&TransferQueueClient::save_storage_checkpoint, 1>
    async_save_storage_checkpoint{};
inline constexpr internal::Async<&TransferQueueClient::load_storage_checkpoint, 1>
    async_load_storage_checkpoint{};
///@}

}  // namespace tq
