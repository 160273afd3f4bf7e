#include "net/api/metrics.h"

#include "core/base/assert.h"
#include "net/api/api_sealing.h"
#include "net/api/ready.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The longest line: a help text. */
enum { LINE_SIZE = 256 };

/*
 * Every family with one sample and no label: X(type, name, help, value), where the value is an
 * expression over `m`. Those with labels have a function each.
 */

/* Under the names that every program with a client library of Prometheus has. */
#define METRICS_PROCESS(X)                                                                  \
    X(counter, cpu_seconds_total, "Processor time of the process, user and system",         \
      (double)m->figures.process.cpu_us / 1e6)                                              \
    X(gauge, resident_memory_bytes, "Resident memory of the process",                       \
      m->figures.process.resident_bytes)                                                    \
    X(gauge, virtual_memory_bytes, "Virtual memory of the process",                         \
      m->figures.process.virtual_bytes)                                                     \
    X(gauge, open_fds, "Open file descriptors of the process", m->figures.process.open_fds) \
    X(gauge, max_fds, "Most file descriptors that the process may open",                    \
      m->figures.process.max_fds)                                                           \
    X(gauge, start_time_seconds, "When the process started, since the epoch",               \
      (double)m->figures.process_began_ms / 1e3)

#define METRICS_NODE(X)                                                                      \
    X(gauge, uptime_seconds, "Time since this node started", m->uptime_s)                    \
    X(gauge, ready, "1 when the node is ready, as /readyz says",                             \
      ready_against(m->status.unready, false) == 0 ? 1 : 0)                                  \
    X(gauge, loop_stall_max_seconds, "Longest turn of the event loop since the last scrape", \
      (double)m->figures.loop_stall_max_us / 1e6)                                            \
    X(gauge, loop_turn_cpu_max_seconds,                                                      \
      "Processor time of the longest turn since the last scrape",                            \
      (double)m->figures.loop_turn_cpu_max_us / 1e6)                                         \
    X(counter, log_lines_dropped_total, "Log lines lost because the log's reader was slow",  \
      m->figures.log_lines_dropped)

#define METRICS_STORAGE(X)                                                                       \
    X(gauge, storage_keys, "Live entries held", m->status.store.keys)                            \
    X(gauge, storage_shadows, "Remains of entries, kept to refuse older versions",               \
      m->status.store.shadows)                                                                   \
    X(gauge, storage_shadow_bytes, "Bytes that shadows take, of the storage's",                  \
      m->status.store.shadow_bytes)                                                              \
    X(gauge, storage_guards, "Live entries that refuse older versions beyond their own time",    \
      m->status.store.guards)                                                                    \
    X(gauge, storage_bytes, "Bytes of keys, values and bookkeeping", m->status.store.bytes_used) \
    X(gauge, storage_limit_bytes, "Bytes that storage may take", m->status.store.bytes_max)      \
    X(counter, entries_expired_total, "Entries freed at the end of their time to live",          \
      m->status.store.expired_total)

