/*
 * `repram wait`: returns when every member sees the cluster as it should be.
 *
 * The first server that answers names the members: itself, and those that it sees alive. Each is
 * asked directly, by https where the first one is. --members counts all of them and wants each
 * ready; --converged wants equal root digests.
 *
 * Where the members are named only to who has a right to that, --members still can be judged: how
 * many a node sees, and whether it is ready, it says to everybody. Then the servers that were named
 * are asked, or the nodes of the local range.
 */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/json_in.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/client/client.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "gossip/wire/member.h"
#include "net/out/fetch.h"
#include "net/sys/hostclock.h"

#include <cjson/cJSON.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 30000,
    MEMBERS_ASKED_MAX = MEMBERS_MAX + 1, /* all that a node may know, and itself */
    ASK_TIMEOUT_MS = 2000,
    ASK_TIMEOUT_MIN_MS = 100,
    ROUND_GAP_MS = 100,
    MISSING_SIZE = 640,
    DIGEST_SIZE = 40,
};

enum wait_extra { WAIT_MEMBERS, WAIT_CONVERGED, WAIT_EXTRA_COUNT };

static const struct option_def wait_extras[WAIT_EXTRA_COUNT] = {
    [WAIT_MEMBERS] = {"members", 'n', true},
    [WAIT_CONVERGED] = {"converged", 0, false},
};

struct waiting {
    struct client *client;
    uint64_t members; /* 0: any number, as long as all agree */
    bool is_converged;
    bool is_blind; /* the members are not listed to us, so they are not asked for again */
    uint64_t deadline_ms;
    struct client_server *found; /* of this round; the first is the one that answered */
    size_t found_count;
    char missing[MISSING_SIZE]; /* what is not so yet */
    bool is_watched;            /* by somebody at a terminal */
    char shown[MISSING_SIZE];   /* to them */
};

/* For one question. The last round may take a little longer than the deadline: if it were cut
 * short, the message would be that nobody answers, and not what is missing. */
static uint32_t time_left(const struct waiting *w)
{
    const uint64_t now = hostclock_boot_ms();
    const uint64_t left = now < w->deadline_ms ? w->deadline_ms - now : 0;
    const uint64_t most = min_u64(left, ASK_TIMEOUT_MS);
    return (uint32_t)(most > ASK_TIMEOUT_MIN_MS ? most : ASK_TIMEOUT_MIN_MS);
}

/* A JSON answer, the caller's to delete; NULL, and w->missing says why. *ret_status is 0 when none
 * came. */
static cJSON *ask_json(struct waiting *w, const struct client_server *server, const char *target,
                       int *ret_status)
{
    const struct client_request request = {.method = "GET", .target = target};
    struct client_answer answer;
    char where[NODE_TEXT_SIZE + 16];
    client_ask(w->client, server, &request, time_left(w), &answer);
    *ret_status = answer.status;
    cJSON *root = answer.rc == RC_OK && answer.status == 200
                      ? cJSON_ParseWithLength((const char *)answer.body, answer.body_len)
                      : NULL;
    if (root == NULL) {
        client_server_text(server, where, sizeof(where));
        if (answer.rc == RC_OK) {
            (void)snprintf(w->missing, sizeof(w->missing), "%.100s answers %s with %d", where,
                           target, answer.status);
        } else {
            (void)snprintf(w->missing, sizeof(w->missing), "%.100s does not answer: %.383s", where,
                           answer.error);
        }
    }
    client_answer_fini(&answer);
    return root;
}

/* Who may not list the members: 401, 403. */
static bool is_refused(int status)
{
    return status == FETCH_UNAUTHORIZED || status == FETCH_FORBIDDEN;
}

static bool is_alive(const cJSON *peer)
{
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(peer, "state"));
    return state != NULL && strcmp(state, "alive") == 0;
}

/* Remembers where the alive peers of the first server are. */
static void find_members(struct waiting *w, const struct client_server *first, const cJSON *root)
{
    const cJSON *peer = NULL;
    w->found_count = 0;
    w->found[w->found_count++] = *first;
    cJSON_ArrayForEach(peer, cJSON_GetObjectItemCaseSensitive(root, "peers"))
    {
        const cJSON *port = cJSON_GetObjectItemCaseSensitive(peer, "port");
        const char *address =
            cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(peer, "address"));
        if (!is_alive(peer) || address == NULL || strlen(address) >= NODE_TEXT_SIZE ||
            !cJSON_IsNumber(port) || port->valueint <= 0 || port->valueint > UINT16_MAX ||
            w->found_count == MEMBERS_ASKED_MAX) {
            continue;
        }
        struct client_server *member = &w->found[w->found_count++];
        *member = (struct client_server){.at = {.port = (uint16_t)port->valueint},
                                         .is_tls = first->is_tls};
        (void)snprintf(member->at.host, sizeof(member->at.host), "%s", address);
    }
}

