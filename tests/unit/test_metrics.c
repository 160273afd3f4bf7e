/* What the page of metrics shows. (How it is written: test_metrics_page.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics_rig.h"

static void values_are_in_base_units(void **state)
{
    const struct page *p = *state;
    assert_line(p, "\nrepram_build_info{version=\"1.2.3\"} 1\n");
    assert_line(p, "\nrepram_uptime_seconds 61.5\n");
    assert_line(p, "\nprocess_cpu_seconds_total 0.25\n");
    assert_line(p, "\nrepram_clock_offset_seconds -1.5\n");
    assert_line(p, "\nrepram_puts_total 4503599627370496\n");
    assert_line(p, "\nrepram_storage_limit_bytes 1099511627776\n");
    assert_line(p, "\nrepram_http_responses_total{class=\"4xx\"} 5\n");
    assert_line(p, "\nrepram_links_queued_records 6\n");
}

static void members_and_answers_have_a_line_for_each_state_and_class(void **state)
{
    const struct page *p = *state;
    assert_line(p, "\n# HELP repram_members Other members, by state\n"
                   "# TYPE repram_members gauge\n"
                   "repram_members{state=\"alive\"} 2\n"
                   "repram_members{state=\"suspect\"} 11\n"
                   "repram_members{state=\"dead\"} 12\n"
                   "repram_members{state=\"left\"} 13\n#");
    assert_line(p, "\n# TYPE repram_http_responses_total counter\n"
                   "repram_http_responses_total{class=\"1xx\"} 2\n"
                   "repram_http_responses_total{class=\"2xx\"} 3\n"
                   "repram_http_responses_total{class=\"3xx\"} 4\n"
                   "repram_http_responses_total{class=\"4xx\"} 5\n"
                   "repram_http_responses_total{class=\"5xx\"} 6\n#");
}

static void sealing_has_a_line_for_each_reason_key_and_holder(void **state)
{
    const struct page *p = *state;
    assert_line(p, "\nrepram_seal_refused_total{reason=\"forged\"} 0\n");
    assert_line(p, "\nrepram_seal_refused_total{reason=\"replay\"} 9\n");
    assert_line(p, "\nrepram_seal_packets_total{key=\"3fa2\"} 42\n"
                   "repram_seal_packets_total{key=\"open\"} 7\n#");
    assert_line(p, "\nrepram_seal_members{key_state=\"first\"} 10\n"
                   "repram_seal_members{key_state=\"other\"} 2\n"
                   "repram_seal_members{key_state=\"none\"} 1\n#");
}

static void the_page_says_whether_and_why_the_node_is_not_ready(void **state)
{
    const struct page *p = *state;
    assert_line(p, "\nrepram_ready 0\n");
    assert_line(p, "\nrepram_not_ready{reason=\"joining\"} 1\n");
    assert_line(p, "\nrepram_not_ready{reason=\"draining\"} 0\n");
}

static void a_full_node_is_ready_on_the_page_and_has_the_reason(void **state)
{
    (void)state;
    struct metrics m = example();
    struct page p = {.family_count = 0};
    m.status.unready = READY_FULL;
    buf_init(&p.buf, PAGE_MAX);
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &p.buf), RC_OK);
    assert_int_equal(buf_append(&p.buf, "", 1), RC_OK);
    assert_line(&p, "\nrepram_ready 1\n");
    assert_line(&p, "\nrepram_not_ready{reason=\"storage_full\"} 1\n");
    buf_fini(&p.buf);
}

static void the_four_peer_metrics_of_v2_keep_their_names(void **state)
{
    const struct page *p = *state;
    assert_line(p, "\nrepram_peers_active 2\n");
    assert_line(p, "\nrepram_peer_evictions_total 3\n");
    assert_line(p, "\nrepram_peer_joins_total 0\n");
    assert_line(p, "\nrepram_ping_failures_total 0\n");
}

static void every_family_is_told_once_with_samples_and_a_fitting_name(void **state)
{
    const struct page *p = *state;
    for (size_t i = 0; i < p->family_count; i++) {
        const struct family *f = &p->families[i];
        /* A request that nobody has made is no sample. */
        assert_int_equal(f->samples > 0,
                         strcmp(f->name, "repram_http_request_duration_seconds") != 0);
        assert_true(strncmp(f->name, "repram_", 7) == 0 || strncmp(f->name, "process_", 8) == 0);
        const size_t len = strlen(f->name);
        const bool has_total = len > 6 && strcmp(f->name + len - 6, "_total") == 0;
        assert_int_equal(has_total, strcmp(f->type, "counter") == 0);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(f->name, p->families[j].name);
        }
    }
}

