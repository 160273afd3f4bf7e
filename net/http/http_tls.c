#include "net/http/http_tls.h"

#include "core/base/assert.h"
#include "net/crypto/psk.h"
#include "net/http/http_intake.h"
#include "net/http/http_output.h"
#include "net/http/http_phase.h"
#include "net/http/proxy.h"
#include "net/sys/sockaddr.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

enum { RECORD_HANDSHAKE = 22 }; /* the first byte of TLS, and of no HTTP (RFC 8446 section 5.1) */

static void count(struct http_conn *c, enum tls_kind kind, enum http_handshake result)
{
    c->shared->stats.handshakes[kind][result]++;
}

/* ---- The limits ---- */

static bool is_own_host(const struct http_conn *c)
{
    struct addr local;
    return addr_is_loopback(&c->peer) || (sockaddr_local(c->stream.fd, &local) == RC_OK &&
                                          memcmp(local.ip, c->peer.ip, sizeof(local.ip)) == 0);
}

static bool is_proxy(const struct http_conn *c)
{
    const struct http_server_config *config = &c->shared->config;
    return config->trust_all || proxy_is_trusted(&c->peer, config->trust, config->trust_count);
}

/* Which one gives way to another of its kind: the oldest of the net `key` where that has its share,
 * else the oldest of all. NULL when there is none. */
static struct http_conn *oldest(const struct http_shared *shared, enum http_counted kind,
                                const struct addr *key)
{
    struct http_conn *first = NULL, *first_of_net = NULL, *c = NULL;
    uint32_t of_net = 0;
    TAILQ_FOREACH(c, &shared->phases[HTTP_PHASE_HANDSHAKE], entry)
    {
        if (c->handshake == kind) {
            const struct addr net = addr_net(&c->peer);
            const bool is_of_net = addr_same_ip(&net, key);
            of_net += is_of_net;
            first = first == NULL ? c : first;
            first_of_net = first_of_net == NULL && is_of_net ? c : first_of_net;
        }
    }
    return kind != HTTP_COUNTED_NEAR && of_net >= HTTP_HANDSHAKES_PER_IP_MAX ? first_of_net : first;
}

/* One that is full of handshakes which nobody finishes would shut everybody out: so who has taken
 * longest gives way. */
static void make_room(struct http_shared *shared, enum http_counted kind, const struct addr *key)
{
    struct http_conn *c = oldest(shared, kind, key);
    if (c != NULL) {
        count(c, tls_context_kind(c->stream.ssl), HTTP_HANDSHAKE_LIMITED);
        stream_reset(&c->stream);
        shared->evict(shared, c);
    }
}

/* One more that counts in all, and in `*unfinished` of them. */
static void enter_all(struct http_conn *c, enum http_counted kind, uint32_t *unfinished)
{
    const struct addr key = addr_net(&c->peer);
    if (*unfinished >= HTTP_HANDSHAKES_MAX) {
        make_room(c->shared, kind, &key);
    }
    ASSERT(*unfinished <
           HTTP_HANDSHAKES_MAX); /* they are all in the list that was looked through */
    ++*unfinished;
    c->handshake = (uint8_t)kind;
}

/* Counts it as one that has begun. False when it may not, even so. */
static bool enter(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    if (is_own_host(c) || is_proxy(c)) {
        enter_all(c, HTTP_COUNTED_NEAR, &shared->handshakes_near);
        return true;
    }
    const struct addr key = addr_net(&c->peer);
    if (!ip_limit_enter(shared->handshakes, &key)) {
        make_room(shared, HTTP_COUNTED_FAR, &key);
        if (!ip_limit_enter(shared->handshakes, &key)) {
            return false;
        }
    }
    c->handshake = HTTP_COUNTED_FAR;
    return true;
}

void http_tls_release(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    const struct addr key = addr_net(&c->peer);
    switch ((enum http_counted)c->handshake) {
    case HTTP_COUNTED_NOT:
        break;
    case HTTP_COUNTED_NEAR:
        shared->handshakes_near--;
        break;
    case HTTP_COUNTED_FAR:
        ip_limit_leave(shared->handshakes, &key);
        break;
    case HTTP_COUNTED_KEYED:
        shared->handshakes_keyed--;
        break;
    }
    c->handshake = HTTP_COUNTED_NOT;
}