/* Where members are not listed to us: the servers themselves are asked, of a range those that are
 * nodes. */
static bool find_servers(struct waiting *w)
{
    w->found_count = 0;
    for (size_t i = 0; i < w->client->server_count; i++) {
        const struct client_server *server = &w->client->servers[i];
        if (!w->client->is_local || client_probe(w->client, server) == KINSHIP_OURS) {
            w->found[w->found_count++] = *server;
        }
    }
    return w->found_count > 0;
}

/* The first server that answers names the members. */
static bool find_first(struct waiting *w)
{
    int status = 0;
    if (w->is_blind && find_servers(w)) {
        return true;
    }
    for (size_t i = 0; i < w->client->server_count; i++) {
        struct client_server *server = &w->client->servers[i];
        if (w->client->is_local && client_probe(w->client, server) != KINSHIP_OURS) {
            continue;
        }
        cJSON *root = ask_json(w, server, "/v1/peers", &status);
        w->is_blind = is_refused(status) && w->members > 0;
        if (w->is_blind) {
            return find_servers(w);
        }
        const bool is_list = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(root, "peers"));
        if (is_list) {
            find_members(w, server, root);
        }
        cJSON_Delete(root);
        if (is_list) {
            return true;
        }
    }
    if (w->client->is_local) {
        (void)snprintf(w->missing, sizeof(w->missing),
                       "no node answers in the local port range%s%s",
                       w->client->passed[0] != '\0' ? "; " : "", w->client->passed);
    }
    return false;
}

/* Whether it sees so many and takes writes with their quorum, as far as it has room for them. That
 * every node answers to everybody. */
static bool is_ready(struct waiting *w, const struct client_server *server, uint64_t wanted)
{
    const struct client_request request = {
        .method = "GET", .target = "/v1/readyz", .is_probe = true};
    struct client_answer answer;
    char where[NODE_TEXT_SIZE + 16];
    client_ask(w->client, server, &request, time_left(w), &answer);
    cJSON *root = answer.rc == RC_OK
                      ? cJSON_ParseWithLength((const char *)answer.body, answer.body_len)
                      : NULL;
    const cJSON *reasons = cJSON_GetObjectItemCaseSensitive(root, "reasons");
    const uint64_t seen = json_in_number(root, "alive");
    const bool is_so = answer.rc == RC_OK && answer.status == 200 && seen == wanted;
    client_server_text(server, where, sizeof(where));
    if (answer.rc != RC_OK) {
        (void)snprintf(w->missing, sizeof(w->missing), "%.100s does not answer: %.383s", where,
                       answer.error);
    } else if (seen > 0 && seen != wanted) {
        (void)snprintf(w->missing, sizeof(w->missing), "%.100s sees %llu of %llu members", where,
                       (unsigned long long)seen, (unsigned long long)wanted);
    } else if (answer.status == 200 && seen == 0) {
        (void)snprintf(w->missing, sizeof(w->missing), "%.100s does not say how many it sees",
                       where);
    } else if (!is_so) {
        const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(reasons, 0));
        (void)snprintf(w->missing, sizeof(w->missing), "%.100s is not ready: %.60s", where,
                       first != NULL ? first : "it does not say why");
    }
    cJSON_Delete(root);
    client_answer_fini(&answer);
    return is_so;
}

static bool read_digest(struct waiting *w, const struct client_server *server,
                        char ret_digest[static DIGEST_SIZE])
{
    char where[NODE_TEXT_SIZE + 16];
    int status = 0;
    cJSON *root = ask_json(w, server, "/v1/status", &status);
    if (root == NULL) {
        return false;
    }
    const char *digest = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(root, "data"), "root_digest"));
    const bool is_there = digest != NULL && strlen(digest) < DIGEST_SIZE;
    if (is_there) {
        (void)snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
    } else {
        client_server_text(server, where, sizeof(where));
        (void)snprintf(w->missing, sizeof(w->missing), "%.100s has no root digest", where);
    }
    cJSON_Delete(root);
    return is_there;
}

