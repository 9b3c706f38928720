// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace tq::zmtp {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int number() const noexcept { return number_; }
  bool is_open() const noexcept { return number_ >= 0; }
  void close() noexcept;

 private:
  int number_ = -1;
};

/// An IP address; of IPv4 as IPv6 writes it (::ffff:a.b.c.d), so that there is one form.
using IpAddress = std::array<unsigned char, 16>;

/// A listening TCP socket, non-blocking as all sockets here.
struct Listener {
  Descriptor socket;
  int port = 0;
};

/// Listens on an IPv4 or IPv6 address; port 0 takes any that is free. An IPv6 wildcard takes IPv4
/// peers too. Throws Error(kUnavailable) with the system's reason.
Listener listen_on(const std::string& host, int port, int backlog);

/// A connection and who it is from.
struct Accepted {
  Descriptor socket;
  IpAddress peer;
};

/// The next connection; none when nobody waits or, with errno set, the process may open no more.
Accepted accept_from(const Listener& listener);

/// Begins to connect to "tcp://HOST:PORT". Does not block, but to look up the name of a host that
/// is no IP address; that nobody listens there is told when the socket is used. Throws
/// Error(kUnavailable) for an address that cannot be.
Descriptor connect_to(std::string_view endpoint);

}  // namespace tq::zmtp
