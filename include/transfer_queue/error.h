// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tq {

/// What kind of thing went wrong. Each kind names the Python exception that upstream raises for it,
/// because a Python client shows that name to its user.
enum class ErrorCode {
  kDecode,           ///< bytes that are no message of the protocol
  kInvalidArgument,  ///< ValueError: a value that cannot be served
  kMissingKey,       ///< KeyError: a body key that must be there
  kWrongType,        ///< TypeError: a body key of the wrong type
  kNotFound,         ///< KeyError: a row, key or partition that is not there
  kCapacity,         ///< MemoryError: a unit is full
  kLimit,            ///< ValueError: past one of wire/limits.h
  kTimeout,          ///< TimeoutError: waited as long as allowed
  kUnsupported,      ///< NotImplementedError: a part of the protocol that this node refuses
  kUnavailable,      ///< ConnectionError: a peer, port or folder that cannot be reached
  kInternal,         ///< RuntimeError: a defect of this program
};

/// The Python exception name of a code, e.g. "TimeoutError". Never fails.
const char* python_name(ErrorCode code) noexcept;

/// An error that a user reads: one sentence that names the key, field, unit or endpoint and says
/// what to do. Thrown inside an actor's handlers and by the public API; crosses no actor's loop.
class Error : public std::runtime_error {
 public:
  /// `message` is the sentence.
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  /// What kind of thing went wrong.
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// A put of which some units stored their rows and others did not, or may not have. No reader was
/// told of any of them; rows that were there before may hold the new values. Repeating the put is
/// safe.
class PartialPutError : public Error {
 public:
  /// `cause` is the first unit's error.
  PartialPutError(const Error& cause, std::vector<size_t> rows_not_stored)
      : Error(cause), rows_not_stored_(std::move(rows_not_stored)) {}
  /// Positions in the batch, ascending.
  const std::vector<size_t>& rows_not_stored() const noexcept { return rows_not_stored_; }

 private:
  std::vector<size_t> rows_not_stored_;
};

/// A value or an Error, for callers that must not throw (std::expected is not in g++ 12).
/// Not thread-safe; owns what it holds.
template <class T>
class Result {
 public:
  ///@{
  /// Either.
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  ///@}

  ///@{
  /// Whether there is a value.
  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  ///@}
  ///@{
  /// The value; throws the Error when there is none.
  T& value() & {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(state_);
  }
  T&& value() && { return std::move(value()); }
  T* operator->() { return &value(); }
  T& operator*() & { return value(); }
  ///@}
  /// The error; undefined when ok().
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace tq
