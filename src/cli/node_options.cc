// SPDX-License-Identifier: Apache-2.0
#include "cli/node_options.h"

#include <fmt/format.h>

#include "cli/sampler_option.h"
#include "cli/warm_memory.h"
#include "memory/block_cache.h"

namespace tq::cli {
namespace {

// CLI11's own checks let NaN pass and print their bounds with 300 digits.
CLI::Validator seconds() {
  constexpr double kSecondsMax = 1e9;
  return {[](const std::string& text) {
            double value = 0;
            const bool fits =
                CLI::detail::lexical_cast(text, value) && value >= 0 && value <= kSecondsMax;
            return fits ? std::string() : fmt::format("'{}' is no number of seconds", text);
          },
          ""};
}

template <class Count>
CLI::Validator positive(const char* unit) {
  return {[unit](const std::string& text) {
            Count value = 0;
            const bool fits = CLI::detail::lexical_cast(text, value) && value > 0;
            return fits ? std::string()
                        : fmt::format("'{}' is no positive number of {}", text, unit);
          },
          ""};
}

std::string advertised_host(const std::string& text) {
  const runtime::BindAddress address = runtime::BindAddress::parse(text);
  if (address.port != 0 || address.is_wildcard()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("--advertise {}: it must be one address without a port, the one that "
                            "peers connect to; a port is set with --bind ADDR:PORT",
                            text));
  }
  return address.host;
}

}  // namespace

void add_socket_options(CLI::App& command, NodeSettings& s) {
  command
      .add_option(
          "--bind", s.bind,
          "Where to listen: an IPv4 or IPv6 address, with :PORT for a fixed first port; the "
          "other sockets take the ports after it")
      ->capture_default_str()
      ->type_name("ADDR[:PORT]");
  command
      .add_option("--advertise", s.advertise,
                  "The IP address that peers are told, where it is not the one bound")
      ->type_name("ADDR");
  command.add_option("--backlog", s.backlog, "Connections that may wait to be accepted, a socket")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535))
      ->envname("TQ_STORAGE_ZMQ_BACKLOG");
  command
      .add_option("--keep-memory", s.keep_memory_bytes,
                  "Memory that an idle process keeps for the next large message, e.g. 1GiB: memory "
                  "taken afresh costs a transfer more than anything else")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("256MiB")
      ->type_name("BYTES")
      ->envname("TQ_KEEP_MEMORY");
  command
      .add_option("--warn-seconds", s.heavy.seconds,
                  "Log a warning for a request that takes this long, for others wait meanwhile")
      ->capture_default_str()
      ->check(seconds())
      ->type_name("SECONDS")
      ->envname("TQ_STORAGE_SLOW_REQUEST_SECONDS");
  command
      .add_option("--warn-payload-mib", s.heavy.payload_mib,
                  "Log a warning for a request of this many MiB, received and replied together; "
                  "none unless given")
      ->check(CLI::NonNegativeNumber)
      ->type_name("MIB")
      ->envname("TQ_STORAGE_LARGE_PAYLOAD_MB");
}

void add_controller_options(CLI::App& command, NodeSettings& s) {
  command.add_flag("--polling", s.controller.polling_mode,
                   "Answer a fetch without enough data at once, with an empty batch, instead of "
                   "letting it wait");
  command
      .add_option(
          "--sampler", s.sampler,
          "Which ready samples a fetch gets, with the arguments of Python's class: "
          "SequentialSampler, GRPOGroupNSampler,n_samples_per_prompt=N, RankAwareSampler or "
          "SeqlenBalancedSampler,n_samples_per_prompt=N,dp_size=N")
      ->capture_default_str()
      ->type_name("NAME[,ARGUMENT=NUMBER]...")
      ->envname("TQ_SAMPLER");
  command
      .add_option("--pre-alloc", s.controller.pre_alloc_samples,
                  "Samples a new partition reserves before any is produced, so that consumers know "
                  "how many to expect")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->envname("TQ_PRE_ALLOC_SAMPLE_NUM");
  command
      .add_option(
          "--metadata-timeout", s.controller.get_metadata_timeout_s,
          "Seconds a fetch may wait for data (the larger of this and --check-interval counts)")
      ->capture_default_str()
      ->check(seconds())
      ->envname("TQ_CONTROLLER_GET_METADATA_TIMEOUT");
  command
      .add_option("--check-interval", s.controller.check_interval_s,
                  "Seconds that upstream sleeps between two looks; here only a bound of the wait")
      ->capture_default_str()
      ->check(seconds())
      ->envname("TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL");
  command
      .add_option("--index-rest-seconds", s.controller.index_rest_s,
                  "How long a freed global index rests before it is given out again (old clients "
                  "free an index before its data)")
      ->capture_default_str()
      ->check(seconds());
}