/* The first four are REPRAM v2's, under its names. */
#define METRICS_CLUSTER(X)                                                                      \
    X(gauge, peers_active, "Other members that are alive", m->status.alive)                     \
    X(counter, peer_evictions_total, "Members declared or learned dead",                        \
      m->status.counters.member_deaths)                                                         \
    X(counter, peer_joins_total, "Members seen for the first time",                             \
      m->status.counters.member_joins)                                                          \
    X(counter, ping_failures_total, "Failure detector probes without an answer",                \
      m->status.counters.probes_failed)                                                         \
    X(gauge, enclave_members, "Members of the enclave that a write counts, this node included", \
      m->status.enclave_members)                                                                \
    X(gauge, quorum_members, "Members that must hold a write before it is answered 201",        \
      m->status.quorum)                                                                         \
    X(gauge, has_quorum, "1 when linked with as many able members as the quorum needs",         \
      m->status.has_quorum ? 1 : 0)                                                             \
    X(gauge, puts_waiting, "Client writes that wait for their quorum", m->status.puts_waiting)  \
    X(gauge, clock_set, "1 when the node has the cluster's clock", m->status.has_clock ? 1 : 0) \
    X(gauge, clock_offset_seconds, "Cluster's clock minus this machine's at the node's start",  \
      (double)m->status.clock_offset_ms / 1e3)                                                  \
    X(gauge, clock_error_seconds, "Uncertainty of the cluster's clock on this node",            \
      m->status.clock_error_ms / 1e3)                                                           \
    X(gauge, clock_conflict_members, "Live members whose clock is more than a minute off",      \
      m->status.clock_conflicts)                                                                \
    X(counter, discovery_passes_total, "Passes over the discovery providers",                   \
      m->figures.discovery_passes)                                                              \
    X(counter, discovery_failures_total, "Discovery providers that gave no answer",             \
      m->figures.discovery_failures)

#define METRICS_TRAFFIC(X)                                                                      \
    X(gauge, links_up, "Peer links that are up", m->links.count)                                \
    X(gauge, links_queued_records, "Records waiting to be sent to peers", m->links.queued)      \
    X(gauge, links_unacked_records, "Records sent to peers and not acknowledged",               \
      m->links.unacked)                                                                         \
    X(counter, links_receive_bytes_total, "Bytes received over peer links",                     \
      m->figures.link_in_bytes)                                                                 \
    X(counter, links_transmit_bytes_total, "Bytes sent over peer links",                        \
      m->figures.link_out_bytes)                                                                \
    X(counter, udp_receive_bytes_total, "Bytes received in datagrams", m->figures.udp_in_bytes) \
    X(counter, udp_transmit_bytes_total, "Bytes sent in datagrams", m->figures.udp_out_bytes)

#define METRICS_HTTP(X)                                                                           \
    X(gauge, http_connections_open, "Client connections that are open",                           \
      m->figures.http.connections)                                                                \
    X(counter, http_connections_accepted_total, "Client connections accepted",                    \
      m->figures.http.connections_total)                                                          \
    X(counter, http_connections_refused_total, "Client connections refused at a limit",           \
      m->figures.http.connections_refused)                                                        \
    X(counter, http_requests_total, "Requests answered", m->figures.http.requests_total)          \
    X(counter, http_requests_malformed_total, "Requests refused as malformed",                    \
      m->figures.http.requests_malformed)                                                         \
    X(counter, http_requests_rate_limited_total, "Requests refused by the rate limit",            \
      m->figures.http.rate_limited)                                                               \
    X(counter, http_bodies_outpaced_total,                                                        \
      "Bodies ended because they came too slowly while others waited for room",                   \
      m->figures.http.bodies_outpaced)                                                            \
    X(counter, http_timeouts_total, "Connections closed because their client was slow",           \
      m->figures.http.timeouts)                                                                   \
    X(counter, http_receive_bytes_total, "Bytes received from clients", m->figures.http.bytes_in) \
    X(counter, http_transmit_bytes_total, "Bytes sent to clients", m->figures.http.bytes_out)

#define METRICS_TLS(X)                                                               \
    X(gauge, tls_certificate_expiry_seconds,                                         \
      "When the certificate of HTTPS expires, in seconds since 1970; 0 without one", \
      m->figures.tls_expiry_s)

#define METRICS_WATCH(X)                                                                           \
    X(gauge, watchers, "Clients that watch keys", m->watch.watchers)                               \
    X(gauge, watch_buffer_bytes, "Bytes of the events kept for watchers", m->watch.buffered_bytes) \
    X(counter, watch_events_total, "Changes recorded while somebody watched",                      \
      m->watch.events_total)                                                                       \
    X(counter, watch_resumed_total, "Watches that went on exactly where they were",                \
      m->watch.resumed_total)                                                                      \
    X(counter, watch_reset_total, "Watches that began with reset", m->watch.reset_total)           \
    X(counter, watchers_refused_total, "Watches refused at the limit", m->watch.refused_total)     \
    X(counter, watchers_cut_total, "Watchers that did not keep up", m->watch.cut_total)

