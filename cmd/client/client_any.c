/*
 * Which of several servers a request goes to (client.h), and when it is said again. It is the rule
 * of the libraries in clients/ too:
 *
 * - Without a connection, the next server.
 * - Refused with 429 or 503, which say that nothing was done, the next server. When every server
 *   has been asked, and one of these had Retry-After, the client waits for so long, and begins
 *   again within --timeout.
 * - A read goes to the next server after any other 5xx, and after an answer that was lost.
 * - A write whose answer was lost, by silence or with the connection, may have been stored. A PUT
 *   without a condition is idempotent (RFC 9110, 9.2.2), so it goes to one more server, once: twice
 *   it leaves the same value, as a later version whose lifetime begins anew. Another client's write
 *   in between is replaced then. Any other 5xx is final: what the node has done is not known.
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
    LOST_MAX = 2, /* answers to a write, before it is said no more */
    STATUS_REFUSALS = 400,
    STATUS_BUSY = 429,
    STATUS_FAILURES = 500, /* from here on it is the server that fails */
    STATUS_UNAVAILABLE = 503,
};

/* A request on its way round the servers. */
struct asking {
    const struct client_request *request;
    uint64_t deadline_ms;
    uint64_t wait_ms; /* before another round; 0: there is none */
    unsigned lost;    /* how often it was said, and no answer came */
    bool is_write;
};

enum client_kinship client_probe(struct client *c, const struct client_server *server)
{
    const struct client_request request = {.method = "GET", .target = "/health", .is_probe = true};
    const uint32_t timeout_ms = c->timeout_ms < PROBE_TIMEOUT_MS ? c->timeout_ms : PROBE_TIMEOUT_MS;
    struct client_answer answer;
    char name[NAME_SIZE];
    client_ask(c, server, &request, timeout_ms, &answer);
    const enum client_kinship kinship =
        answer.rc == RC_OK && answer.status == 200
            ? client_servers_judge(answer.body, answer.body_len, c->network,
                                   c->is_data ? c->enclave : NULL, name)
            : KINSHIP_NOBODY;
    if (answer.rc == RC_IO && server->is_tls) {
        (void)snprintf(c->passed, sizeof(c->passed), "port %u: %s", server->at.port, answer.error);
    }
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

/* The node has done nothing, and may soon. */
static bool is_passing(const struct client_answer *answer)
{
    return answer->rc == RC_OK &&
           (answer->status == STATUS_BUSY || answer->status == STATUS_UNAVAILABLE);
}

/* How long who was refused waits; 0: not at all. */
static uint64_t wait_ms_of(const struct client_answer *answer)
{
    return is_passing(answer) ? client_retry_after_ms(answer->headers[HEADER_RETRY_AFTER]) : 0;
}

uint64_t client_retry_after_ms(const char *text)
{
    uint64_t seconds = 0;
    if (text == NULL || *text == '\0') {
        return 0;
    }
    return parse_u64(text, strlen(text), DAY_S, &seconds) == RC_OK && seconds > 0
               ? seconds * MS_PER_S
               : RETRY_AFTER_MS;
}

/* Whether no other server is asked any more. */
static bool is_final(const struct asking *a, const struct client_answer *answer)
{
    if (answer->rc != RC_OK) {
        return a->is_write && a->lost >= LOST_MAX;
    }
    return !is_passing(answer) && (a->is_write || answer->status < STATUS_FAILURES);
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

/* How long one server may take, with so many to ask, so that one that is silent does not use up the
 * time of those after it. A write may take long, and goes to one more at most. */
static uint32_t share_ms(const struct client *c, const struct asking *a, size_t servers,
                         uint64_t left)
{
    uint64_t share = left;
    if (!c->is_local && a->is_write) {
        share = servers > 1 && a->lost == 0 ? left - left / 3 : left;
    } else if (!c->is_local) {
        share = left / servers;
    }
    return share > 0 ? (uint32_t)share : 1;
}

/* Asks every server once, from the one on that answered last, until what one says is final. True
 * when it is. */
static bool ask_round(struct client *c, struct asking *a, struct client_answer *ret_answer)
{
    const size_t start = c->server_at;
    a->wait_ms = 0;
    for (size_t i = 0; i < c->server_count; i++) {
        const size_t at = (start + i) % c->server_count;
        const uint64_t now = hostclock_boot_ms();
        if (now >= a->deadline_ms) {
            return false;
        }
        if (c->is_local && client_probe(c, &c->servers[at]) != KINSHIP_OURS) {
            continue;
        }
        struct client_answer answer;
        client_ask(c, &c->servers[at], a->request,
                   share_ms(c, a, c->server_count - i, a->deadline_ms - now), &answer);
        const uint64_t wait_ms = wait_ms_of(&answer);
        a->wait_ms =
            a->wait_ms == 0 || (wait_ms > 0 && wait_ms < a->wait_ms) ? wait_ms : a->wait_ms;
        a->lost += answer.rc != RC_OK && answer.was_sent ? 1 : 0;
        const bool is_over = is_final(a, &answer);
        if (answer.rc == RC_OK) {
            c->server_at = at;
        }
        keep_better(ret_answer, &answer);
        if (is_over) {
            return true;
        }
    }
    return false;
}

void client_ask_any(struct client *c, const struct client_request *request,
                    struct client_answer *ret_answer, struct client_server *ret_server)
{
    struct asking a = {.request = request,
                       .deadline_ms = hostclock_boot_ms() + c->timeout_ms,
                       .is_write = strcmp(request->method, "PUT") == 0};
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->rc = RC_REFUSED;
    while (!ask_round(c, &a, ret_answer)) {
        if (a.wait_ms == 0 || hostclock_boot_ms() + a.wait_ms >= a.deadline_ms) {
            break;
        }
        (void)poll(NULL, 0, (int)a.wait_ms);
    }
    if (ret_answer->rc != RC_OK) {
        say_nobody(c, ret_answer);
    } else if (ret_server != NULL) {
        *ret_server = c->servers[c->server_at];
    }
    if (a.is_write && a.lost > 0 &&
        (ret_answer->rc != RC_OK || ret_answer->status >= STATUS_REFUSALS)) {
        client_say(c, "it may have been stored all the same: a server got it and did not answer");
    }
}
