// SPDX-License-Identifier: Apache-2.0
#include "cli/node_options.h"

#include <fmt/format.h>

#include "cli/limit_options.h"
#include "cli/python_sampler.h"
#include "cli/sampler_option.h"
#include "cli/warm_memory.h"
#include "memory/block_cache.h"
#include "nodes/start.h"
#include "runtime/curve_files.h"

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

checkpoint::RootPointer checkpoint_root(const std::string& folder) {
  if (folder.empty()) return nullptr;
  return std::make_shared<const checkpoint::Root>(folder);
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
  command
      .add_option("--allow", s.allow,
                  "Serve peers from these networks only, for instance 10.1.0.0/16; as often as "
                  "wanted. Who may connect anywhere can read and write all data: there is no "
                  "password")
      ->delimiter(',')
      ->type_name("NETWORK")
      ->envname("TQ_ALLOW");
  command
      .add_option("--curve-key", s.curve_key,
                  "The nodes' own secret key ('tq keygen'): serve clients with keys only, "
                  "encrypted. Clients of Python have none")
      ->type_name("FILE")
      ->envname("TQ_CURVE_KEY");
  command
      .add_option("--curve-clients", s.curve_clients,
                  "Who may connect then: a file with a public key a line, or a folder of .pub "
                  "files; who has the nodes' own key may too")
      ->type_name("FILE|DIR")
      ->envname("TQ_CURVE_CLIENTS");
  add_limit_option(command, s.limits);
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
      .add_option("--checkpoint-root", s.checkpoint_root,
                  "The folder below which clients may have this node save and load checkpoints; "
                  "none are saved or loaded unless given")
      ->type_name("DIR")
      ->envname("TQ_CHECKPOINT_ROOT");
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
      .add_option("--sampler", s.sampler,
                  "Which ready samples a fetch gets, with the arguments of Python's class: "
                  "SequentialSampler, GRPOGroupNSampler,n_samples_per_prompt=N, RankAwareSampler, "
                  "SeqlenBalancedSampler,n_samples_per_prompt=N,dp_size=N or "
                  "StreamingTokenBudgetSampler,n_samples_per_prompt=N,balance_unit_multiplier=N")
      ->capture_default_str()
      ->type_name("NAME[,ARGUMENT=NUMBER]...")
      ->check(sampler_problem)
      ->envname("TQ_SAMPLER");
  command
      .add_option("--sampler-socket", s.sampler_socket,
                  "Descriptor of a socket at whose other end a Python process runs samplers, for "
                  "launchers: REGISTER_SAMPLER then knows the name PythonSampler")
      ->check(CLI::NonNegativeNumber)
      ->type_name("DESCRIPTOR");
  command
      .add_option("--sampler-timeout-ms", s.sampler_timeout_ms,
                  "How long that process may take to choose a batch; others wait meanwhile")
      ->capture_default_str()
      ->check(CLI::Range(1, 600000))
      ->type_name("MS");
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
                  "Most payload bytes a unit holds in memory, e.g. 8GiB; no bound unless given")
      ->transform(CLI::AsSizeValue(false))
      ->check(positive<int64_t>("bytes"))
      ->type_name("BYTES");
  command
      .add_option("--ssd-path", s.storage.ssd.path,
                  "Folder on an SSD where units keep their large rows, in files that end with the "
                  "node; created if it is not there. All rows stay in memory unless given")
      ->type_name("DIR")
      ->envname("TQ_SSD_PATH");
  command
      .add_option("--ssd-threshold-bytes", s.storage.ssd.threshold_bytes,
                  "Which rows are large: those of this many bytes or more")
      ->transform(CLI::AsSizeValue(false))
      ->check(positive<uint64_t>("bytes"))
      ->default_str("1MiB")
      ->type_name("BYTES")
      ->envname("TQ_SSD_THRESHOLD_BYTES");
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
  runtime::NodeOptions options = nodes::listen_at(s.bind, s.advertise, "--bind", "--advertise");
  options.backlog = s.backlog;
  options.allowed = runtime::AllowedPeers::parse(s.allow);
  options.curve =
      runtime::node_curve({"--curve-key", s.curve_key}, {"--curve-clients", s.curve_clients});
  options.limits = s.limits;
  options.heavy = s.heavy;
  options.when_idle = release_kept_memory;
  memory::set_kept_bytes(s.keep_memory_bytes);
  return options;
}

std::unique_ptr<runtime::Node> start_controller(const NodeSettings& s,
                                                const runtime::NodeOptions& options) {
  controller::ControllerConfig config = s.controller;
  config.checkpoint_root = checkpoint_root(s.checkpoint_root);
  SamplerRegistry registry = SamplerRegistry::built_in();
  if (s.sampler_socket) {
    const std::chrono::milliseconds patience(s.sampler_timeout_ms);
    add_python_sampler(registry, std::make_shared<SamplerProcess>(*s.sampler_socket, patience));
  }
  return nodes::start_controller(config, options, make_sampler(s.sampler), std::move(registry));
}

std::unique_ptr<runtime::Node> start_storage(const NodeSettings& s,
                                             const runtime::NodeOptions& options) {
  storage::StorageConfig config = s.storage;
  config.checkpoint_root = checkpoint_root(s.checkpoint_root);
  return nodes::start_storage(config, options);
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
  exporter.curve = runtime::client_of(options.curve);
  exporter.units_dir = units_dir;
  exporter.timeout = std::chrono::milliseconds(static_cast<int64_t>(s.metrics_timeout_s * 1000));
  return std::make_unique<metrics::Exporter>(std::move(exporter));
}

std::string metrics_note(const metrics::Exporter* exporter) {
  return exporter != nullptr ? fmt::format("; metrics at {}/metrics", exporter->url())
                             : std::string();
}

}  // namespace tq::cli