/* All zero where there are no rules. */
#define METRICS_ACCESS(X)                                                                      \
    X(gauge, acl_users, "Users that the rules in force have", m->access.users)                 \
    X(counter, acl_reloads_total, "Times that new rules took the place of the old ones",       \
      m->access.reloads_total)                                                                 \
    X(counter, acl_reloads_failed_total,                                                       \
      "Times that the rules stayed as they were, for the "                                     \
      "new ones were no good",                                                                 \
      m->access.reloads_failed_total)                                                          \
    X(counter, acl_no_token_total, "Requests refused for want of a token",                     \
      m->access.refused_total[ACCESS_NO_TOKEN])                                                \
    X(counter, acl_bad_token_total, "Requests refused because their token is unknown or over", \
      m->access.refused_total[ACCESS_BAD_TOKEN])                                               \
    X(counter, acl_bad_token_limited_total, "The same, from an address that had too many",     \
      m->access.refused_total[ACCESS_LATER])                                                   \
    X(counter, acl_forbidden_total, "Requests refused because their user may not",             \
      m->access.refused_total[ACCESS_FORBIDDEN])

struct page {
    struct buf *out;
    enum metrics_format format;
    enum rc rc; /* sticky */
};

static void put_line(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_line(struct page *p, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (p->rc != RC_OK) {
        return;
    }
    p->rc = len < 0 || (size_t)len >= sizeof(line) ? RC_TOO_LONG
                                                   : buf_append(p->out, line, (size_t)len);
}

/* A sample's name may have a part more than its family's. */
static void put_family(struct page *p, const char *type, const char *space, const char *name,
                       const char *help)
{
    static const char total[] = "_total";
    const size_t len = strlen(name);
    const size_t cut =
        p->format == METRICS_OPEN && strcmp(type, "counter") == 0 ? sizeof(total) - 1 : 0;
    put_line(p, "# HELP %s_%.*s %s\n", space, (int)(len - cut), name, help);
    put_line(p, "# TYPE %s_%.*s %s\n", space, (int)(len - cut), name, type);
}

static void put_head(struct page *p, const char *type, const char *name, const char *help)
{
    put_family(p, type, "repram", name, help);
}

/* Whole numbers to the last digit as far as a double tells them apart, others to 15 digits. */
static void put_metric(struct page *p, const char *type, const char *space, const char *name,
                       const char *help, double value)
{
    static const double EXACT_MAX = 9007199254740992.0; /* 2^53 */
    put_family(p, type, space, name, help);
    const bool is_small = value < EXACT_MAX && value > -EXACT_MAX;
    const bool is_whole = is_small && (double)(int64_t)value == value;
    put_line(p, is_whole ? "%s_%s %.0f\n" : "%s_%s %.15g\n", space, name, value);
}

/* The samples of one histogram; `labels` stands in each of them, and ends with a comma unless it is
 * empty. */
static void put_histogram(struct page *p, const char *name, const char *labels,
                          const struct latency_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
        count += h->counts[i];
        put_line(p, "repram_%s_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels,
                 LATENCY_BOUND[i].text, count);
    }
    count += h->counts[LATENCY_BOUNDS];
    const bool has_labels = labels[0] != '\0';
    const int len = (int)strlen(labels) - (has_labels ? 1 : 0);
    const char *open = has_labels ? "{" : "";
    const char *close = has_labels ? "}" : "";
    put_line(p, "repram_%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
    put_line(p, "repram_%s_sum%s%.*s%s %.15g\n", name, open, len, labels, close,
             (double)h->sum_us / 1e6);
    put_line(p, "repram_%s_count%s%.*s%s %" PRIu64 "\n", name, open, len, labels, close, count);
}

static void put_request_times(struct page *p, struct http_text path, const char *method,
                              const struct latency_histogram *h)
{
    char labels[64];
    if (latency_count(h) > 0) {
        const int len = snprintf(labels, sizeof(labels), "route=\"%.*s\",method=\"%s\",",
                                 (int)path.len, path.data, method);
        ASSERT(len > 0 && (size_t)len < sizeof(labels));
        put_histogram(p, "http_request_duration_seconds", labels, h);
    }
}

/* A route and method that nobody has asked for yet has no samples. */
static void put_latency(struct page *p, const struct latency *l)
{
    static const char *const methods[LATENCY_METHODS] = {"GET", "HEAD", "PUT", "POST"};
    static const struct http_text other = {"other", sizeof("other") - 1};
    put_head(p, "histogram", "http_request_duration_seconds",
             "From when a request was there until its answer was made");
    for (size_t i = 0; i < l->route_count; i++) {
        for (size_t method = 0; method < LATENCY_METHODS; method++) {
            put_request_times(p, l->routes[i].path, methods[method],
                              &l->routes[i].by_method[method]);
        }
    }
    put_request_times(p, other, "other", &l->other);
    put_head(p, "histogram", "put_quorum_duration_seconds",
             "From when a write was there until its quorum held it");
    put_histogram(p, "put_quorum_duration_seconds", "", &l->quorum);
}

static void put_build_info(struct page *p, const char *version)
{
    put_head(p, "gauge", "build_info", "1, with the version as a label");
    put_line(p, "repram_build_info{version=\"%s\"} 1\n", version);
}

static void put_not_ready(struct page *p, uint32_t unready)
{
    put_head(p, "gauge", "not_ready", "1 for each reason why the node is not ready");
    for (size_t i = 0; i < READY_COUNT; i++) {
        put_line(p, "repram_not_ready{reason=\"%s\"} %d\n", READY_REASONS[i].name,
                 (unready & READY_REASONS[i].reason) != 0 ? 1 : 0);
    }
}

static void put_members(struct page *p, const struct engine_status *status)
{
    put_head(p, "gauge", "members", "Other members, by state");
    put_line(p, "repram_members{state=\"%s\"} %u\n", member_state_name(MEMBER_ALIVE),
             status->alive);
    put_line(p, "repram_members{state=\"%s\"} %u\n", member_state_name(MEMBER_SUSPECT),
             status->suspect);
    put_line(p, "repram_members{state=\"%s\"} %u\n", member_state_name(MEMBER_DEAD), status->dead);
    put_line(p, "repram_members{state=\"%s\"} %u\n", member_state_name(MEMBER_LEFT), status->left);
}

static void put_responses(struct page *p, const struct http_server_stats *http)
{
    put_head(p, "counter", "http_responses_total", "Answers given, by class of status");
    for (int class = 1; class <= 5; class ++) {
        put_line(p, "repram_http_responses_total{class=\"%dxx\"} %" PRIu64 "\n", class,
                 http->requests_by_class[class]);
    }
}

/* Live members by what they hold of this node's keys. */
static void put_sealing(struct page *p, const struct metrics *m)
{
    const struct sealing_status *s = &m->sealing;
    const uint32_t live = m->status.alive + m->status.suspect;
    const uint32_t others = s->lacking_first.count - s->cut_off.count;
    put_head(p, "counter", "seal_refused_total", "Datagrams that were not taken, by why");
    for (int i = 0; i < SEALING_REFUSED_KINDS; i++) {
        put_line(p, "repram_seal_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                 sealing_refusal_text((enum sealing_refusal)i), s->refused[i]);
    }
    put_head(p, "counter", "seal_packets_total",
             "Datagrams sent and received under each key of the ring, by the key's id");
    for (uint32_t i = 0; i < s->key_count; i++) {
        char id[KEYRING_ID_TEXT_SIZE];
        put_line(p, "repram_seal_packets_total{key=\"%s\"} %" PRIu64 "\n",
                 keyring_id_text(s->keys[i].id, id), s->keys[i].sent + s->keys[i].received);
    }
    put_head(p, "gauge", "seal_members",
             "Other live members, by whether they hold the ring's first key, another, or none");
    put_line(p, "repram_seal_members{key_state=\"first\"} %u\n", live - s->lacking_first.count);
    put_line(p, "repram_seal_members{key_state=\"other\"} %u\n", others);
    put_line(p, "repram_seal_members{key_state=\"none\"} %u\n", s->cut_off.count);
}

static void put_tls(struct page *p, const struct api_figures *figures)
{
    static const char *const kinds[TLS_KINDS] = {"other", "https", "link"};
    static const char *const results[HTTP_HANDSHAKE_RESULTS] = {"ok", "failed", "timeout",
                                                                "limited", "drained"};
    put_head(p, "counter", "tls_handshakes_total",
             "TLS handshakes that were answered, by what they asked for and what came of them");
    for (int kind = 0; kind < TLS_KINDS; kind++) {
        for (int result = 0; result < HTTP_HANDSHAKE_RESULTS; result++) {
            put_line(p, "repram_tls_handshakes_total{kind=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                     kinds[kind], results[result], figures->http.handshakes[kind][result]);
        }
    }
    put_head(p, "counter", "tls_reloads_total",
             "Certificates taken from their files, and files that were no good");
    put_line(p, "repram_tls_reloads_total{result=\"taken\"} %" PRIu64 "\n", figures->tls_taken);
    put_line(p, "repram_tls_reloads_total{result=\"refused\"} %" PRIu64 "\n", figures->tls_refused);
}

enum metrics_format metrics_format(const struct http_request *rq)
{
    const uint32_t open = http_weight(rq, "Accept", "application/openmetrics-text");
    return open > 0 && open >= http_weight(rq, "Accept", "text/plain") ? METRICS_OPEN
                                                                       : METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format format)
{
    return format == METRICS_OPEN ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                  : "text/plain; version=0.0.4; charset=utf-8";
}

enum rc metrics_write(const struct metrics *m, enum metrics_format format, struct buf *out)
{
    struct page p = {.out = out, .format = format, .rc = RC_OK};
#define PUT_PROCESS(type, name, help, value) \
    put_metric(&p, #type, "process", #name, help, (double)(value));
#define PUT_METRIC(type, name, help, value) \
    put_metric(&p, #type, "repram", #name, help, (double)(value));
#define PUT_COUNTER(name, help) \
    put_metric(&p, "counter", "repram", #name "_total", help, (double)m->status.counters.name);
    put_build_info(&p, m->version);
    METRICS_PROCESS(PUT_PROCESS)
    METRICS_NODE(PUT_METRIC)
    put_not_ready(&p, m->status.unready);
    METRICS_STORAGE(PUT_METRIC)
    METRICS_CLUSTER(PUT_METRIC)
    put_members(&p, &m->status);
    put_sealing(&p, m);
    METRICS_TRAFFIC(PUT_METRIC)
    METRICS_HTTP(PUT_METRIC)
    put_responses(&p, &m->figures.http);
    put_tls(&p, &m->figures);
    put_latency(&p, m->latency);
    METRICS_TLS(PUT_METRIC)
    METRICS_WATCH(PUT_METRIC)
    METRICS_ACCESS(PUT_METRIC)
    ENGINE_COUNTERS(PUT_COUNTER)
    if (format == METRICS_OPEN) {
        put_line(&p, "# EOF\n");
    }
#undef PUT_PROCESS
#undef PUT_METRIC
#undef PUT_COUNTER
    return p.rc;
}
