/*
 * name_server: a name server of the test's own, by datagram and TCP on one loopback port, that says
 * what the test wants.
 *
 * As real ones do it cuts what is longer than the asker's datagrams may be (512 bytes without
 * EDNS), unless the question came by TCP.
 */
#ifndef TESTS_UNIT_NAME_SERVER_H
#define TESTS_UNIT_NAME_SERVER_H

#include "core/base/addr.h"
#include "net/sys/sockaddr.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum saying {
    SAYS_NOTHING,
    SAYS_ADDRESS,
    SAYS_NO_ADDRESS, /* the name exists */
    SAYS_NO_NAME,
    SAYS_FAILED,
    SAYS_REFUSED,
    SAYS_NOT_IMPLEMENTED,
    SAYS_GARBAGE,
    SAYS_RECORDS, /* what stands in `records` */
};

enum {
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    HEADER_SIZE = 12,
    QUESTION_REST = 4,
    TYPE_A = 1,
    TYPE_AAAA = 28,
    PLAIN_MAX = 512,
    MESSAGE_MAX = 65535,
    QUESTION_MAX = 512,
    NAME_SERVER_STREAMS_MAX = 16,
};

struct name_server {
    struct event_base *base;
    struct addr at;
    int datagrams, listener; /* sockets; without a listener -1 */
    struct event *on_datagram, *on_stream;
    enum saying v4, v6, others; /* to questions for each type */
    enum saying then_v4;        /* from the second question on, unless it is nothing */
    uint32_t asked_v4, asked_v6, asked_others, asked_by_tcp, asked_with_edns;
    uint32_t addr_count;    /* in answers for A and AAAA; 0 is one */
    const uint8_t *records; /* an answer's sections, behind the question */
    size_t records_len;
    uint16_t answer_count, additional_count; /* of them */
    bool is_held;                            /* answers are kept back, the last one only */
    uint8_t held[PLAIN_MAX];
    size_t held_len;
    struct sockaddr_storage held_for;
    socklen_t held_for_len;
    struct bufferevent *streams[NAME_SERVER_STREAMS_MAX];
    size_t stream_count;
};

static inline enum saying name_server_count(struct name_server *s, uint16_t type)
{
    if (type != TYPE_A && type != TYPE_AAAA) {
        s->asked_others++;
        return s->others;
    }
    *(type == TYPE_A ? &s->asked_v4 : &s->asked_v6) += 1;
    const enum saying saying = type == TYPE_A ? s->v4 : s->v6;
    if (s->then_v4 != SAYS_NOTHING) {
        s->v4 = s->then_v4;
    }
    return saying;
}

static inline void name_server_put_addrs(struct cursor *c, bool is_v4, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t v4[] = {192, 0, (uint8_t)(2 + i / 256), (uint8_t)(7 + i)};
        const uint8_t v6[16] = {
            0x20, 0x01, 0x0d, 0xb8, [14] = (uint8_t)(i / 256), [15] = (uint8_t)(7 + i)};
        cursor_put_u16(c, 0xc000 | HEADER_SIZE); /* the question's name */
        cursor_put_u16(c, is_v4 ? TYPE_A : TYPE_AAAA);
        cursor_put_u16(c, 1);
        cursor_put_u32(c, 60);
        cursor_put_u16(c, is_v4 ? sizeof(v4) : sizeof(v6));
        cursor_put_bytes(c, is_v4 ? v4 : v6, is_v4 ? sizeof(v4) : sizeof(v6));
    }
}

struct name_server_question {
    const uint8_t *bytes; /* header and question, without what follows */
    size_t len;
    uint16_t type;
    size_t answer_max; /* bytes */
};

/* Asserts are the test's: a question that c-ares made is well formed. */
static inline struct name_server_question name_server_read(struct name_server *s,
                                                           const uint8_t *bytes, size_t len,
                                                           bool is_tcp)
{
    struct cursor c = cursor_reader(bytes, len);
    (void)cursor_bytes(&c, HEADER_SIZE);
    for (uint8_t label; (label = cursor_u8(&c)) != 0 && cursor_ok(&c);) {
        (void)cursor_bytes(&c, label);
    }
    struct name_server_question q = {
        .bytes = bytes, .type = cursor_u16(&c), .answer_max = PLAIN_MAX};
    (void)cursor_u16(&c);
    q.len = c.pos;
    if (bytes[11] > 0) { /* an additional record: EDNS, whose class is the size */
        s->asked_with_edns++;
        (void)cursor_bytes(&c, 3);
        q.answer_max = cursor_u16(&c);
    }
    s->asked_by_tcp += is_tcp;
    q.answer_max = is_tcp ? MESSAGE_MAX : q.answer_max;
    return q;
}

static inline uint8_t name_server_code(enum saying saying)
{
    static const uint8_t codes[] = {[SAYS_NO_NAME] = RCODE_NXDOMAIN,
                                    [SAYS_FAILED] = RCODE_SERVFAIL,
                                    [SAYS_REFUSED] = RCODE_REFUSED,
                                    [SAYS_NOT_IMPLEMENTED] = RCODE_NOTIMP,
                                    [SAYS_RECORDS] = 0};
    return codes[saying];
}

