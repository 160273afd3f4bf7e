#include "api_fixture.h"
#include "net/api/api_cluster.h"

#include <cjson/cJSON.h>

/* The last answer's body, parsed; freed by the caller. */
static cJSON *parse(struct fixture *f)
{
    assert_header(f, "Content-Type", "application/json");
    cJSON *json = cJSON_Parse(body_text(f));
    assert_non_null(json);
    return json;
}

static const cJSON *item(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_non_null(value);
    return value;
}

static void assert_text(const cJSON *object, const char *name, const char *wanted)
{
    assert_true(cJSON_IsString(item(object, name)));
    assert_string_equal(item(object, name)->valuestring, wanted);
}

static void assert_number(const cJSON *object, const char *name, double wanted)
{
    assert_true(cJSON_IsNumber(item(object, name)));
    assert_true(item(object, name)->valuedouble == wanted);
}

static struct member *add_member(struct fixture *f, const char *name, enum member_state state,
                                 uint16_t port)
{
    struct member *m = &f->engine.members[f->engine.member_count];
    struct member_card card = {
        .uuid = {{(uint8_t)port}}, .incarnation = 4, .enclave = "default", .addr_count = 1};
    (void)snprintf(card.name, sizeof(card.name), "%s", name);
    card.addrs[0].addr = addr_v4((const uint8_t[]){10, 0, 0, 7}, port);
    *m = (struct member){.state = state, .slot = (uint16_t)f->engine.member_count++};
    member_set_card(m, &card);
    return m;
}

static int setup(void **state)
{
    (void)fixture_setup(state);
    struct fixture *f = *state;
    add_member(f, "other\"quote", MEMBER_ALIVE, 8083);
    struct member *self = add_member(f, "flux-node-1", MEMBER_ALIVE, 8081);
    self->is_self = true;
    f->engine.status.alive = 1;
    return 0;
}

static void health_says_who_the_node_is(void **state)
{
    struct fixture *f = *state;
    f->now_us += UINT64_C(3723) * 1000000;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/health"), 200);
    cJSON *json = parse(f);
    assert_text(json, "status", "healthy");
    assert_text(json, "node_id", "flux-node-1");
    assert_text(json, "uuid", "abababababababababababababababab");
    assert_number(json, "port", 8081);
    assert_text(json, "uptime", "1h2m3s");
    assert_text(json, "domain", "localhost");
    assert_text(json, "network", "private");
    assert_text(json, "enclave", "default");
    assert_true(cJSON_IsTrue(item(json, "discovery_enabled")));
    assert_number(json, "active_peers", 1);
    cJSON_Delete(json);
}

static void uptime_is_written_as_go_writes_durations(void **state)
{
    (void)state;
    char text[API_UPTIME_TEXT_SIZE];
    assert_string_equal(api_cluster_uptime(0, text), "0s");
    assert_string_equal(api_cluster_uptime(59, text), "59s");
    assert_string_equal(api_cluster_uptime(60, text), "1m0s");
    assert_string_equal(api_cluster_uptime(3600, text), "1h0m0s");
    assert_string_equal(api_cluster_uptime(90061, text), "25h1m1s");
}

static void a_node_is_ready_or_says_every_reason_why_not(void **state)
{
    struct fixture *f = *state;
    f->engine.status.enclave_members = 2;
    f->engine.status.alive = 3;
    assert_int_equal(ask(f, HTTP_GET_, "/readyz"), 200);
    assert_string_equal(body_text(f),
                        "{\"status\":\"ready\",\"reasons\":[],\"members\":2,\"alive\":4}");
    f->engine.status.unready = READY_DISCOVERING | READY_JOINING | READY_NO_CLOCK |
                               READY_NO_QUORUM | READY_FULL | READY_DRAINING | READY_REFUSED;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/readyz"), 503);
    assert_string_equal(
        body_text(f),
        "{\"status\":\"not_ready\",\"reasons\":[\"draining\",\"refused\",\"discovering\","
        "\"no_clock\",\"joining\",\"no_quorum\",\"storage_full\"],"
        "\"members\":2,\"alive\":4}");
    assert_header(f, "Retry-After", "1");
    assert_int_equal(ask(f, HTTP_GET_, "/livez"), 200);
    assert_string_equal(body_text(f), "{\"status\":\"alive\",\"reasons\":[]}");
}

