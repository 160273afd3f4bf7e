/*
 * Configuration files, values and addresses from bytes. The first byte says what the rest is: a
 * file, an environment word, or the text of one value.
 */
#include "cmd/client/client.h"
#include "cmd/settings/settings_check.h"
#include "cmd/settings/settings_node.h"
#include "cmd/settings/value.h"
#include "core/base/assert.h"
#include "core/base/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4096, LIST_MAX = 8 };

/* Loads, derives and checks; with no error and a plain address there must be a node's
 * configuration. */
static void run(const struct settings_sources *sources)
{
    static struct settings settings;
    static struct node_config config;
    const struct settings_host host = {.memory_bytes = UINT64_C(1) << 30, .descriptors = 1024};
    settings_load(&settings, sources);
    settings_check_derive(&settings, &host);
    if (settings.errors.count == 0) {
        settings_check(&settings, &host, true);
    }
    /* No lookups here. */
    settings_set(&settings, SETTING_ADDRESS, "192.0.2.1", 0, "fuzz");
    if (settings.errors.count == 0) {
        const enum rc rc = settings_node_config(&settings, &config);
        ASSERT(rc == RC_OK);
        ASSERT(config.ttl_min_s <= config.ttl_default_s &&
               config.ttl_default_s <= config.ttl_max_s);
        ASSERT(config.bytes_max > 0 && config.base_port > 0 && config.providers != 0);
    }
    settings_fini(&settings);
}

static void run_file(const char *text, size_t len)
{
    static struct config_file file;
    unsigned line = 0;
    /* A secret's file could be one that never ends. */
    if (memmem(text, len, "_FILE", 5) != NULL ||
        config_file_parse(&file, text, len, &line) != RC_OK) {
        return;
    }
    const struct settings_sources sources = {.file = &file, .file_name = "fuzz.conf"};
    run(&sources);
    config_file_fini(&file);
}

static void run_environment(char *text)
{
    char *const environment[] = {text, NULL};
    const struct settings_sources sources = {.environment = environment};
    if (strstr(text, "_FILE") == NULL) {
        run(&sources);
    }
}

/* What is a duration in seconds is the same one in milliseconds, and out of range in both. */
static void run_durations(const char *text)
{
    uint64_t seconds = 0, ms = 0;
    const enum rc rc = parse_duration_s(text, strlen(text), &seconds);
    const enum rc rc_ms = parse_duration_ms(text, strlen(text), &ms);
    if (rc != RC_MALFORMED) {
        ASSERT(rc == rc_ms);
    }
    if (rc == RC_OK) {
        ASSERT(seconds <= UINT32_MAX && ms == seconds * 1000);
    }
}

static void run_values(const char *text)
{
    struct node_peer peers[LIST_MAX];
    struct node_cidr trust[LIST_MAX];
    struct client_server servers[LIST_MAX];
    struct value_url url;
    struct addr addr;
    uint32_t count = 0, set = 0;
    size_t server_count = 0;
    uint64_t number = 0;
    char word[CLIENT_SERVERS_WORD_SIZE];
    bool is_all = false;
    char round[ADDR_TEXT_SIZE];
    if (value_peers(text, 0, peers, LIST_MAX, &count) == RC_OK) {
        ASSERT(count > 0 && count <= LIST_MAX && value_is_host(peers[0].host));
    }
    if (value_trust(text, &is_all, trust, LIST_MAX, &count) == RC_OK) {
        ASSERT(count <= LIST_MAX && (count == 0 || trust[0].prefix_len <= 128));
    }
    if (value_providers(text, &set) == RC_OK) {
        ASSERT(set != 0);
    }
    if (value_url(text, &url) == RC_OK) {
        ASSERT(url.server.port != 0 && value_is_host(url.server.host));
    }
    if (client_servers_parse(text, 1, servers, LIST_MAX, &server_count, word) == RC_OK) {
        ASSERT(server_count > 0 && server_count <= LIST_MAX);
    }
    if (addr_parse_ip(text, 1, &addr) == RC_OK) {
        struct addr again;
        const enum rc rc = addr_parse_ip(addr_format_ip(&addr, round), 1, &again);
        ASSERT(rc == RC_OK && addr_equal(&addr, &again));
    }
    run_durations(text);
    (void)!parse_size(text, strlen(text), &number);
    (void)value_is_app(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_MAX) {
        return 0;
    }
    char *text = calloc(size, 1);
    ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        run_file(text, size - 1);
        break;
    case 1:
        run_environment(text);
        break;
    default:
        run_values(text);
        break;
    }
    free(text);
    return 0;
}