/* A peer whose ClientHello has proved a key needs one round trip more, in which strangers of its
 * address must not drive it out: it counts among its like. Who has recorded such a ClientHello may
 * say it again, gets no further, and drives out those of his own address. */
static void set_apart(struct http_conn *c)
{
    if (c->handshake != HTTP_COUNTED_KEYED && psk_hello_key(c->stream.ssl) != 0) {
        http_tls_release(c);
        enter_all(c, HTTP_COUNTED_KEYED, &c->shared->handshakes_keyed);
    }
}

/* ---- The handshake ---- */

static bool is_hello(const struct http_conn *c)
{
    uint8_t first = 0;
    return recv(c->stream.fd, &first, 1, MSG_PEEK) == 1 && first == RECORD_HANDSHAKE;
}

bool http_tls_begin(struct http_conn *c)
{
    const struct tls_context *tls = c->shared->config.tls;
    if (tls == NULL || !tls_context_accepts(tls) || (!c->is_hello && !is_hello(c))) {
        return false;
    }
    c->is_hello = true;
    if (!c->shared->may_shake(c->shared)) {
        return true; /* the socket stays readable */
    }
    c->is_silent = false;
    http_intake_release(c); /* one beyond a limit has begun a request */
    if (!enter(c)) {
        count(c, TLS_KIND_OTHER, HTTP_HANDSHAKE_LIMITED);
        http_phase_enter(c, HTTP_PHASE_CLOSED);
        return true;
    }
    struct ssl_st *ssl = tls_context_acceptor(tls);
    if (ssl == NULL || stream_secure(&c->stream, ssl) != RC_OK) {
        count(c, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED);
        http_phase_enter(c, HTTP_PHASE_CLOSED);
        return true;
    }
    http_phase_enter(c, HTTP_PHASE_HANDSHAKE);
    http_tls_go_on(c);
    return true;
}

/* A link leaves for its owner, if it has a key: without one it may be anybody. */
static void leave(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    const struct addr peer = c->peer;
    const uint16_t key_id = psk_link_key(c->stream.ssl);
    http_phase_enter(c, HTTP_PHASE_CLOSED);
    count(c, TLS_KIND_LINK, key_id == 0 ? HTTP_HANDSHAKE_FAILED : HTTP_HANDSHAKE_OK);
    if (key_id == 0) {
        stream_reset(&c->stream);
        return;
    }
    (void)event_del(&c->reader);
    c->is_on = false;
    http_output_set_writing(c, false);
    struct stream stream = stream_take(&c->stream);
    shared->config.sealed_link(shared->config.arg, &stream, key_id, &peer);
}

static void finish(struct http_conn *c)
{
    http_output_set_writing(c, false);
    http_tls_release(c);
    if (tls_context_kind(c->stream.ssl) == TLS_KIND_LINK) {
        leave(c);
        return;
    }
    count(c, TLS_KIND_HTTPS, HTTP_HANDSHAKE_OK);
    c->has_cert = tls_context_has_client(c->stream.ssl);
    if (c->is_over) {
        http_intake_begin(c);
    } else {
        http_phase_enter(c, HTTP_PHASE_IDLE);
    }
}

void http_tls_go_on(struct http_conn *c)
{
    bool is_writing = false;
    const enum rc rc = stream_handshake(&c->stream, &is_writing);
    if (rc == RC_OK) {
        finish(c);
    } else if (rc == RC_AGAIN) {
        set_apart(c);
        http_output_set_writing(c, is_writing);
    } else {
        count(c, tls_context_kind(c->stream.ssl), HTTP_HANDSHAKE_FAILED);
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    }
}

void http_tls_read(struct http_conn *c)
{
    if (c->shared->may_shake(c->shared)) {
        http_tls_go_on(c);
    }
}

void http_tls_expire(struct http_conn *c)
{
    count(c, tls_context_kind(c->stream.ssl), HTTP_HANDSHAKE_TIMEOUT);
    http_output_reset(c);
}

void http_tls_drain(struct http_conn *c)
{
    count(c, tls_context_kind(c->stream.ssl), HTTP_HANDSHAKE_DRAINED);
    http_phase_enter(c, HTTP_PHASE_CLOSED);
}
