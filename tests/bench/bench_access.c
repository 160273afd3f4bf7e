/*
 * What rules cost a request: 1,000 users of 16 lines each, a token that is hashed and looked up,
 * and a key that only the last line allows. Prints microseconds; beside them what the same loop
 * costs without rules, as a front door without them asks one pointer.
 *
 *     bench_access [ROUNDS]
 */
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/access/access.h"
#include "net/api/api.h"
#include "net/api/api_admit.h"
#include "net/sys/hostclock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = ACL_USERS_MAX, LINES = ACL_RULES_MAX, ROUNDS = 2000000 };

static void say_nothing(void *arg, enum log_level level, const char *event, const char *format, ...)
{
    (void)arg;
    (void)level;
    (void)event;
    (void)format;
}

static uint64_t on_clock(void *arg)
{
    (void)arg;
    return 1;
}

static void make_token(unsigned user, char ret_text[static 48])
{
    (void)snprintf(ret_text, 48, "rt1_%043u", user);
}

static struct acl *make_rules(void)
{
    const size_t room = (size_t)USERS * (160 + (size_t)LINES * 40);
    char *text = mem_new(room, 1);
    struct digest *d = digest_new();
    struct acl_fault fault;
    size_t len = 0;
    for (unsigned u = 0; u < USERS; u++) {
        char token[48];
        uint8_t hash[DIGEST_SIZE];
        make_token(u, token);
        ASSERT(digest_sha256(d, token, strlen(token), hash));
        len += (size_t)snprintf(text + len, room - len, "user u%u sha256:", u);
        for (size_t i = 0; i < sizeof(hash); i++) {
            len += (size_t)snprintf(text + len, room - len, "%02x", hash[i]);
        }
        for (unsigned i = 0; i < LINES; i++) {
            len +=
                (size_t)snprintf(text + len, room - len, "\nallow read,write tenants/%u/%u/", u, i);
        }
        text[len++] = '\n';
    }
    struct acl *acl = acl_parse(text, len, &fault);
    ASSERT(acl != NULL && acl_rule_count(acl) == USERS * LINES);
    digest_free(d);
    free(text);
    return acl;
}

/* Microseconds a request. */
static double run(struct access *access, unsigned rounds)
{
    struct api_config config = {.ttl_default_s = 3600, .ttl_min_s = 300, .ttl_max_s = 86400};
    struct api_admit admit = {.access = access, .config = &config};
    struct http_response rs;
    unsigned let_through = 0;
    http_response_init(&rs);
    const uint64_t began_us = hostclock_boot_us();
    for (unsigned i = 0; i < rounds; i++) {
        char header[64] = "Bearer ", path[64];
        const unsigned user = i % USERS;
        make_token(user, header + 7);
        const int len = snprintf(path, sizeof(path), "/data/tenants/%u/%u/key", user, LINES - 1);
        const struct http_header headers[] = {{{"Host", 4}, {"a", 1}},
                                              {{"Authorization", 13}, {header, strlen(header)}}};
        struct http_request rq = {.method = HTTP_GET_,
                                  .path = {path, (size_t)len},
                                  .headers = headers,
                                  .header_count = 2};
        api_find_right(&rq);
        let_through += access == NULL || api_admit(&admit, &rq, &rs);
    }
    const double took_us = (double)(hostclock_boot_us() - began_us);
    ASSERT(let_through == rounds);
    http_response_fini(&rs);
    return took_us / rounds;
}

int main(int argc, char **argv)
{
    const unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
    const struct node_hooks hooks = {.log = say_nothing};
    const struct access_config config = {.hooks = &hooks, .seed = 1, .clock_ms = on_clock};
    struct access *access = access_new(&config, make_rules());
    ASSERT(access != NULL);
    const double without = run(NULL, rounds);
    const double with = run(access, rounds);
    (void)printf("%u users of %u lines: %.3f us a request (the loop itself: %.3f us)\n", USERS,
                 LINES, with - without, without);
    access_free(access);
    return 0;
}