/* All nodes fill up together: a proxy that takes full ones out serves nobody. */
static void a_full_node_is_ready_but_for_writes(void **state)
{
    struct fixture *f = *state;
    static const char full[] = "\"reasons\":[\"storage_full\"],";
    f->engine.status.unready = READY_FULL;
    for (int i = 0; i < 2; i++) {
        const bool is_for_writes = i == 1;
        assert_int_equal(ask(f, HTTP_GET_, is_for_writes ? "/v1/readyz?for=writes" : "/v1/readyz"),
                         is_for_writes ? 503 : 200);
        const char *text = body_text(f);
        assert_non_null(strstr(text, full));
        assert_non_null(
            strstr(text, is_for_writes ? "{\"status\":\"not_ready\"," : "{\"status\":\"ready\","));
    }
    f->engine.status.unready = READY_FULL | READY_JOINING;
    assert_int_equal(ask(f, HTTP_GET_, "/readyz"), 503);
    f->engine.status.unready = 0;
    assert_int_equal(ask(f, HTTP_GET_, "/readyz?for=writes"), 200);
}

static void what_readyz_is_asked_for_is_writes_or_not_said(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"/readyz?for=", "/readyz?for=reads", "/readyz?for",
                                        "/readyz?for=writes&for=writes"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ask(f, HTTP_GET_, wrong[i]), 400);
        assert_non_null(strstr(body_text(f), "\"invalid_request\""));
    }
    assert_int_equal(ask(f, HTTP_GET_, "/readyz?x=1"), 200);
}

static void peers_lists_the_others_with_what_is_measured(void **state)
{
    struct fixture *f = *state;
    struct member *m = &f->engine.members[0];
    f->now_us = 10000000;
    const struct addr seen = addr_v4((const uint8_t[]){192, 0, 2, 9}, 8085);
    member_set_last_addr(m, &seen);
    m->rtt_us = 1234;
    m->heard_us = 8500000;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/peers"), 200);
    cJSON *json = parse(f);
    assert_int_equal(cJSON_GetArraySize(item(json, "peers")), 1);
    const cJSON *peer = cJSON_GetArrayItem(item(json, "peers"), 0);
    assert_text(peer, "id", "other\"quote");
    assert_text(peer, "uuid", "93000000000000000000000000000000");
    assert_text(peer, "address", "192.0.2.9");
    assert_number(peer, "port", 8085);
    assert_text(peer, "state", "alive");
    assert_text(peer, "enclave", "default");
    assert_number(peer, "incarnation", 4);
    assert_number(peer, "rtt_ms", 1.234);
    assert_true(cJSON_IsFalse(item(peer, "clock_conflict")));
    assert_number(peer, "clock_difference_ms", 0);
    assert_text(peer, "last_seen", "2026-11-20T08:00:08.500Z");
    assert_text(json, "last_updated", "2026-11-20T08:00:10.000Z");
    cJSON_Delete(json);
}

static void a_member_whose_clock_is_apart_is_shown_so(void **state)
{
    struct fixture *f = *state;
    f->engine.members[0].clock = MEMBER_CLOCK_APART;
    assert_int_equal(ask(f, HTTP_GET_, "/peers"), 200);
    cJSON *json = parse(f);
    const cJSON *peer = cJSON_GetArrayItem(item(json, "peers"), 0);
    assert_true(cJSON_IsTrue(item(peer, "clock_conflict")));
    assert_number(peer, "clock_difference_ms", -90000);
    cJSON_Delete(json);
}

static void a_member_never_heard_was_seen_when_it_was_learned_of(void **state)
{
    struct fixture *f = *state;
    f->now_us = 10000000;
    f->engine.members[0].state_since_us = 4000000;
    assert_int_equal(ask(f, HTTP_GET_, "/peers"), 200);
    cJSON *json = parse(f);
    const cJSON *peer = cJSON_GetArrayItem(item(json, "peers"), 0);
    assert_text(peer, "last_seen", "2026-11-20T08:00:04.000Z");
    assert_text(peer, "address", "10.0.0.7");
    assert_number(peer, "rtt_ms", 0);
    cJSON_Delete(json);
}

