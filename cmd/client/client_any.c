/*
 * Which of several servers a request goes to (client.h), and when it is said again.
 *
 * A read that is refused with 5xx, or not answered, goes to the next server. So does a write. Of
 * the refusals of a write, 503 (joining, draining, overloaded, clock_ahead) and 507 come before
 * anything is stored. Behind any other failure, silence included, the write may have been stored;
 * but a PUT without a condition is idempotent (RFC 9110, 9.2.2): said twice it leaves the same
 * value, as a later version with its whole TTL. Between the two another client's write may come and
 * be replaced, as by any write that is under way at the same time as it. A write with a condition
 * is never repeated: the first one, if it was stored, would refuse the second.
 *
 * When every server has been asked, a write that one of them refused with 503 and Retry-After waits
 * for so long, and begins again, within --timeout.
 */
#include "cmd/client/client.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/sys/hostclock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    PROBE_TIMEOUT_MS = 1000, /* of one port of this host, whoever answers there */
    RETRY_AFTER_MS = 1000,   /* where Retry-After is a date, or makes no sense */
    MS_PER_S = 1000,
    STATUS_FAILURES = 500, /* from here on it is the server that fails */
    STATUS_UNAVAILABLE = 503,
};

enum client_kinship client_probe(struct client *c, const struct client_server *server)
{
    const struct client_request request = {.method = "GET", .target = "/health"};
    const uint32_t timeout_ms = c->timeout_ms < PROBE_TIMEOUT_MS ? c->timeout_ms : PROBE_TIMEOUT_MS;
    struct client_answer answer;
    char name[NAME_SIZE];
    client_ask(c, server, &request, timeout_ms, &answer);
    const enum client_kinship kinship =
        answer.rc == RC_OK && answer.status == 200
            ? client_servers_judge(answer.body, answer.body_len, c->network,
                                   c->is_data ? c->enclave : NULL, name)
            : KINSHIP_NOBODY;
    client_answer_fini(&answer);
    if (kinship == KINSHIP_OTHER_NETWORK || kinship == KINSHIP_OTHER_ENCLAVE) {
        const bool is_network = kinship == KINSHIP_OTHER_NETWORK;
        (void)snprintf(c->passed, sizeof(c->passed), "port %u is a node of %s %.64s (%s)",
                       server->at.port, is_network ? "network" : "enclave", name,
                       is_network ? "REPRAM_NETWORK" : "REPRAM_ENCLAVE");
    }
    return kinship;
}

void client_say_nobody_local(const struct client *c)
{
    char first[NODE_TEXT_SIZE + 16];
    char last[16] = "";
    const bool is_passed = c->passed[0] != '\0';
    client_server_text(&c->servers[0], first, sizeof(first));
    if (c->server_count > 1) {
        (void)snprintf(last, sizeof(last), " to port %u", c->servers[c->server_count - 1].at.port);
    }
    client_say(c, "no node%s%s answers on %s%s%s%s; --server names another",
               is_passed ? " of network " : "", is_passed ? c->network : "", first, last,
               is_passed ? "; " : "", c->passed);
}

static void say_nobody(const struct client *c, const struct client_answer *answer)
{
    char first[NODE_TEXT_SIZE + 16];
    if (c->is_local) {
        client_say_nobody_local(c);
        return;
    }
    if (c->server_count == 1) {
        client_server_text(&c->servers[0], first, sizeof(first));
        client_say(c, "%s does not answer: %s", first, answer->error);
        return;
    }
    client_say(c, "none of %zu servers answers; the last one: %s", c->server_count, answer->error);
}

/* How long a write that was refused waits; 0: not at all. */
static uint64_t retry_after_ms(const struct client_answer *answer)
{
    const char *text = answer->headers[HEADER_RETRY_AFTER];
    uint64_t seconds = 0;
    if (answer->rc != RC_OK || answer->status != STATUS_UNAVAILABLE || *text == '\0') {
        return 0;
    }
    return parse_u64(text, strlen(text), DAY_S, &seconds) == RC_OK && seconds > 0
               ? seconds * MS_PER_S
               : RETRY_AFTER_MS;
}

/* An answer, even a refusal, says more than a silence. */
static void keep_better(struct client_answer *kept, struct client_answer *next)
{
    if (kept->rc == RC_OK && next->rc != RC_OK) {
        client_answer_fini(next);
        return;
    }
    client_answer_fini(kept);
    *kept = *next;
}

/* Asks every server once, from the one on that answered last, until one does what is asked.
 * *ret_wait_ms: how long to wait before another round, 0 for none. True when one has. */
static bool ask_round(struct client *c, const struct client_request *request, uint64_t deadline,
                      struct client_answer *ret_answer, uint64_t *ret_wait_ms)
{
    const size_t start = c->server_at;
    *ret_wait_ms = 0;
    for (size_t i = 0; i < c->server_count; i++) {
        const size_t at = (start + i) % c->server_count;
        const uint64_t now = hostclock_boot_ms();
        if (now >= deadline) {
            return false;
        }
        if (c->is_local && client_probe(c, &c->servers[at]) != KINSHIP_OURS) {
            continue;
        }
        /* A server that swallows packets must not use up the time of those after it. */
        const uint64_t share =
            c->is_local ? deadline - now : (deadline - now) / (c->server_count - i);
        struct client_answer answer;
        client_ask(c, &c->servers[at], request, (uint32_t)(share > 0 ? share : 1), &answer);
        const uint64_t wait_ms = retry_after_ms(&answer);
        *ret_wait_ms =
            *ret_wait_ms == 0 || (wait_ms > 0 && wait_ms < *ret_wait_ms) ? wait_ms : *ret_wait_ms;
        const bool is_done = answer.rc == RC_OK && answer.status < STATUS_FAILURES;
        if (answer.rc == RC_OK) {
            c->server_at = at;
        }
        keep_better(ret_answer, &answer);
        if (is_done) {
            return true;
        }
    }
    return false;
}

void client_ask_any(struct client *c, const struct client_request *request,
                    struct client_answer *ret_answer, struct client_server *ret_server)
{
    const uint64_t deadline = hostclock_boot_ms() + c->timeout_ms;
    const bool is_write = strcmp(request->method, "PUT") == 0;
    uint64_t wait_ms = 0;
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->rc = RC_REFUSED;
    while (!ask_round(c, request, deadline, ret_answer, &wait_ms)) {
        if (!is_write || wait_ms == 0 || hostclock_boot_ms() + wait_ms >= deadline) {
            break;
        }
        (void)poll(NULL, 0, (int)wait_ms);
    }
    if (ret_answer->rc != RC_OK) {
        say_nobody(c, ret_answer);
    } else if (ret_server != NULL) {
        *ret_server = c->servers[c->server_at];
    }
}