static bool digests_agree(struct waiting *w)
{
    char first[DIGEST_SIZE] = "";
    char other[DIGEST_SIZE] = "";
    char where[NODE_TEXT_SIZE + 16];
    for (size_t i = 0; i < w->found_count; i++) {
        if (!read_digest(w, &w->found[i], i == 0 ? first : other)) {
            return false;
        }
        if (i > 0 && strcmp(first, other) != 0) {
            client_server_text(&w->found[i], where, sizeof(where));
            (void)snprintf(w->missing, sizeof(w->missing),
                           "the data differs: root digest %s, and %s at %.100s", first, other,
                           where);
            return false;
        }
    }
    return true;
}

static bool is_reached(struct waiting *w)
{
    if (!find_first(w)) {
        return false;
    }
    const uint64_t wanted = w->members > 0 ? w->members : w->found_count;
    for (size_t i = 0; i < w->found_count; i++) {
        if (!is_ready(w, &w->found[i], wanted)) {
            return false;
        }
    }
    if (w->found_count != wanted && !w->is_blind) {
        (void)snprintf(w->missing, sizeof(w->missing), "%zu of %llu members have an address",
                       w->found_count, (unsigned long long)wanted);
        return false;
    }
    return !w->is_converged || digests_agree(w);
}

static int print_reached(const struct waiting *w)
{
    if (w->client->is_json && w->is_blind) {
        (void)printf("{\"members\":%llu,\"asked\":%zu,\"converged\":null}\n",
                     (unsigned long long)w->members, w->found_count);
    } else if (w->client->is_json) {
        (void)printf("{\"members\":%zu,\"converged\":%s}\n", w->found_count,
                     w->is_converged ? "true" : "null");
    } else if (w->is_blind) {
        (void)printf("%llu members are seen by %s that may be asked without a right to more, and "
                     "%s ready\n",
                     (unsigned long long)w->members, w->found_count == 1 ? "the node" : "all nodes",
                     w->found_count == 1 ? "it is" : "they are");
    } else {
        const bool is_one = w->found_count == 1;
        const char *holds = is_one ? ", and holds its data" : ", and hold the same data";
        (void)printf("%zu %s%s\n", w->found_count,
                     is_one ? "member is ready and knows no other"
                            : "members see each other and are ready",
                     w->is_converged ? holds : "");
    }
    return EXIT_CODE_OK;
}

/* For whoever looks on: what is missing, in a line that is written over. */
static void show_progress(struct waiting *w)
{
    if (w->is_watched && strcmp(w->missing, w->shown) != 0) {
        output_progress_begin();
        plain_print(stderr, w->missing, strlen(w->missing), output_columns() - 1);
        (void)snprintf(w->shown, sizeof(w->shown), "%s", w->missing);
    }
}

static int wait_until(struct waiting *w)
{
    for (;;) {
        if (is_reached(w)) {
            output_progress_end();
            return print_reached(w);
        }
        const uint64_t now = hostclock_boot_ms();
        show_progress(w);
        if (now >= w->deadline_ms) {
            client_say(w->client, "not after %u ms: %s", w->client->timeout_ms, w->missing);
            return EXIT_CODE_FAILED;
        }
        const uint64_t left = w->deadline_ms - now;
        (void)poll(NULL, 0, (int)(min_u64(left, ROUND_GAP_MS)));
    }
}

static int wait_for(struct client *c)
{
    const char *members = c->extras[WAIT_MEMBERS];
    struct waiting w = {.client = c,
                        .is_converged = c->extras[WAIT_CONVERGED] != NULL,
                        .is_watched = isatty(STDERR_FILENO) == 1,
                        .deadline_ms = hostclock_boot_ms() + c->timeout_ms};
    if (members == NULL && !w.is_converged) {
        client_say(c, "--members N, --converged, or both; see repram wait --help");
        return EXIT_CODE_USAGE;
    }
    if (members != NULL &&
        (parse_u64(members, strlen(members), MEMBERS_ASKED_MAX, &w.members) != RC_OK ||
         w.members == 0)) {
        client_say(c, "--members %s is not allowed; allowed: a whole number, 1 to %d", members,
                   MEMBERS_ASKED_MAX);
        return EXIT_CODE_USAGE;
    }
    w.found = mem_new(MEMBERS_ASKED_MAX, sizeof(*w.found));
    const int code = wait_until(&w);
    free(w.found);
    return code;
}

int command_wait(int argc, char **argv)
{
    const struct client_usage usage = {
        .extras = wait_extras, .extra_count = WAIT_EXTRA_COUNT, .timeout_ms = TIMEOUT_MS};
    return client_run(argc, argv, &usage, wait_for);
}