static void a_member_whose_link_has_ended_was_seen_when_its_state_became_known(void **state)
{
    struct fixture *f = *state;
    f->now_us = 10000000;
    f->engine.members[0].state = MEMBER_DEAD;
    f->engine.members[0].state_since_us = 9000000;
    f->engine.members[0].heard_us = MEMBER_HEARD_BEFORE;
    assert_int_equal(ask(f, HTTP_GET_, "/peers"), 200);
    cJSON *json = parse(f);
    assert_text(cJSON_GetArrayItem(item(json, "peers"), 0), "last_seen",
                "2026-11-20T08:00:09.000Z");
    cJSON_Delete(json);
}

static void claimed_ports_are_those_of_the_living_in_order_and_once(void **state)
{
    struct fixture *f = *state;
    add_member(f, "c", MEMBER_ALIVE, 8082);
    add_member(f, "d", MEMBER_SUSPECT, 8084);
    add_member(f, "e", MEMBER_DEAD, 8085);
    add_member(f, "f", MEMBER_LEFT, 8086);
    add_member(f, "g", MEMBER_ALIVE, 8083);
    add_member(f, "h", MEMBER_ALIVE, 65535);
    assert_int_equal(ask(f, HTTP_GET_, "/peers"), 200);
    assert_non_null(strstr(body_text(f), "\"claimed_ports\":[8081,8082,8083,65535]"));
    assert_non_null(strstr(body_text(f), "\"state\":\"suspect\""));
    assert_non_null(strstr(body_text(f), "\"state\":\"dead\""));
    assert_non_null(strstr(body_text(f), "\"state\":\"left\""));
    assert_null(strstr(body_text(f), "flux-node-1"));
}

static void topology_lists_the_living_in_the_shape_of_v2(void **state)
{
    struct fixture *f = *state;
    add_member(f, "c", MEMBER_SUSPECT, 8082);
    struct member *v6 = add_member(f, "d", MEMBER_ALIVE, 8084);
    struct addr seen;
    assert_int_equal(addr_parse_ip("2001:db8::1", 8084, &seen), RC_OK);
    member_set_last_addr(v6, &seen);
    assert_int_equal(ask(f, HTTP_GET_, "/topology"), 200);
    assert_string_equal(
        body_text(f),
        "{\"node_id\":\"flux-node-1\",\"enclave\":\"default\",\"peers\":["
        "{\"id\":\"other\\\"quote\",\"address\":\"10.0.0.7\",\"http_port\":8083,"
        "\"enclave\":\"default\"},"
        "{\"id\":\"d\",\"address\":\"2001:db8::1\",\"http_port\":8084,\"enclave\":\"default\"}]}");
}

/* Keys by their ids, and when they were last used only where they were. */
static void assert_sealing(const cJSON *sealing)
{
    const cJSON *keys = item(sealing, "keys");
    const cJSON *first = cJSON_GetArrayItem(keys, 0), *open = cJSON_GetArrayItem(keys, 1);
    assert_string_equal(cJSON_GetStringValue(item(sealing, "state")), "mixed");
    assert_int_equal(cJSON_GetArraySize(keys), 2);
    assert_string_equal(cJSON_GetStringValue(item(first, "id")), "0fa2");
    assert_string_equal(cJSON_GetStringValue(item(first, "use")), "first");
    assert_int_equal(item(first, "members_holding")->valueint, 3);
    assert_int_equal(item(first, "members_sending")->valueint, 2);
    assert_int_equal(cJSON_GetArraySize(item(first, "lacking")), 0);
    assert_int_equal(cJSON_GetArraySize(item(first, "senders")), 2);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(first, "senders"), 1)), "b");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(open, "lacking"), 0)), "late");
    assert_int_equal(item(first, "packets_sent")->valueint, 40);
    assert_int_equal(item(first, "packets_received")->valueint, 50);
    assert_non_null(cJSON_GetStringValue(item(first, "last_used")));
    assert_string_equal(cJSON_GetStringValue(item(open, "id")), "open");
    assert_string_equal(cJSON_GetStringValue(item(open, "use")), "other");
    assert_null(cJSON_GetObjectItemCaseSensitive(open, "last_used"));
    assert_int_equal(item(sealing, "lacking_first_count")->valueint, 1);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(sealing, "lacking_first"), 0)),
                        "late");
    assert_int_equal(cJSON_GetArraySize(item(sealing, "cut_off")), 0);
    assert_int_equal(item(sealing, "cut_off_count")->valueint, 0);
    assert_int_equal(item(sealing, "with_others_count")->valueint, 1);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(sealing, "with_others"), 0)),
                        "odd");
}