static const struct http_server_stats numbered_http = {
    .connections = 119,
    .connections_total = 120,
    .connections_refused = 121,
    .requests_total = 122,
    .requests_by_class = {0, 123, 124, 125, 126, 127},
    .requests_malformed = 128,
    .rate_limited = 129,
    .timeouts = 130,
    .bodies_outpaced = 180,
    .bytes_in = 131,
    .bytes_out = 132,
    .handshakes = {
        {184, 185, 186, 187, 208}, {188, 189, 190, 191, 209}, {192, 193, 194, 195, 210}}};

/* Each figure has a number of its own. */
static const struct access_stats numbered_access = {{193, 194, 195, 196}, 191, 192, 190, 0, 0};

static const struct engine_status numbered_status = {
    .unready = 0,
    .alive = 102,
    .suspect = 103,
    .dead = 104,
    .left = 105,
    .enclave_members = 106,
    .quorum = 107,
    .has_quorum = true,
    .has_clock = true,
    .clock_offset_ms = 108000,
    .clock_error_ms = 109000,
    .clock_conflicts = 110,
    .puts_waiting = 111,
    .store = {.keys = 112,
              .shadows = 113,
              .shadow_bytes = 114,
              .guards = 115,
              .bytes_used = 116,
              .bytes_max = 117,
              .expired_total = 118},
};

static struct metrics numbered(void)
{
    struct metrics m = {.version = "1.2.3", .uptime_s = 101, .access = numbered_access};
    m.status = numbered_status;
    const struct api_figures figures = {
        .http = numbered_http,
        .process = {.resident_bytes = 133,
                    .cpu_us = 134000000,
                    .open_fds = 135,
                    .virtual_bytes = 181,
                    .max_fds = 182},
        .process_began_ms = 183000,
        .loop_stall_max_us = 136000000,
        .loop_turn_cpu_max_us = 137000000,
        .discovery_passes = 138,
        .discovery_failures = 139,
        .log_lines_dropped = 140,
        .udp_in_bytes = 141,
        .udp_out_bytes = 142,
        .link_in_bytes = 143,
        .link_out_bytes = 144,
    };
    m.figures = figures;
    m.figures.tls_expiry_s = 196;
    m.figures.tls_taken = 197;
    m.figures.tls_refused = 198;
    m.latency = &no_latency;
    m.links = (struct metrics_links){.count = 145, .unacked = 146, .queued = 147};
    m.watch = (struct watch_stats){.watchers = 148,
                                   .events_total = 149,
                                   .resumed_total = 150,
                                   .reset_total = 151,
                                   .refused_total = 152,
                                   .cut_total = 153,
                                   .buffered_bytes = 154};
    uint64_t next = 1000;
#define NUMBER_COUNTER(name, help) m.status.counters.name = next++;
    ENGINE_COUNTERS(NUMBER_COUNTER)
#undef NUMBER_COUNTER
    m.sealing = (struct sealing_status){
        .key_count = 2,
        .keys = {{.id = 1, .sent = 100, .received = 106}, {.id = KEYRING_ID_OPEN, .sent = 207}},
        .lacking_first = {.count = 35},
        .cut_off = {.count = 13},
    };
    for (unsigned i = 0; i < SEALING_REFUSED_KINDS; i++) {
        m.sealing.refused[i] = 200 + i;
    }
    return m;
}

