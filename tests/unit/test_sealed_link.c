/* Links that a handshake with a key begins, over real sockets. (Plain ones: test_peer_link.c. What
 * a handshake takes for a link: test_psk.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/seal_openssl.h"
#include "net/crypto/tls_context.h"
#include "net/discovery/claim.h"
#include "net/link/peer_link.h"
#include "own_clock.h"
#include "patience.h"

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { DIALER = 0, ACCEPTOR = 1, LONG_BYTES = 2 << 20, KEY_RECORDS = 100 };

/* How the other end takes a dial. */
enum answer { SEALS, SAYS_HTTP, CLOSES, SAYS_NOTHING };

/* One end, and what came on it. */
struct end {
    struct scene *scene;
    struct peer_link *link;
    size_t ups, finishes, downs;
    enum link_end why;
    uint8_t *input;
    size_t input_len;
};

struct scene {
    struct event_base *base;
    struct claim claim;
    struct event *accepting;
    struct seal_openssl *seal;
    struct keyring rings[2];
    struct tls_context *tls[2];
    struct end ends[2];
    enum answer answer;
    int fd; /* of the connection until it is a stream */
    struct stream stream;
    bool is_accepted; /* the other end has finished its handshake, with this key */
    uint16_t accepted_key;
    bool has_time;
};

static void on_up(void *arg, struct peer_link *l)
{
    struct end *end = arg;
    (void)l;
    end->ups++;
}

static void on_input(void *arg, struct peer_link *l, const uint8_t *data, size_t len)
{
    struct end *end = arg;
    (void)l;
    assert_true(end->input_len + len <= LONG_BYTES);
    memcpy(end->input + end->input_len, data, len);
    end->input_len += len;
}

static void on_drained(void *arg, struct peer_link *l)
{
    (void)arg;
    (void)l;
}

static void on_down(void *arg, struct peer_link *l, enum link_end why)
{
    struct end *end = arg;
    (void)l;
    end->downs++;
    end->why = why;
    end->link = NULL;
}

static void on_finished(void *arg, struct peer_link *l)
{
    struct end *end = arg;
    (void)l;
    end->finishes++;
    end->link = NULL;
}

static bool on_has_time(void *arg)
{
    const struct end *end = arg;
    return end->scene->has_time;
}

static size_t on_rooms(void *arg, struct peer_link *l, struct blob_room *ret_rooms)
{
    (void)arg;
    (void)l;
    (void)ret_rooms;
    return 0;
}

static const struct peer_link_hooks hooks = {.up = on_up,
                                             .rooms = on_rooms,
                                             .input = on_input,
                                             .drained = on_drained,
                                             .down = on_down,
                                             .finished = on_finished,
                                             .has_time = on_has_time};

static size_t updates[2]; /* of each end's sending key, in this test */

int __real_SSL_key_update(SSL *ssl, int type);
int __wrap_SSL_key_update(SSL *ssl, int type);

int __wrap_SSL_key_update(SSL *ssl, int type)
{
    const int rc = __real_SSL_key_update(ssl, type);
    updates[SSL_is_server(ssl) == 1 ? ACCEPTOR : DIALER] += rc == 1;
    return rc;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    struct scene *s = arg;
    (void)what;
    s->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(s->fd >= 0);
    if (s->answer == SAYS_HTTP) {
        (void)send(s->fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL);
    }
    if (s->answer == SAYS_HTTP || s->answer == CLOSES) {
        (void)shutdown(s->fd, SHUT_WR);
    }
    if (s->answer == SEALS) {
        s->stream = stream_plain(s->fd);
        s->fd = -1;
        SSL *ssl = tls_context_acceptor(s->tls[ACCEPTOR]);
        assert_int_equal(stream_secure(&s->stream, ssl), RC_OK);
    }
}

static void make_ring(struct scene *s, int at, uint8_t first, uint8_t count)
{
    struct keyring_items items = {.count = count};
    for (uint8_t i = 0; i < count; i++) {
        memset(items.items[i].key, first + i, SEAL_KEY_BYTES);
    }
    keyring_fini(&s->rings[at]);
    assert_int_equal(keyring_init(&s->rings[at], seal_openssl_ops(s->seal), "net", &items), RC_OK);
}

static struct psk_config psk_of(const struct scene *s, int at)
{
    return (struct psk_config){.ring = &s->rings[at], .key_records_max = KEY_RECORDS};
}