static void fill_status(struct fixture *f)
{
    struct engine_status *s = &f->engine.status;
    s->suspect = 2;
    s->dead = 3;
    s->left = 11;
    s->enclave_members = 12;
    s->quorum = 13;
    s->member_digest = 0x1;
    s->root_digest = UINT64_MAX;
    s->root_cut_s = 1795161600;
    s->has_clock = true;
    s->clock_offset_ms = -3600000;
    s->clock_error_ms = 2;
    s->clock_conflicts = 4;
    s->store = (struct store_stats){.keys = 5,
                                    .shadows = 6,
                                    .shadow_bytes = 8,
                                    .guards = 9,
                                    .bytes_used = 7,
                                    .bytes_max = UINT64_C(1) << 40};
    f->engine.sealing = (struct sealing_status){
        .state = SEALING_MIXED,
        .key_count = 2,
        .keys = {{.id = 0x0fa2,
                  .members_holding = 3,
                  .members_sending = 2,
                  .senders = {.count = 2, .names = {"a", "b"}},
                  .sent = 40,
                  .received = 50,
                  .used_us = 1000000},
                 {.id = KEYRING_ID_OPEN,
                  .members_holding = 4,
                  .lacking = {.count = 1, .names = {"late"}}}},
        .lacking_first = {.count = 1, .names = {"late"}},
        .with_others = {.count = 1, .names = {"odd"}},
    };
    f->engine.links[0] = (struct engine_link_view){.name = "other",
                                                   .is_dialed = true,
                                                   .key_id = 0x0af9,
                                                   .up_since_us = 1000000,
                                                   .bytes_in = 14,
                                                   .bytes_out = 15,
                                                   .records_in = 16,
                                                   .records_out = 9,
                                                   .unacked = 17,
                                                   .queued = 10,
                                                   .is_clock_conflict = true,
                                                   .clock_difference_ms = -90000,
                                                   .ttl_max_ms = 3600000,
                                                   .is_config_different = true};
    f->engine.links[0].addr = addr_v4((const uint8_t[]){10, 0, 0, 7}, 8083);
    f->engine.link_count = 1;
}

static void status_has_every_member_that_the_contract_names(void **state)
{
    struct fixture *f = *state;
    fill_status(f);
    f->engine.status.has_quorum = true;
    f->now_us += 61500000;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/status"), 200);
    cJSON *json = parse(f);
    assert_text(json, "version", "1.2.3");
    assert_text(json, "uuid", "abababababababababababababababab");
    assert_text(json, "node_id", "flux-node-1");
    assert_text(json, "enclave", "default");
    assert_text(json, "network", "private");
    assert_text(json, "state", "ready");
    assert_int_equal(cJSON_GetArraySize(item(json, "reasons")), 0);
    assert_text(json, "uptime", "1m1s");
    assert_number(json, "uptime_s", 61);
    assert_number(item(json, "memory"), "rss", 5000000);
    assert_number(item(json, "storage"), "keys", 5);
    assert_number(item(json, "storage"), "bytes", 7);
    assert_number(item(json, "storage"), "bytes_max", 1099511627776.0);
    assert_number(item(json, "storage"), "shadows", 6);
    assert_number(item(json, "storage"), "shadow_bytes", 8);
    assert_number(item(json, "storage"), "guards", 9);
    assert_number(item(json, "limits"), "min_ttl_s", 300);
    assert_number(item(json, "limits"), "default_ttl_s", 3600);
    assert_number(item(json, "limits"), "max_ttl_s", 86400);
    assert_number(item(json, "limits"), "max_value_size", 10 << 20);
    assert_number(item(json, "membership"), "alive", 1);
    assert_number(item(json, "membership"), "suspect", 2);
    assert_number(item(json, "membership"), "dead", 3);
    assert_number(item(json, "membership"), "left", 11);
    assert_number(item(json, "membership"), "enclave_members", 12);
    assert_number(item(json, "membership"), "quorum", 13);
    assert_text(item(json, "membership"), "digest", "0000000000000001");
    assert_text(item(json, "data"), "root_digest", "ffffffffffffffff");
    assert_text(item(json, "data"), "root_cut", "2026-11-20T08:00:00.000Z");
    assert_true(cJSON_IsTrue(item(item(json, "clock"), "is_set")));
    assert_text(item(json, "clock"), "time", "2026-11-20T08:01:02.500Z");
    assert_number(item(json, "clock"), "offset_ms", -3600000);
    assert_number(item(json, "clock"), "error_ms", 2);
    assert_number(item(json, "clock"), "conflicts", 4);
    assert_text(json, "config_digest", "feedfacecafebeef");
    assert_sealing(item(json, "sealing"));
    assert_int_equal(cJSON_GetArraySize(item(json, "links")), 1);
    const cJSON *link = cJSON_GetArrayItem(item(json, "links"), 0);
    assert_text(link, "id", "other");
    assert_true(cJSON_IsTrue(item(link, "clock_conflict")));
    assert_number(link, "clock_difference_ms", -90000);
    assert_number(link, "max_ttl_s", 3600);
    assert_true(cJSON_IsTrue(item(link, "settings_differ")));
    assert_text(link, "up_since", "2026-11-20T08:00:01.000Z");
    assert_true(cJSON_IsTrue(item(link, "is_dialed")));
    assert_string_equal(item(link, "key")->valuestring, "0af9");
    assert_number(link, "bytes_in", 14);
    assert_number(link, "bytes_out", 15);
    assert_number(link, "records_in", 16);
    assert_number(link, "records_out", 9);
    assert_number(link, "unacked", 17);
    assert_number(link, "queued", 10);
    cJSON_Delete(json);
}