/* A sample of the page; those of the engine's counters stand in their own table. */
static const struct {
    const char *sample;
    uint64_t value;
} expected[] = {
    {"repram_build_info{version=\"1.2.3\"}", 1},
    {"repram_uptime_seconds", 101},
    {"repram_ready", 1},
    {"process_resident_memory_bytes", 133},
    {"process_virtual_memory_bytes", 181},
    {"process_cpu_seconds_total", 134},
    {"process_open_fds", 135},
    {"process_max_fds", 182},
    {"process_start_time_seconds", 183},
    {"repram_loop_stall_max_seconds", 136},
    {"repram_loop_turn_cpu_max_seconds", 137},
    {"repram_log_lines_dropped_total", 140},
    {"repram_storage_keys", 112},
    {"repram_storage_shadows", 113},
    {"repram_storage_shadow_bytes", 114},
    {"repram_storage_guards", 115},
    {"repram_storage_bytes", 116},
    {"repram_storage_limit_bytes", 117},
    {"repram_entries_expired_total", 118},
    {"repram_peers_active", 102},
    {"repram_enclave_members", 106},
    {"repram_quorum_members", 107},
    {"repram_has_quorum", 1},
    {"repram_puts_waiting", 111},
    {"repram_clock_set", 1},
    {"repram_clock_offset_seconds", 108},
    {"repram_clock_error_seconds", 109},
    {"repram_clock_conflict_members", 110},
    {"repram_discovery_passes_total", 138},
    {"repram_discovery_failures_total", 139},
    {"repram_members{state=\"alive\"}", 102},
    {"repram_members{state=\"suspect\"}", 103},
    {"repram_members{state=\"dead\"}", 104},
    {"repram_members{state=\"left\"}", 105},
    {"repram_seal_refused_total{reason=\"open\"}", 200},
    {"repram_seal_refused_total{reason=\"unknown_key\"}", 201},
    {"repram_seal_refused_total{reason=\"no_sender\"}", 202},
    {"repram_seal_refused_total{reason=\"replay\"}", 203},
    {"repram_seal_refused_total{reason=\"forged\"}", 204},
    {"repram_seal_refused_total{reason=\"budget\"}", 205},
    {"repram_seal_packets_total{key=\"0001\"}", 206},
    {"repram_seal_packets_total{key=\"open\"}", 207},
    {"repram_seal_members{key_state=\"first\"}", 170},
    {"repram_seal_members{key_state=\"other\"}", 22},
    {"repram_seal_members{key_state=\"none\"}", 13},
    {"repram_links_up", 145},
    {"repram_links_queued_records", 147},
    {"repram_links_unacked_records", 146},
    {"repram_links_receive_bytes_total", 143},
    {"repram_links_transmit_bytes_total", 144},
    {"repram_udp_receive_bytes_total", 141},
    {"repram_udp_transmit_bytes_total", 142},
    {"repram_http_connections_open", 119},
    {"repram_http_connections_accepted_total", 120},
    {"repram_http_connections_refused_total", 121},
    {"repram_http_requests_total", 122},
    {"repram_http_requests_malformed_total", 128},
    {"repram_http_requests_rate_limited_total", 129},
    {"repram_http_bodies_outpaced_total", 180},
    {"repram_http_timeouts_total", 130},
    {"repram_tls_handshakes_total{kind=\"other\",result=\"ok\"}", 184},
    {"repram_tls_handshakes_total{kind=\"other\",result=\"failed\"}", 185},
    {"repram_tls_handshakes_total{kind=\"other\",result=\"timeout\"}", 186},
    {"repram_tls_handshakes_total{kind=\"other\",result=\"limited\"}", 187},
    {"repram_tls_handshakes_total{kind=\"other\",result=\"drained\"}", 208},
    {"repram_tls_handshakes_total{kind=\"https\",result=\"ok\"}", 188},
    {"repram_tls_handshakes_total{kind=\"https\",result=\"failed\"}", 189},
    {"repram_tls_handshakes_total{kind=\"https\",result=\"timeout\"}", 190},
    {"repram_tls_handshakes_total{kind=\"https\",result=\"limited\"}", 191},
    {"repram_tls_handshakes_total{kind=\"https\",result=\"drained\"}", 209},
    {"repram_tls_handshakes_total{kind=\"link\",result=\"ok\"}", 192},
    {"repram_tls_handshakes_total{kind=\"link\",result=\"failed\"}", 193},
    {"repram_tls_handshakes_total{kind=\"link\",result=\"timeout\"}", 194},
    {"repram_tls_handshakes_total{kind=\"link\",result=\"limited\"}", 195},
    {"repram_tls_handshakes_total{kind=\"link\",result=\"drained\"}", 210},
    {"repram_tls_certificate_expiry_seconds", 196},
    {"repram_tls_reloads_total{result=\"taken\"}", 197},
    {"repram_tls_reloads_total{result=\"refused\"}", 198},
    {"repram_http_receive_bytes_total", 131},
    {"repram_http_transmit_bytes_total", 132},
    {"repram_http_responses_total{class=\"1xx\"}", 123},
    {"repram_http_responses_total{class=\"2xx\"}", 124},
    {"repram_http_responses_total{class=\"3xx\"}", 125},
    {"repram_http_responses_total{class=\"4xx\"}", 126},
    {"repram_http_responses_total{class=\"5xx\"}", 127},
    {"repram_watchers", 148},
    {"repram_watch_buffer_bytes", 154},
    {"repram_watch_events_total", 149},
    {"repram_watch_resumed_total", 150},
    {"repram_watch_reset_total", 151},
    {"repram_watchers_refused_total", 152},
    {"repram_watchers_cut_total", 153},
    {"repram_acl_users", 190},
    {"repram_acl_reloads_total", 191},
    {"repram_acl_reloads_failed_total", 192},
    {"repram_acl_no_token_total", 193},
    {"repram_acl_bad_token_total", 194},
    {"repram_acl_bad_token_limited_total", 195},
    {"repram_acl_forbidden_total", 196},
};

