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
#include <system_error>

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
  if (!socket.is_open()) fail(std::generic_category().message(errno));
  return socket;
}

sockaddr_storage own_address(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return address;
}

int port_of(int socket) {
  const sockaddr_storage address = own_address(socket);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

IpAddress ip_of(const sockaddr_storage& address) {
  IpAddress ip{};
  if (address.ss_family == AF_INET6) {
    std::memcpy(ip.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, ip.size());
  } else {
    ip[10] = ip[11] = 0xff;
    std::memcpy(ip.data() + 12, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  }
  return ip;
}

bool is_same_host(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family != AF_INET6) {
    return reinterpret_cast<const sockaddr_in&>(a).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(b).sin_addr.s_addr;
  }
  return std::memcmp(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr,
                     &reinterpret_cast<const sockaddr_in6&>(b).sin6_addr, sizeof(in6_addr)) == 0;
}

// Between two processes of one host the kernel's buffer need not hold what a network has under way.
// What it holds beyond the processor's cache, the receiver fetches from memory: up to a third of
// the bandwidth (docs/performance.md). For peers elsewhere the kernel knows best.
constexpr int kSendBufferBytes = 512 << 10;

// Nor is there a network whose rate must be found out: an algorithm that paces (bbr) sometimes
// settles on a third of what the machine can do. Reno, which every kernel has, does not pace.
constexpr std::string_view kNoPacing = "reno";

void tune_for_same_host(int socket, const sockaddr_storage& peer) {
  if (!is_same_host(own_address(socket), peer)) return;
  set(socket, SOL_SOCKET, SO_SNDBUF, kSendBufferBytes);
  ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, kNoPacing.data(), kNoPacing.size());
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
    fail(std::generic_category().message(errno));
  }
  listener.port = port_of(socket);
  return listener;
}

Accepted accept_from(const Listener& listener) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  Descriptor socket(::accept4(listener.socket.number(), reinterpret_cast<sockaddr*>(&peer), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) return {};
  prepare(socket.number());
  tune_for_same_host(socket.number(), peer);
  return {std::move(socket), ip_of(peer)};
}

Descriptor connect_to(std::string_view endpoint) {
  const auto [host, port] = parts_of(endpoint);
  const Addresses found = resolve(host, port, 0);
  Descriptor socket = open_socket(*found);
  prepare(socket.number());
  const int result = ::connect(socket.number(), found->ai_addr, found->ai_addrlen);
  if (result != 0 && errno != EINPROGRESS && errno != ECONNREFUSED && errno != EINTR) {
    fail(std::generic_category().message(errno));
  }
  sockaddr_storage peer{};
  std::memcpy(&peer, found->ai_addr, found->ai_addrlen);
  tune_for_same_host(socket.number(), peer);
  return socket;
}

}  // namespace tq::zmtp
