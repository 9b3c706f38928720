// SPDX-License-Identifier: Apache-2.0
#include "metrics/http_server.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstring>
#include <exception>
#include <string_view>

#include "transfer_queue/error.h"

namespace tq::metrics {
namespace {

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

void send(mg_connection* connection, const HttpAnswer& answer, bool with_body) {
  mg_printf(
      connection,
      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
      answer.status, reason_of(answer.status), answer.content_type.c_str(), answer.body.size());
  if (with_body) mg_write(connection, answer.body.data(), answer.body.size());
}

HttpAnswer make(const HttpServer::Pages& pages, const std::string& path) {
  const auto page = pages.find(path);
  if (page == pages.end()) {
    std::string known;
    for (const auto& [name, make_page] : pages) known += name + "\n";
    return {404, "text/plain; charset=utf-8", "there is no such page; there are\n" + known};
  }
  try {
    return page->second();
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", path, error.what());
    return {500, "text/plain; charset=utf-8", fmt::format("{}\n", error.what())};
  }
}

std::string listening_at(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace

int HttpServer::answer(mg_connection* connection, void* self) {
  const mg_request_info& request = *mg_get_request_info(connection);
  const std::string_view method = request.request_method;
  if (method != "GET" && method != "HEAD") {
    send(connection, {405, "text/plain; charset=utf-8", "only GET and HEAD are served\n"}, true);
    return 405;
  }
  const HttpAnswer answer =
      make(static_cast<HttpServer*>(self)->pages_, request.local_uri ? request.local_uri : "");
  send(connection, answer, method == "GET");
  return answer.status;
}

HttpServer::HttpServer(const std::string& host, int port, Pages pages) : pages_(std::move(pages)) {
  const std::string address = listening_at(host, port);
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "5000",
                           "enable_keep_alive",
                           "no",
                           nullptr};
  mg_callbacks callbacks{};
  // Its own words go into our log, not to a file.
  callbacks.log_message = [](const mg_connection*, const char* message) {
    spdlog::debug("http: {}", message);
    return 1;
  };
  std::array<char, 256> reason{};
  unsigned code = 0;
  mg_error_data error{&code, reason.data(), reason.size()};
  mg_init_data init{&callbacks, this, options};
  context_ = mg_start2(&init, &error);
  if (context_ == nullptr) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot serve metrics at {}: {}; is the port in use? choose another "
                            "with --metrics-port, 0 for a free one",
                            address, reason.data()));
  }
  mg_set_request_handler(context_, "**", &HttpServer::answer, this);
  std::array<mg_server_port, 1> ports{};
  if (mg_get_server_ports(context_, 1, ports.data()) > 0) port_ = ports[0].port;
}

HttpServer::~HttpServer() { mg_stop(context_); }

}  // namespace tq::metrics