static size_t assert_sample(const struct page *p, const char *sample, uint64_t value)
{
    char line[NAME_MAX_ + 64];
    (void)snprintf(line, sizeof(line), "\n%s %llu\n", sample, (unsigned long long)value);
    if (strstr((const char *)buf_data(&p->buf), line) == NULL) {
        fail_msg("the page lacks %s", line + 1);
    }
    return 1;
}

static size_t count_samples(const struct page *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->family_count; i++) {
        count += p->families[i].samples;
    }
    return count;
}

static void each_sample_shows_its_own_figure(void **state)
{
    struct page *p = *state;
    const struct metrics m = numbered();
    /* not_ready, three counters under v2's names besides, the quorum's histogram */
    size_t count = READY_COUNT + 3 + LATENCY_BOUNDS + 3;
    buf_clear(&p->buf);
    p->family_count = 0;
    memset(p->families, 0, sizeof(p->families));
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &p->buf), RC_OK);
    assert_int_equal(buf_append(&p->buf, "", 1), RC_OK);
    read_families(p);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        count += assert_sample(p, expected[i].sample, expected[i].value);
    }
#define ASSERT_COUNTER(name, help) \
    count += assert_sample(p, "repram_" #name "_total", m.status.counters.name);
    ENGINE_COUNTERS(ASSERT_COUNTER)
#undef ASSERT_COUNTER
    (void)assert_sample(p, "repram_peer_evictions_total", m.status.counters.member_deaths);
    (void)assert_sample(p, "repram_peer_joins_total", m.status.counters.member_joins);
    (void)assert_sample(p, "repram_ping_failures_total", m.status.counters.probes_failed);
    /* Nor has the page any other. */
    assert_int_equal(count_samples(p), count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_in_base_units),
        TEST(members_and_answers_have_a_line_for_each_state_and_class),
        TEST(sealing_has_a_line_for_each_reason_key_and_holder),
        TEST(the_page_says_whether_and_why_the_node_is_not_ready),
        TEST(a_full_node_is_ready_on_the_page_and_has_the_reason),
        TEST(the_four_peer_metrics_of_v2_keep_their_names),
        TEST(every_family_is_told_once_with_samples_and_a_fitting_name),
        TEST(each_sample_shows_its_own_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
