// SPDX-License-Identifier: Apache-2.0
#include "zmtp/tcp.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "transfer_queue/error.h"

namespace tq::zmtp {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

[[noreturn]] void fail(const std::string& reason) { throw Error(ErrorCode::kUnavailable, reason); }

Addresses resolve(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) fail(fmt::format("no address for '{}': {}", host, ::gai_strerror(error)));
  return {found, &::freeaddrinfo};
}

void set(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

void prepare(int socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);  // a peer whose machine died is noticed one day
}

Descriptor open_socket(const addrinfo& address) {
  Descriptor socket(
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open()) fail(std::strerror(errno));
  return socket;
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// HOST and PORT of "tcp://HOST:PORT"; the brackets of an IPv6 host are taken off.
std::pair<std::string, std::string> parts_of(std::string_view endpoint) {
  constexpr std::string_view kScheme = "tcp://";
  const size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kScheme) || colon < kScheme.size()) {
    fail(fmt::format("'{}' is not of the form tcp://HOST:PORT", endpoint));
  }
  std::string_view host = endpoint.substr(kScheme.size(), colon - kScheme.size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {std::string(host), std::string(endpoint.substr(colon + 1))};
}

}  // namespace

void Descriptor::close() noexcept {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Listener listen_on(const std::string& host, int port, int backlog) {
  const Addresses found = resolve(host, std::to_string(port), AI_PASSIVE | AI_NUMERICHOST);
  Listener listener{open_socket(*found), 0};
  const int socket = listener.socket.number();
  set(socket, SOL_SOCKET, SO_REUSEADDR, 1);  // a restarted node gets its port back at once
  if (found->ai_family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(socket, found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket, backlog) != 0) {
    fail(std::strerror(errno));
  }
  listener.port = port_of(socket);
  return listener;
}

Descriptor accept_from(const Listener& listener) {
  Descriptor socket(
      ::accept4(listener.socket.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.is_open()) prepare(socket.number());
  return socket;
}

Descriptor connect_to(std::string_view endpoint) {
  const auto [host, port] = parts_of(endpoint);
  const Addresses found = resolve(host, port, 0);
  Descriptor socket = open_socket(*found);
  prepare(socket.number());
  const int result = ::connect(socket.number(), found->ai_addr, found->ai_addrlen);
  if (result != 0 && errno != EINPROGRESS && errno != ECONNREFUSED && errno != EINTR) {
    fail(std::strerror(errno));
  }
  return socket;
}

}  // namespace tq::zmtp