static int setup(void **state)
{
    static const struct addr any = {.port = 0};
    struct scene *s = calloc(1, sizeof(*s));
    struct claim_failure failure;
    memset(updates, 0, sizeof(updates));
    s->base = event_base_new();
    s->seal = seal_openssl_new();
    s->fd = -1;
    s->stream = stream_plain(-1);
    s->has_time = true;
    for (int at = DIALER; at <= ACCEPTOR; at++) {
        make_ring(s, at, 1, 1);
        const struct psk_config config = psk_of(s, at);
        s->tls[at] = tls_context_new();
        tls_context_take_links(s->tls[at], &config);
        s->ends[at] = (struct end){.scene = s, .input = malloc(LONG_BYTES)};
    }
    assert_int_equal(claim_port(&any, 0, &s->claim, &failure), RC_OK);
    s->accepting = event_new(s->base, s->claim.tcp_fd, EV_READ, on_accept, s);
    event_add(s->accepting, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    event_free(s->accepting);
    stream_close(&s->stream);
    if (s->fd >= 0) {
        close(s->fd);
    }
    for (int at = DIALER; at <= ACCEPTOR; at++) {
        peer_link_free(s->ends[at].link);
        free(s->ends[at].input);
        tls_context_free(s->tls[at]);
        keyring_fini(&s->rings[at]);
    }
    claim_release(&s->claim);
    event_base_free(s->base);
    seal_openssl_free(s->seal);
    free(s);
    return 0;
}

/* The acceptor's handshake, as the server goes on with it. */
static void accept_on(struct scene *s)
{
    bool is_writing = false;
    if (s->stream.ssl == NULL || s->is_accepted) {
        return;
    }
    const enum rc rc = stream_handshake(&s->stream, &is_writing);
    if (rc == RC_OK) {
        s->is_accepted = true;
        s->accepted_key = psk_link_key(s->stream.ssl);
    } else if (rc != RC_AGAIN) {
        stream_close(&s->stream);
    }
}

/* One turn of the loop; false when our patience is at its end. */
static bool turn(struct scene *s, uint64_t until_ms)
{
    accept_on(s);
    (void)event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    return patience_now_ms() < until_ms;
}

static void dial_with(struct scene *s, uint16_t key_id)
{
    const uint64_t until = patience_begins();
    const struct addr at = addr_v4((const uint8_t[]){127, 0, 0, 1}, s->claim.port);
    const struct peer_link_key key = {
        .tls = s->tls[DIALER], .psk = psk_of(s, DIALER), .id = key_id};
    struct end *end = &s->ends[DIALER];
    end->link = peer_link_dial(s->base, 7, &at, &key, &hooks, end);
    while (end->ups + end->downs == 0 && turn(s, until)) {
        own_clock_pass_ms(PATIENCE_REST_MS);
    }
}

static void dial(struct scene *s)
{
    dial_with(s, s->rings[DIALER].keys[0].id);
}

/* Both ends are links. */
static void link_up(struct scene *s)
{
    const uint64_t until = patience_begins();
    dial(s);
    assert_int_equal(s->ends[DIALER].ups, 1);
    while (!s->is_accepted && turn(s, until)) {
    }
    assert_int_equal(s->accepted_key, s->rings[DIALER].keys[0].id);
    s->ends[ACCEPTOR].link =
        peer_link_adopt_sealed(s->base, 8, &s->stream, &hooks, &s->ends[ACCEPTOR]);
    assert_null(s->stream.ssl);
    peer_link_read(s->ends[ACCEPTOR].link);
}

static uint8_t byte_at(size_t at, int from)
{
    return (uint8_t)(at * 31 + at / 251 + (size_t)from);
}

/* Writes as the driver does: by pieces, as long as little waits. */
static void write_more(struct scene *s, int from, size_t len, size_t *at, size_t piece)
{
    static uint8_t bytes[1 << 16];
    struct peer_link *l = s->ends[from].link;
    while (*at < len && peer_link_pending(l) < PEER_LINK_LOW_BYTES) {
        const size_t left = len - *at;
        const size_t now = left < piece ? left : piece;
        for (size_t i = 0; i < now; i++) {
            bytes[i] = byte_at(*at + i, from);
        }
        assert_int_equal(peer_link_write(l, bytes, now, NULL), RC_OK);
        *at += now;
    }
}

static void assert_came(const struct end *end, size_t len, int from)
{
    assert_int_equal(end->input_len, len);
    for (size_t i = 0; i < len; i++) {
        if (end->input[i] != byte_at(i, from)) {
            fail_msg("byte %zu is another", i);
        }
    }
}

/* Long values go both ways at once, in pieces of every kind of length, over several updates of each
 * sending key, and through sockets that take only a part. */
static void what_is_written_comes_whole_both_ways(void **state)
{
    struct scene *s = *state;
    const uint64_t until = patience_begins();
    size_t sent[2] = {0, 0};
    link_up(s);
    do {
        write_more(s, DIALER, LONG_BYTES, &sent[DIALER], 32 * 1024 - 256);
        write_more(s, ACCEPTOR, LONG_BYTES, &sent[ACCEPTOR], 1 + sent[ACCEPTOR] % 40000);
    } while ((s->ends[DIALER].input_len < LONG_BYTES || s->ends[ACCEPTOR].input_len < LONG_BYTES) &&
             s->ends[DIALER].downs + s->ends[ACCEPTOR].downs == 0 && turn(s, until));
    assert_came(&s->ends[ACCEPTOR], LONG_BYTES, DIALER);
    assert_came(&s->ends[DIALER], LONG_BYTES, ACCEPTOR);
    assert_true(updates[DIALER] >= LONG_BYTES / PSK_RECORD_BYTES / KEY_RECORDS);
    assert_true(updates[ACCEPTOR] >= LONG_BYTES / PSK_RECORD_BYTES / KEY_RECORDS);
}

/* TLS has whole records in memory of which no socket tells. */
static void a_link_without_time_reads_the_rest_in_turns_to_come(void **state)
{
    struct scene *s = *state;
    const uint64_t until = patience_begins();
    size_t sent = 0;
    link_up(s);
    s->has_time = false;
    write_more(s, DIALER, 1 << 16, &sent, 1 << 16);
    while (s->ends[ACCEPTOR].input_len < 1 << 16 && turn(s, until)) {
    }
    assert_came(&s->ends[ACCEPTOR], 1 << 16, DIALER);
}

static void a_finished_link_says_all_and_then_goodbye(void **state)
{
    struct scene *s = *state;
    const uint64_t until = patience_begins();
    size_t sent = 0;
    link_up(s);
    write_more(s, DIALER, 200000, &sent, 50000);
    peer_link_finish(s->ends[DIALER].link);
    while (s->ends[ACCEPTOR].downs == 0 && turn(s, until)) {
    }
    assert_came(&s->ends[ACCEPTOR], sent, DIALER);
    assert_int_equal(s->ends[ACCEPTOR].why, LINK_END_EOF);
    while (s->ends[DIALER].finishes == 0 && turn(s, until)) {
    }
    assert_int_equal(s->ends[DIALER].finishes, 1);
}

/* ---- Who has not the key ---- */

static void assert_unsealed(struct scene *s)
{
    assert_int_equal(s->ends[DIALER].ups, 0);
    assert_int_equal(s->ends[DIALER].downs, 1);
    assert_int_equal(s->ends[DIALER].why, LINK_END_UNSEALED);
}

static void who_has_another_key_is_unsealed(void **state)
{
    struct scene *s = *state;
    make_ring(s, ACCEPTOR, 2, 4);
    dial(s);
    assert_unsealed(s);
}

/* As nodes without a secret do, one way or another. */
static void who_knows_no_handshake_is_unsealed(void **state)
{
    struct scene *s = *state;
    s->answer = SAYS_HTTP;
    dial(s);
    assert_unsealed(s);
}

static void who_closes_in_the_handshake_is_unsealed(void **state)
{
    struct scene *s = *state;
    s->answer = CLOSES;
    dial(s);
    assert_unsealed(s);
}

static void who_says_nothing_in_the_handshake_is_timed_out(void **state)
{
    struct scene *s = *state;
    s->answer = SAYS_NOTHING;
    dial(s);
    assert_int_equal(s->ends[DIALER].ups, 0);
    assert_int_equal(s->ends[DIALER].why, LINK_END_TIMEOUT);
}

static void a_key_that_is_gone_meanwhile_is_unsealed(void **state)
{
    struct scene *s = *state;
    dial_with(s, (uint16_t)(s->rings[DIALER].keys[0].id ^ 1));
    assert_unsealed(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_is_written_comes_whole_both_ways),
        TEST(a_link_without_time_reads_the_rest_in_turns_to_come),
        TEST(a_finished_link_says_all_and_then_goodbye),
        TEST(who_has_another_key_is_unsealed),
        TEST(who_knows_no_handshake_is_unsealed),
        TEST(who_closes_in_the_handshake_is_unsealed),
        TEST(who_says_nothing_in_the_handshake_is_timed_out),
        TEST(a_key_that_is_gone_meanwhile_is_unsealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