void add_storage_options(CLI::App& command, NodeSettings& s) {
  command
      .add_option("--capacity", s.storage.capacity_samples,
                  "Most samples a unit holds; no bound unless given")
      ->check(positive<int64_t>("samples"))
      ->type_name("SAMPLES");
  command
      .add_option("--capacity-bytes", s.storage.capacity_bytes,
                  "Most payload bytes a unit holds, e.g. 8GiB; no bound unless given")
      ->transform(CLI::AsSizeValue(false))
      ->check(positive<int64_t>("bytes"))
      ->type_name("BYTES");
}

void add_metrics_options(CLI::App& command, NodeSettings& s) {
  command
      .add_option(
          "--metrics-port", s.metrics_port,
          "Serve /metrics for Prometheus, /healthz and /readyz over HTTP at this port, at "
          "the address of --bind; 0: a free one, named in the line 'ready'. Off unless given")
      ->check(CLI::Range(0, 65535))
      ->type_name("PORT")
      ->envname("TQ_METRICS_PORT");
  command
      .add_option("--metrics-timeout", s.metrics_timeout_s,
                  "Seconds that all storage units together may take to answer a scrape")
      ->capture_default_str()
      ->check(seconds())
      ->type_name("SECONDS")
      ->envname("TQ_METRICS_STORAGE_TIMEOUT");
}

runtime::NodeOptions to_node_options(const NodeSettings& s) {
  runtime::NodeOptions options;
  options.bind = runtime::BindAddress::parse(s.bind);
  options.backlog = s.backlog;
  options.heavy = s.heavy;
  options.when_idle = release_kept_memory;
  memory::set_kept_bytes(s.keep_memory_bytes);
  if (!s.advertise.empty()) {
    options.advertise = advertised_host(s.advertise);
  } else if (options.bind.is_wildcard()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("--bind {} listens on every address; say with --advertise ADDR which one "
                    "peers shall connect to",
                    s.bind));
  }
  return options;
}

std::unique_ptr<runtime::Node> start_controller(const NodeSettings& s,
                                                const runtime::NodeOptions& options) {
  controller::ControllerConfig config = s.controller;
  config.limits = options.limits;
  const std::vector<std::string> sockets = {
      "handshake_socket", "request_handle_socket",
      "data_status_update_socket",  // where clients up to 0.1.7 send NOTIFY_DATA_UPDATE
  };
  auto actor = std::make_unique<controller::Controller>(config, make_sampler(s.sampler));
  return std::make_unique<runtime::Node>(std::move(actor), ServerInfo::kControllerRole, sockets,
                                         options);
}

std::unique_ptr<runtime::Node> start_storage(const NodeSettings& s,
                                             const runtime::NodeOptions& options) {
  storage::StorageConfig config = s.storage;
  config.limits = options.limits;
  return std::make_unique<runtime::Node>(std::make_unique<storage::StorageUnit>(config),
                                         ServerInfo::kStorageRole,
                                         std::vector<std::string>{"put_get_socket"}, options);
}

std::unique_ptr<metrics::Exporter> start_exporter(const NodeSettings& s,
                                                  const runtime::NodeOptions& options,
                                                  std::vector<ServerInfo> nodes,
                                                  const std::filesystem::path& units_dir) {
  if (!s.metrics_port) return nullptr;
  metrics::ExporterOptions exporter;
  exporter.host = options.bind.host;
  exporter.port = *s.metrics_port;
  exporter.nodes = std::move(nodes);
  exporter.units_dir = units_dir;
  exporter.timeout = std::chrono::milliseconds(static_cast<int64_t>(s.metrics_timeout_s * 1000));
  return std::make_unique<metrics::Exporter>(std::move(exporter));
}

std::string metrics_note(const metrics::Exporter* exporter) {
  return exporter != nullptr ? fmt::format("; metrics at {}/metrics", exporter->url())
                             : std::string();
}

}  // namespace tq::cli