/* Writes the answer; returns its length, 0 for none. */
static inline size_t name_server_answer(struct name_server *s, const uint8_t *bytes, size_t len,
                                        bool is_tcp, uint8_t ret_answer[static MESSAGE_MAX])
{
    const struct name_server_question q = name_server_read(s, bytes, len, is_tcp);
    const enum saying saying = name_server_count(s, q.type);
    struct cursor c = cursor_writer(ret_answer, MESSAGE_MAX);
    uint16_t answers = 0, additional = 0;
    cursor_put_bytes(&c, q.bytes, q.len);
    if (saying == SAYS_NOTHING) {
        return 0;
    }
    if (saying == SAYS_ADDRESS) {
        answers = (uint16_t)(s->addr_count == 0 ? 1 : s->addr_count);
        name_server_put_addrs(&c, q.type == TYPE_A, answers);
    } else if (saying == SAYS_RECORDS) {
        answers = s->answer_count;
        additional = s->additional_count;
        cursor_put_bytes(&c, s->records, s->records_len);
    } else if (saying == SAYS_GARBAGE) {
        answers = 3; /* that are not there */
    }
    const bool is_cut = c.pos > q.answer_max;
    struct cursor head = cursor_writer(ret_answer + 2, HEADER_SIZE - 2);
    cursor_put_u8(&head, is_cut ? 0x86 : 0x84); /* an answer, by authority */
    cursor_put_u8(&head, name_server_code(saying));
    cursor_put_u16(&head, 1);
    cursor_put_u16(&head, is_cut ? 0 : answers);
    cursor_put_u16(&head, 0);
    cursor_put_u16(&head, is_cut ? 0 : additional);
    return is_cut ? q.len : c.pos;
}

static inline void name_server_on_datagram(evutil_socket_t fd, short what, void *arg)
{
    static uint8_t answer[MESSAGE_MAX];
    struct name_server *s = arg;
    uint8_t question[QUESTION_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    (void)what;
    const ssize_t got =
        recvfrom(fd, question, sizeof(question), 0, (struct sockaddr *)&from, &from_len);
    if (got <= HEADER_SIZE + QUESTION_REST) {
        return;
    }
    const size_t len = name_server_answer(s, question, (size_t)got, false, answer);
    if (s->is_held && len <= sizeof(s->held)) {
        memcpy(s->held, answer, len);
        s->held_len = len;
        s->held_for = from;
        s->held_for_len = from_len;
    } else if (len > 0) {
        (void)sendto(fd, answer, len, 0, (struct sockaddr *)&from, from_len);
    }
}

static inline void name_server_on_read(struct bufferevent *stream, void *arg)
{
    static uint8_t answer[MESSAGE_MAX];
    struct evbuffer *in = bufferevent_get_input(stream);
    uint8_t message[2 + QUESTION_MAX];
    const size_t got = (size_t)evbuffer_copyout(in, message, sizeof(message));
    const size_t len = got < 2 ? 0 : (size_t)message[0] << 8 | message[1];
    if (got < 2 || got < 2 + len) {
        return; /* the rest is on its way */
    }
    (void)evbuffer_drain(in, 2 + len);
    const size_t answer_len = name_server_answer(arg, message + 2, len, true, answer);
    const uint8_t prefix[] = {(uint8_t)(answer_len >> 8), (uint8_t)answer_len};
    if (answer_len > 0) {
        (void)bufferevent_write(stream, prefix, sizeof(prefix));
        (void)bufferevent_write(stream, answer, answer_len);
    }
}

static inline void name_server_on_stream(evutil_socket_t fd, short what, void *arg)
{
    struct name_server *s = arg;
    (void)what;
    const int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0 && s->stream_count < NAME_SERVER_STREAMS_MAX) {
        struct bufferevent *stream =
            bufferevent_socket_new(s->base, accepted, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(stream, name_server_on_read, NULL, NULL, s);
        (void)bufferevent_enable(stream, EV_READ | EV_WRITE);
        s->streams[s->stream_count++] = stream;
    }
}

static inline int name_server_socket(int type, uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
        return fd;
    }
    (void)close(fd);
    return -1;
}

/* On a port that is free for both. Without `has_tcp` nobody listens there, nor can. */
static inline void name_server_open(struct name_server *s, struct event_base *base, bool has_tcp)
{
    memset(s, 0, sizeof(*s));
    s->base = base;
    do {
        s->datagrams = name_server_socket(SOCK_DGRAM, 0);
        assert_true(s->datagrams >= 0);
        assert_int_equal(sockaddr_local(s->datagrams, &s->at), RC_OK);
        s->listener = name_server_socket(SOCK_STREAM, s->at.port);
        if (s->listener < 0) {
            (void)close(s->datagrams); /* that port is somebody's */
        }
    } while (s->listener < 0);
    s->on_datagram =
        event_new(base, s->datagrams, EV_READ | EV_PERSIST, name_server_on_datagram, s);
    assert_int_equal(event_add(s->on_datagram, NULL), 0);
    if (has_tcp) {
        assert_int_equal(listen(s->listener, 8), 0);
        s->on_stream = event_new(base, s->listener, EV_READ | EV_PERSIST, name_server_on_stream, s);
        assert_int_equal(event_add(s->on_stream, NULL), 0);
    }
}

/* Says what was held back. */
static inline void name_server_release(struct name_server *s)
{
    s->is_held = false;
    (void)sendto(s->datagrams, s->held, s->held_len, 0, (struct sockaddr *)&s->held_for,
                 s->held_for_len);
}

static inline void name_server_close(struct name_server *s)
{
    for (size_t i = 0; i < s->stream_count; i++) {
        bufferevent_free(s->streams[i]);
    }
    event_free(s->on_datagram);
    if (s->on_stream != NULL) {
        event_free(s->on_stream);
    }
    (void)close(s->datagrams);
    (void)close(s->listener);
}

#endif