static void status_names_the_reason_that_weighs_most(void **state)
{
    struct fixture *f = *state;
    f->engine.status.has_quorum = true;
    f->engine.status.unready = READY_JOINING | READY_FULL;
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    cJSON *json = parse(f);
    assert_text(json, "state", "joining");
    assert_int_equal(cJSON_GetArraySize(item(json, "reasons")), 2);
    cJSON_Delete(json);
    f->engine.status.unready = READY_FULL;
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    json = parse(f);
    assert_text(json, "state", "ready");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(json, "reasons"), 0)),
                        "storage_full");
    cJSON_Delete(json);
}

static void a_quorum_that_was_lost_is_a_reason_in_status_and_not_in_readyz(void **state)
{
    struct fixture *f = *state;
    fill_status(f);
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    cJSON *json = parse(f);
    assert_text(json, "state", "ready");
    assert_int_equal(cJSON_GetArraySize(item(json, "reasons")), 1);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(json, "reasons"), 0)),
                        "no_quorum");
    cJSON_Delete(json);
    assert_int_equal(ask(f, HTTP_GET_, "/readyz"), 200);
}

static void what_makes_no_node_unready_is_a_reason_in_status_alone(void **state)
{
    struct fixture *f = *state;
    f->engine.status.has_quorum = true;
    f->engine.status.undialed = UINT32_MAX;
    f->alone = "alone: asked 2 addresses, none of network \"a\" answered";
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    cJSON *json = parse(f);
    assert_text(json, "state", "ready");
    assert_int_equal(cJSON_GetArraySize(item(json, "reasons")), 2);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(json, "reasons"), 0)),
                        f->alone);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(item(json, "reasons"), 1)),
                        "undialed: 4294967295 alive, and no link comes about");
    cJSON_Delete(json);
    assert_int_equal(ask(f, HTTP_GET_, "/readyz"), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(health_says_who_the_node_is),
        TEST(uptime_is_written_as_go_writes_durations),
        TEST(a_node_is_ready_or_says_every_reason_why_not),
        TEST(a_full_node_is_ready_but_for_writes),
        TEST(what_readyz_is_asked_for_is_writes_or_not_said),
        TEST(peers_lists_the_others_with_what_is_measured),
        TEST(a_member_whose_clock_is_apart_is_shown_so),
        TEST(a_member_never_heard_was_seen_when_it_was_learned_of),
        TEST(a_member_whose_link_has_ended_was_seen_when_its_state_became_known),
        TEST(claimed_ports_are_those_of_the_living_in_order_and_once),
        TEST(topology_lists_the_living_in_the_shape_of_v2),
        TEST(status_has_every_member_that_the_contract_names),
        TEST(status_names_the_reason_that_weighs_most),
        TEST(a_quorum_that_was_lost_is_a_reason_in_status_and_not_in_readyz),
        TEST(what_makes_no_node_unready_is_a_reason_in_status_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
